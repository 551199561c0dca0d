"""The dashboard: one more subscriber of the feed."""
