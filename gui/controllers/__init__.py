"""What the dashboard does: threads and child processes; no Qt."""
