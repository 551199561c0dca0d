"""A model on disk: its card, files, check windows, gates and subjects."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
