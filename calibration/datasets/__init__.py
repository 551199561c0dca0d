"""A lab's scans, read and prepared once."""
