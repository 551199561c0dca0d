"""Inference engines behind one protocol (``rtbold.engine.protocol.Engine``)."""
