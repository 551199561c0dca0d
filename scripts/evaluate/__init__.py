"""What models and calibrations are worth: ``python scripts/evaluate gate --help``."""
