"""Published checkpoints: recognised, read, and imported."""
