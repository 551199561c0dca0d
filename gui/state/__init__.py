"""What the dashboard knows: pure, with time as an argument; no Qt, no threads."""
