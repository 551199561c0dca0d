"""Hop 5: a prediction becomes messages on ZMQ and LSL."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
