"""A study's protocol: a file that is data, and where in it each volume lies."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
