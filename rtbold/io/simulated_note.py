"""The note in a folder that its files were simulated.

Most file formats have no place to say so, and a twin that passes for a person would
give a model a verdict on real data.
"""

import json
from pathlib import Path

NAME = "simulated.json"


def says_simulated(file: Path) -> bool:
    """Whether a note beside `file` says so; one that cannot be understood does."""
    note = file.parent / NAME
    if not note.is_file():
        return False
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return not (isinstance(facts, dict) and facts.get("simulated") is False)
