"""Ways to fit a network to one subject's scan, behind one protocol."""
