"""rtbold: predict fMRI BOLD from EEG, live."""
