"""Hop 2: raw samples become causal 200 Hz samples; channels are judged."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
