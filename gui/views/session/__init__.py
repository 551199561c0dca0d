"""The session page and its parts."""
