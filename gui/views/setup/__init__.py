"""The set-up page and its parts."""
