"""How fast and how large it is: ``python scripts/bench latency --help``."""
