"""A lab's scans, described once: which files, whose, how they are read and paired."""
