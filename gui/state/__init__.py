"""What the dashboard knows: pure, without Qt, threads or a clock."""
