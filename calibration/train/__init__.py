"""Base models trained over many simulated subjects."""
