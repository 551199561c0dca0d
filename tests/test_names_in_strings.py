"""Texts that name a module or a file of this repository: a move breaks them in silence.

Code says ``module.__name__`` where it can. What stays text (the docs, the code of child
processes, the targets of ``monkeypatch``, docstrings) has to lead somewhere.
"""

import ast
import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rtbold", "calibration", "gui", "models", "scripts", "tests")
# Names of schemas, `rtbold.hb/1`, are none of modules.
# What was measured by a script that is gone names the commit that has it
OF_COMMIT = re.compile(r"[^.]{0,60}\bcommit\b")
MODULE = re.compile(r"(?<![\w./-])rtbold(?:\.[A-Za-z_]\w*)+(?!\w|/|\.\w|-)")
FILE = re.compile(
    rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]+\.(?:py|csv|npz|json|cfg|css)\b"
)


def strings(path):
    """Yield all texts of a Python file, or a page of the docs as it is."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def texts():
    """Return (file, text) of all pages and all strings of the code."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    pages = [page for page in pages if page.parent.name not in GENERATED]
    code = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    files = [path for path in (*pages, *code) if path != Path(__file__).resolve()]
    return [(str(f.relative_to(ROOT)), text) for f in files for text in strings(f)]


def named(pattern, texts):
    """Return what is named, and in which files."""
    found = defaultdict(set)
    for file, text in texts:
        for match in pattern.finditer(text):
            meant = "no_such" not in match[0] and "nowhere" not in match[0]
            if meant and not OF_COMMIT.match(text, match.end()):
                found[match[0]].add(file)
    return found


GENERATED = {"api", "commands"}  # pages that the build of the site writes anew
# Keys in files that look like names of modules
KEYS = {"rtbold.lineage", "rtbold.simulated_lineage"}  # of a safetensors file


def leads_somewhere(name):
    """Whether it is a module, or something in one; what needs an extra passes."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != parts[0]:
                return True
            continue
        for attribute in parts[n:]:
            if not hasattr(thing, attribute):
                return False
            thing = getattr(thing, attribute)
        return True
    return False


def is_there(name):
    """Whether a file has this path in the repository, or in an installed package."""
    inside = name.removeprefix("rtbold/")
    return any(any(ROOT.glob(path)) for path in (name, inside))


def test_every_module_that_a_text_names_is_there(texts):
    lost = {
        n: files
        for n, files in named(MODULE, texts).items()
        if n not in KEYS and not leads_somewhere(n)
    }
    assert lost == {}


def test_every_file_that_a_text_names_is_there(texts):
    files = {n: by for n, by in named(FILE, texts).items() if "NAME" not in n}
    lost = {n: by for n, by in files.items() if not is_there(n)}
    assert lost == {}


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("rtbold.errors", True),
        ("rtbold.errors.RtboldError", True),
        ("rtbold.moved", False),
        ("rtbold.errors.Moved", False),
    ],
)
def test_a_name_that_leads_nowhere_is_seen(name, there):
    assert MODULE.fullmatch(name)
    assert leads_somewhere(name) is there


def test_schemas_and_the_end_of_a_sentence_are_no_part_of_a_name():
    text = "tag rtbold.pred.fb/1, demo.rtbold.x; see rtbold.publish.wire."
    assert MODULE.findall(text) == ["rtbold.publish.wire"]
