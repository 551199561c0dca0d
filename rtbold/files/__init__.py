"""Recordings and tables read from disk, written to disk."""
