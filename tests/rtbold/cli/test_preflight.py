import json

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.preflight import preflight
from rtbold.errors import ConfigError
from rtbold.messages import Check
from rtbold.preflight.stream_checks import ChannelLine, ChannelReport

OK = Check("model", "ok", "demo", must=True)
WARN = Check("triggers", "warn", "none yet", "normal before the scanner starts")
FAIL = Check("domain", "fail", "not this one", must=True, override="--allow-x")
CHANNELS = ChannelReport(
    (ChannelLine("CZ", "good", "Cz", 11.5, "same"),), ("ECG", "[weird]")
)


def invoke(*arguments):
    app = typer.Typer()
    app.command()(preflight)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def found(monkeypatch):
    found, asked = [OK, WARN, CHANNELS], []

    def examine(settings, clock):
        asked.append(settings)
        return iter(found)

    monkeypatch.setattr("rtbold.preflight.examine_session", examine)
    found_and_asked = (found, asked)
    return found_and_asked


def test_ready_is_exit_code_0(found):
    result = invoke("--model", "demo", "--listen", "12")
    assert result.exit_code == 0
    assert "READY" in result.stdout
    assert "NOT" not in result.stdout
    assert "ECG, [weird]" in result.stdout
    (settings,) = found[1]
    assert (settings.run.model, settings.listen_s) == ("demo", 12.0)


def test_a_failure_is_exit_code_1_and_says_what_lets_it_start(found):
    found[0].append(FAIL)
    result = invoke()
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())  # lines end where the terminal does
    assert "NOT READY: 1 failed, of which 1 stop a session" in said
    assert "--allow-x starts it all the same" in said


def test_json_is_a_line_for_each(found):
    found[0].append(FAIL)
    result = invoke("--json")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0] == {
        "check": {
            "name": "model", "state": "ok", "found": "demo", "advice": "",
            "must": True, "override": "",
        }
    }  # fmt: skip
    assert lines[2] == {
        "channels": [
            {
                "label": "CZ", "state": "good", "found": "Cz", "rms_uv": 11.5,
                "match": "same",
            }
        ],
        "extra": ["ECG", "[weird]"],
    }  # fmt: skip
    assert lines[3]["check"]["override"] == "--allow-x"
    assert lines[4] == {"ready": False, "n_fail": 1, "n_warn": 1}


def test_wrong_use_is_said_at_once(found):
    assert isinstance(invoke("--listen", "0").exception, ConfigError)
    assert isinstance(invoke("--tr", "2100").exception, ConfigError)
    assert found[1] == []
