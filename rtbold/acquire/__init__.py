"""Hop 1: LSL streams and measured BOLD come in as time-stamped events."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
