"""How well a calibrated model predicts, and what its verdict is."""
