"""A model on disk: its card, files, check windows, gates and subjects."""
