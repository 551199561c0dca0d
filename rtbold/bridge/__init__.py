"""The feed once more, for what speaks no ZMQ: browsers, MURFI, TCP, OSC, UDP."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
