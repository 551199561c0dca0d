"""The dashboard may use of rtbold what any subscriber can, and nothing else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rtbold.gui.state.latency import BOLD_NOTE
from rtbold.gui.state.summary import R_NOTE
from rtbold.gui.state.words import REASON_WORDS, stale_reason
from rtbold.publish import wire

GUI = Path(__file__).resolve().parents[2] / "gui"
ALLOWED = (
    "rtbold.client",
    "rtbold.errors",
    "rtbold.gui",
    "rtbold.messages",
    "rtbold.owner_only",
    "rtbold.pages",
    "rtbold.config.KindName",  # kinds of runs have one name
    "rtbold.run_names",  # so that the plan has the number of the recording
)
WIRE = tuple(
    f"rtbold.publish.{name}"
    for name, value in vars(wire).items()
    if getattr(value, "__module__", wire.__name__) == wire.__name__
    or getattr(value, "__origin__", None)  # a Literal, such as LogLevel
)
FILES = sorted(GUI.rglob("*.py"))


def imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(GUI)))
def test_of_rtbold_it_imports_client_messages_wire_and_pages_only(file):
    ours = {name for name in imported(file) if name.split(".")[0] == "rtbold"}
    allowed = tuple(f"{a}." for a in (*ALLOWED, *WIRE))
    assert {n for n in ours if not (n + ".").startswith(allowed)} == set()


def test_what_makes_and_sends_messages_is_no_part_of_the_wire():
    assert "rtbold.publish.Hello" in WIRE
    assert "rtbold.publish.LogLevel" in WIRE
    assert not {"rtbold.publish.Feed", "rtbold.publish.hello"} & set(WIRE)


def loaded(module):
    """Return what a fresh Python has loaded after `module`."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_wire_loads_neither_sockets_nor_lsl():
    found = loaded("rtbold.publish; rtbold.publish.Hello")
    assert "rtbold.publish.wire" in found
    assert not {"zmq", "pylsl", "scipy", "rtbold.bundle", "rtbold.publish.feed"} & found


def test_the_state_loads_nothing_that_makes_or_sends_messages():
    found = loaded("rtbold.gui.state.dashboard")
    ours = {name for name in found if name.startswith("rtbold.publish.")}
    assert ours == {"rtbold.publish.wire"}
    assert not {"pylsl", "PyQt6", "scipy", "rtbold.bundle", "rtbold.predict"} & found


COMMANDS = re.compile(
    r"(?<![\w-])--[a-z]|\brtbold (?!is\b|are\b|runs\b|version\b)[a-z]+"
)
MAKE_COMMANDS = {  # words for a child process, or a table from them to the window's
    "state/setup.py", "state/found.py", "state/checks.py", "state/words.py",
    "state/address.py", "controllers/children.py", "controllers/setup.py",
    "views/app.py",
}  # fmt: skip
SHOWN = [f for f in FILES if str(f.relative_to(GUI)) not in MAKE_COMMANDS]


def spoken(file):
    """Yield the texts of a module that are no docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docs:
                yield node.value


def is_argument(text):
    """Whether it is an option and nothing else: a word for a child, not a sentence."""
    return re.fullmatch(r"--[a-z-]+", text) is not None


@pytest.mark.parametrize("file", SHOWN, ids=lambda f: str(f.relative_to(GUI)))
def test_the_window_has_no_words_of_the_command_line(file):
    said = (text for text in spoken(file) if not is_argument(text))
    assert [text for text in said if COMMANDS.search(text)] == []


def test_reasons_and_notices_have_no_words_of_the_command_line():
    said = [each for words in REASON_WORDS.values() for each in (words.short, words.do)]
    said += [stale_reason(None, "tcp://127.0.0.1:5580"), R_NOTE, BOLD_NOTE]
    assert [text for text in said if COMMANDS.search(text)] == []
