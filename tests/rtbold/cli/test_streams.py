import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from rtbold import acquire
from rtbold.acquire.streams import FoundStream
from rtbold.cli import streams as command
from rtbold.cli.streams import streams

CAP = FoundStream("cap", "EEG", "lab", "s1", "u1", 500.0, 32, "float32")


@pytest.fixture
def invoke(monkeypatch):
    app = typer.Typer()
    app.command()(streams)

    class Declared:
        """Knows which senders declare themselves simulated."""

        uids = ()

        def __init__(self, predicate):
            assert predicate == acquire.SIMULATED

        def infos(self):
            return dict.fromkeys(self.uids)

    def run(*arguments, found=(CAP,), simulated=(), screen=False):
        monkeypatch.setattr(command, "on_screen", lambda: screen)
        Declared.uids = simulated
        monkeypatch.setattr(acquire, "Resolver", Declared)
        monkeypatch.setattr(acquire, "discover", lambda wait_s, clock: list(found))
        return CliRunner().invoke(app, list(arguments))

    return run


def test_programs_get_json(invoke):
    result = invoke("--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["name"] == "cap"
    assert json.loads(result.stdout)[0]["rate_hz"] == 500.0


def test_people_get_a_table(invoke):
    shown = invoke(screen=True).stdout
    assert "cap" in shown
    assert "500" in shown
    assert "\u2502" in shown


def test_a_pipe_gets_one_line_a_stream_and_every_name_whole(invoke, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    long = replace(CAP, name="Biosemi ActiveTwo of the second laboratory " * 4,
                   source_id="x" * 90, rate_hz=0.0)  # fmt: skip
    head, *lines = invoke(found=[CAP, long], simulated=("u1",)).stdout.splitlines()
    assert head.split("\t")[:2] == ["name", "type"]
    assert lines[0].split("\t") == ["cap", "EEG", "lab", "32", "500", "s1", "simulated"]
    assert lines[1].split("\t")[:2] == [long.name, "EEG"]
    assert lines[1].split("\t")[4:6] == ["irregular", "x" * 90]
    assert len(lines) == 2


def test_a_simulated_sender_is_told_apart(invoke):
    assert json.loads(invoke("--json").stdout)[0]["simulated"] is False
    said = json.loads(invoke("--json", simulated=("u1",)).stdout)
    assert said[0]["simulated"] is True
    assert "simulated" not in invoke().stdout
    assert "simulated" in invoke(simulated=("u1",)).stdout


def test_a_narrow_terminal_hides_nothing(invoke, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = invoke(simulated=("u1",), screen=True).stdout.splitlines()
    rows = [line.split("\u2502")[1:-1] for line in lines if line.startswith("\u2502")]
    cells = ["".join(part.strip() for part in cell) for cell in zip(*rows, strict=True)]
    assert cells == ["cap", "EEG", "lab", "32", "500", "s1", "simulated"]


def test_a_name_is_no_markup(invoke):
    odd = replace(CAP, name="[bold]cap[/nothing]")
    for screen in (True, False):
        result = invoke(found=[odd], screen=screen)
        assert result.exit_code == 0
        assert "[bold]cap[/nothing]" in result.stdout


@pytest.mark.parametrize("rate_hz", [float("nan"), float("inf")])
def test_a_rate_that_is_no_number_is_still_json(invoke, rate_hz):
    said = invoke("--json", found=[replace(CAP, rate_hz=rate_hz)]).stdout
    (row,) = json.loads(said, parse_constant=pytest.fail)
    assert row["rate_hz"] is None
    assert set(row) == {
        "name", "type", "host", "source_id", "uid", "rate_hz", "n_channels", "format",
        "simulated",
    }  # fmt: skip


def test_nothing_found_says_what_to_look_at(invoke):
    assert "rtbold doctor" in invoke(found=()).stdout
    assert json.loads(invoke("--json", found=()).stdout) == []


@pytest.mark.parametrize("wait", ["0", "-1", "1000", "soon"])
def test_a_wrong_wait_is_wrong_use(invoke, wait):
    assert invoke("--wait", wait).exit_code == 2
