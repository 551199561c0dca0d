"""A run's folder: the recorder and the event log."""
