"""Link rtbold/, models/, calibration/ and gui/ into .typecheck/rtbold for checkers.

mypy, pyright and import-linter read folders, not the import hook of an editable
install; this tree shows them the packages under the names they are imported by.
Rerunning is harmless.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRA = ("models", "calibration", "gui")


def main() -> None:
    """Rebuild the link tree."""
    tree = ROOT / ".typecheck" / "rtbold"
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir(parents=True)
    sources = [p for p in (ROOT / "rtbold").iterdir() if p.name != "__pycache__"]
    for source in [*sources, *(ROOT / name for name in EXTRA)]:
        (tree / source.name).symlink_to(source, target_is_directory=source.is_dir())


if __name__ == "__main__":
    main()
