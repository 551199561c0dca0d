"""Calibration during a scan, from the streams."""
