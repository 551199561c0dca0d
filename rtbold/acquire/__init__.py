"""Hop 1: LSL streams and measured BOLD come in as time-stamped events."""
