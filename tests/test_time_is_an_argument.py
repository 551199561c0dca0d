"""House style: below the command line nobody asks what time it is, or sleeps.

What needs a clock gets one. A clock of the system may be the default of a parameter,
as a caller can give another one.
"""

import ast
from pathlib import Path

import pytest

import rtbold
from rtbold import calibration, cli, clock, gui, models
from rtbold.acquire import inlet, streams as lsl_clock
from rtbold.gui import views
from rtbold.preflight import lsl_loopback
from rtbold.record import watcher

ROOTS = (rtbold, calibration, models, gui)
# The command line picks the clocks; the window's views are the edge of another program.
EDGES = (cli, views)
# module or function -> why it may
ALLOWED = {
    clock.MonotonicClock: "it is the clock",
    lsl_clock.LslClock: "it is the clock",
    lsl_loopback: "a program of its own that measures LSL's clock against the system's",
    inlet.main: "a program of its own, which picks its clock as the command line does",
    watcher.main: "a program of its own, which picks its clock too",
}
READS = {
    "time": {
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep",
        "perf_counter_ns", "process_time", "thread_time", "localtime", "gmtime",
        "ctime", "asctime", "strftime",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "pylsl": {"local_clock"},
}  # fmt: skip
CLOCKS = {clock.MonotonicClock.__name__, lsl_clock.LslClock.__name__}


class Reads(ast.NodeVisitor):
    """Collects (qualified name, line) of what reads a clock; defaults are left out."""

    def __init__(self):
        self.found, self._scope = [], []

    def _enter(self, node, parts):
        self._scope.append(node.name)
        for part in parts:
            self.visit(part)
        self._scope.pop()

    def visit_ClassDef(self, node):
        self._enter(node, [*node.decorator_list, *node.body])

    def visit_FunctionDef(self, node):
        self._enter(node, [*node.decorator_list, *node.body])

    def visit_ImportFrom(self, node):
        if node.module in ("time", "pylsl"):
            if any(alias.name in READS[node.module] for alias in node.names):
                self._note(node)

    def visit_Attribute(self, node):
        owner = node.value
        name = getattr(owner, "id", getattr(owner, "attr", None))
        if node.attr in READS.get(name, ()):
            self._note(node)
        self.generic_visit(node)

    def visit_Call(self, node):
        if getattr(node.func, "id", getattr(node.func, "attr", None)) in CLOCKS:
            self._note(node)
        self.generic_visit(node)

    def _note(self, node):
        self.found.append((".".join(self._scope), node.lineno))


def reads_of(text):
    visitor = Reads()
    visitor.visit(ast.parse(text))
    return visitor.found


def modules():
    """Yield name and file of every module below the edges."""
    edges = [Path(package.__file__).parent for package in EDGES]
    for package in ROOTS:
        root = Path(package.__file__).parent
        for path in sorted(root.rglob("*.py")):
            if not any(edge in path.parents for edge in edges):
                parts = path.relative_to(root).with_suffix("").parts
                yield ".".join((package.__name__, *parts)), path


def full_name(thing):
    if not hasattr(thing, "__qualname__"):
        return thing.__name__
    return f"{thing.__module__}.{thing.__qualname__}"


def test_nobody_below_the_command_line_asks_what_time_it_is():
    allowed = tuple(full_name(thing) for thing in ALLOWED)
    found = [
        f"{name}:{line} in {scope or 'the module'}"
        for name, path in modules()
        for scope, line in reads_of(path.read_text(encoding="utf-8"))
        if not f"{name}.{scope}.".startswith(tuple(f"{a}." for a in allowed))
    ]
    assert found == [], "give it a Clock, or a now_s, as an argument"


def test_all_that_is_allowed_is_needed():
    needed = {
        f"{name}.{scope}."
        for name, path in modules()
        for scope, _ in reads_of(path.read_text(encoding="utf-8"))
    }
    for thing in ALLOWED:
        assert any(read.startswith(f"{full_name(thing)}.") for read in needed), thing


@pytest.mark.parametrize(
    "text",
    [
        "import time\ndef f():\n    return time.monotonic()",
        "from time import sleep",
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import date\nx = date.today()",
        "import pylsl\nclass A:\n    def f(self):\n        g(pylsl.local_clock)",
        "def f():\n    return LslClock()",
    ],
)
def test_a_read_is_seen(text):
    assert len(reads_of(text)) == 1


def test_a_default_is_an_argument():
    assert reads_of("import time\ndef f(now_s=time.time):\n    return now_s()") == []
