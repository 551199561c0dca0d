import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from rtbold import record
from rtbold.cli.recorders import recorders


class LeftOver:
    def __init__(self, *, ends=True):
        self.process, self.file = SimpleNamespace(pid=7), Path("/data/x_eeg.xdf")
        self.ends, self.runs = ends, True

    def end(self):
        self.runs = not self.ends

    def __str__(self):
        return "a LabRecorder (process 7) still records into /data/x_eeg.xdf"


@pytest.fixture
def invoke(monkeypatch):
    app = typer.Typer()
    app.command()(recorders)

    def run(*arguments, found=()):
        monkeypatch.setattr(record, "find_left_over", lambda: list(found))
        monkeypatch.setattr(record, "wait_for_end", lambda left: None)
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_nothing_left_over_is_said(invoke):
    assert "No recording is left over" in invoke()
    assert json.loads(invoke("--json")) == []


def test_a_list_closes_nothing(invoke):
    one = LeftOver()
    assert "process 7" in invoke(found=[one])
    assert json.loads(invoke("--json", found=[one])) == [
        {"pid": 7, "file": "/data/x_eeg.xdf", "closed": False}
    ]
    assert one.runs


def test_what_is_closed_is_said_and_what_is_not_too(invoke):
    assert invoke("--end", found=[LeftOver()]).strip().endswith(": closed")
    assert "could not be closed" in invoke("--end", found=[LeftOver(ends=False)])
    rows = json.loads(invoke("--end", "--json", found=[LeftOver()]))
    assert rows[0]["closed"] is True
