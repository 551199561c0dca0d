import io

import pytest

from rtbold.cli import main, report
from rtbold.cli.app import (
    BLIND_COMMANDS,
    COMMANDS,
    MODEL_COMMANDS,
    PROTOCOL_COMMANDS,
    SUBJECT_COMMANDS,
)
from rtbold.errors import ConfigError, StreamNotFound


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        *(f"models {m}" for m in MODEL_COMMANDS),
        *(f"subjects {m}" for m in SUBJECT_COMMANDS),
        *(f"blind {m}" for m in BLIND_COMMANDS),
        *(f"protocol {m}" for m in PROTOCOL_COMMANDS),
    ],
)
def test_every_command_shows_an_example(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    assert f"rtbold {command}" in capsys.readouterr().out


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("--tr is 2100."), 2, "rtbold: --tr is 2100.\n"),
        (StreamNotFound("no stream."), 1, "rtbold: no stream.\n"),
        (KeyError("x"), 1, "an unforeseen error: KeyError"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(error, code, words):
    out = io.StringIO()
    assert report(error, debug=False, out=out) == code
    assert words in out.getvalue()
    assert "Traceback" not in out.getvalue()


def test_debug_shows_where_it_came_from():
    out = io.StringIO()
    report(ConfigError("no"), debug=True, out=out)
    assert "ConfigError: no" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run", "--port", "many"],
        ["run", "--model", "demo", "--tr", "2100"],
        ["run", "--model", "demo", "--tr", "2.1", "--duration", "-5"],
        ["run", "--model", "demo"],
        ["run", "--tr", "2.1"],
        ["run", "--tr", "2.1", "--model", "a", "--subject", "b"],
    ],
)
def test_wrong_use_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err
