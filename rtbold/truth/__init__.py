"""Measured BOLD paired with predictions, and how they agree."""
