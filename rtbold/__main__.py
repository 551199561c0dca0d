"""``python -m rtbold`` is the same as ``rtbold``."""

from rtbold.cli import main

if __name__ == "__main__":
    main()
