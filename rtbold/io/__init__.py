"""Edges of the loop: LSL, ZMQ, files, child processes."""
