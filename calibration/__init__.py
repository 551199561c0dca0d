"""Per-subject calibration (its own issue; only the training recipe lives here now)."""
