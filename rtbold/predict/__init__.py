"""Hop 4: a window becomes a prediction with its status and reasons."""
