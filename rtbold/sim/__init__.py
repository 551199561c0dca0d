"""Simulated EEG and BOLD with known truth: the twin, and a generator foreign to it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
