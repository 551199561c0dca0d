"""Hop 3: the 16 s ring, the schedule of TRs, and the cut of each window."""
