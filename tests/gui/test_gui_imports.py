"""The dashboard may use of rtbold what any subscriber can, and nothing else."""

import ast
from pathlib import Path

import pytest

GUI = Path(__file__).resolve().parents[2] / "gui"
ALLOWED = ("rtbold.client", "rtbold.messages", "rtbold.pages", "rtbold.gui")
FILES = sorted(GUI.rglob("*.py"))


def imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(GUI)))
def test_of_rtbold_it_imports_the_client_the_messages_and_the_pages_only(file):
    ours = {name for name in imported(file) if name.split(".")[0] == "rtbold"}
    assert {
        n for n in ours if not (n + ".").startswith(tuple(f"{a}." for a in ALLOWED))
    } == set()
