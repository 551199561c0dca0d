"""Hop 3: the ring of samples, the schedule of TRs, and the cut of each window."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
