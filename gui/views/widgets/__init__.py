"""Drawings of the session page, each a widget of its own."""
