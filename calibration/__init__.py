"""Per-subject calibration (its own issue; only the training recipe lives here now)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
