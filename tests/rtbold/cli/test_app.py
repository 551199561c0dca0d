import inspect
import json
import subprocess
import sys

import pytest

from rtbold import cli
from rtbold.cli.app import (
    BLIND_COMMANDS,
    COMMANDS,
    MODEL_COMMANDS,
    PROTOCOL_COMMANDS,
    SUBJECT_COMMANDS,
    load,
)

HEAVY = (
    "pylsl", "openvino", "torch", "PyQt6", "matplotlib", "scipy.signal", "mne",
    "numpy", "zmq",
)  # fmt: skip
ALL = {
    **COMMANDS,
    **{f"models {word}": place for word, place in MODEL_COMMANDS.items()},
    **{f"subjects {word}": place for word, place in SUBJECT_COMMANDS.items()},
    **{f"blind {word}": place for word, place in BLIND_COMMANDS.items()},
    **{f"protocol {word}": place for word, place in PROTOCOL_COMMANDS.items()},
}


def loaded_after(*words):
    """Return the modules that a child has imported once the command line is done."""
    code = (
        "import json, sys\n"
        f"from {cli.__name__} import main\n"
        f"code = main({list(words)!r})\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stderr.strip().splitlines()[-1]))


def command_modules(loaded):
    modules = {place.module for place in ALL.values()}
    return {m for m in modules if f"{cli.__name__}.{m}" in loaded}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--help"], set()),
        (["models", "--help"], set()),
        (["streams", "--help"], {"streams"}),
        (["subjects", "list", "--help"], {"subjects"}),
    ],
)
def test_help_imports_no_command_that_was_not_asked_for(words, wanted):
    loaded = loaded_after(*words)
    assert command_modules(loaded) == wanted
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("words", ALL)
def test_a_list_of_commands_shows_how_each_docstring_begins(words):
    place = ALL[words]
    function = load(place.module, place.function)
    first = inspect.getdoc(function).split("\n\n")[0]
    assert place.line == " ".join(first.split())


def test_every_command_has_a_line_in_the_list(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    for words, places in (
        ([], COMMANDS),
        (["models"], MODEL_COMMANDS),
        (["subjects"], SUBJECT_COMMANDS),
        (["blind"], BLIND_COMMANDS),
        (["protocol"], PROTOCOL_COMMANDS),
    ):
        assert cli.main([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        for name, place in places.items():
            words_of = place.line.replace("`", "").split()
            (line,) = (n for n in shown.splitlines() if n.split()[1:2] == [name])
            assert line.split()[2 : 2 + len(words_of)] == words_of


def test_a_mistyped_command_is_answered_with_one_that_exists(capsys):
    assert cli.main(["models", "shw"]) == 2
    assert "Did you mean 'show'?" in capsys.readouterr().err
