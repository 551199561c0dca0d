"""The twin: EEG and BOLD from one simulated brain, with known truth."""
