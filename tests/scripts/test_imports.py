"""What scripts import inside functions is there; a run of minutes would notice late."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
FILES = sorted(SCRIPTS.rglob("*.py"))


def imported(tree):
    """Modules of rtbold that a file imports, each with the names it takes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "rtbold"
        ):
            yield node.module, [alias.name for alias in node.names]


def is_there(module, name):
    try:
        if hasattr(import_module(module), name):
            return True
        import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_name_that_a_script_imports_exists(file):
    pytest.importorskip("torch")
    found = imported(ast.parse(file.read_text("utf-8")))
    missing = [(m, n) for m, names in found for n in names if not is_there(m, n)]
    assert missing == []
