"""The report of a calibration: one page of HTML that needs nothing beside it."""
