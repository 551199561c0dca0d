"""Hop 5: a prediction becomes messages on ZMQ and LSL."""
