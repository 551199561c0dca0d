"""The twin: EEG and BOLD from one simulated brain, with known truth."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
