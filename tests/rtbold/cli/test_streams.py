import json

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.streams import streams
from rtbold.io import streams as io_streams
from rtbold.io.streams import FoundStream

CAP = FoundStream("cap", "EEG", "lab", "s1", "u1", 500.0, 32, "float32")


@pytest.fixture
def invoke(monkeypatch):
    app = typer.Typer()
    app.command()(streams)

    def run(*arguments, found=(CAP,)):
        monkeypatch.setattr(io_streams, "discover", lambda wait_s: list(found))
        return CliRunner().invoke(app, list(arguments))

    return run


def test_programs_get_json(invoke):
    result = invoke("--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["name"] == "cap"
    assert json.loads(result.stdout)[0]["rate_hz"] == 500.0


def test_people_get_a_table(invoke):
    assert "cap" in invoke().stdout
    assert "500" in invoke().stdout


def test_nothing_found_says_what_to_look_at(invoke):
    assert "rtbold doctor" in invoke(found=()).stdout
    assert json.loads(invoke("--json", found=()).stdout) == []


@pytest.mark.parametrize("wait", ["0", "-1", "1000", "soon"])
def test_a_wrong_wait_is_wrong_use(invoke, wait):
    assert invoke("--wait", wait).exit_code == 2
