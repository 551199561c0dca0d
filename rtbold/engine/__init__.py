"""Inference engines behind one protocol (``rtbold.engine.protocol.Engine``)."""

from rtbold.engine.opening import ENGINES, EngineName, open_engine
from rtbold.engine.protocol import Engine

__all__ = ["ENGINES", "Engine", "EngineName", "open_engine"]
