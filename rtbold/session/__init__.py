"""The live loop: open, run, show; and its exact replay."""
