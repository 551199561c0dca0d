"""What the operator and the participant see; the only package with Qt in it."""
