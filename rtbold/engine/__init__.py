"""Inference engines behind one protocol (``rtbold.engine.protocol.Engine``)."""

from rtbold.engine.opening import open_engine
from rtbold.engine.protocol import Engine

__all__ = ["Engine", "open_engine"]
