"""What a calibration reads, how EEG and volumes are paired, and the windows of both."""
