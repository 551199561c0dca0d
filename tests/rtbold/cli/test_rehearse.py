import json
import os
import signal

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.rehearse import PageFacts, rehearsal_page, rehearse
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import Check
from rtbold.preflight.go_no_go import Figures, RecordingFigures
from rtbold.preflight.rehearse import RehearsalResult, Stage

STAGE = Stage("running", 30.0, 20.0, "volume 7: ok, +0.512")
LOOK = Check("triggers", "warn", "none came", "normal before the scanner starts")
MODEL = Check("model", "ok", "demo <b>bold</b>, e30b9b530672", must=True)
STREAM = Check("stream", "ok", "'eeg' on 'pc': simulated EEG, 19 channels", must=True)
BAD = Check("recording", "fail", "x.xdf: is damaged", "see its log", must=True)
GOOD = Check("session", "ok", "started, and ended in order", must=True)
FIGURES = Figures(
    asked_s=60.0, tr_s=2.1, locked=True, ran_s=59.6, n_triggers=28,
    by_status={"ok": 20}, recording=RecordingFigures(path="/rec/x.xdf"),
)  # fmt: skip
RUN = RunSettings(model="demo", subject=None, stream="a name")


def outcome(verdict="go", **changes):
    known = {
        "verdict": verdict,
        "why": () if verdict == "go" else ("recording: x.xdf: is damaged",),
        "run": RUN,
        "before": (MODEL, STREAM, LOOK),
        "rehearsed": (GOOD,) if verdict == "go" else (GOOD, BAD),
        "figures": FIGURES,
    }
    return RehearsalResult(**{**known, **changes})


@pytest.fixture
def steps(monkeypatch):
    """Return what a rehearsal will tell, and what it was asked."""
    told, asked = [], []

    class Rehearsal:
        def __init__(self, settings, clock, stopping):
            asked.append((settings, stopping))

        def steps(self):
            for one in told:
                yield one() if callable(one) else one

    monkeypatch.setattr("rtbold.preflight.Rehearsal", Rehearsal)
    told_and_asked = (told, asked)
    return told_and_asked


def invoke(*arguments):
    app = typer.Typer()
    app.command()(rehearse)
    return CliRunner().invoke(app, list(arguments))


def test_a_go_is_exit_code_0(steps):
    steps[0][:] = [STAGE, LOOK, outcome()]
    result = invoke("--model", "demo", "--duration", "60", "--without-scanner")
    assert result.exit_code == 0
    assert "GO" in result.stdout.splitlines()
    assert "running, 20 s left: volume 7: ok" in result.stderr
    ((settings, stopping),) = steps[1]
    assert (settings.duration_s, settings.without_scanner) == (60.0, True)
    assert settings.run == RunSettings(model="demo")
    assert settings.arguments(RUN) == ["--model", "demo", "--stream", "a name"]
    assert not stopping()


def test_a_no_go_is_exit_code_1_and_says_why(steps):
    steps[0][:] = [outcome("no-go")]
    result = invoke()
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "NO-GO - recording: x.xdf: is damaged" in said
    assert "the recording is kept: /rec/x.xdf" in said
    assert "-> see its log" in said


def test_json_is_a_line_for_each(steps, tmp_path):
    page = tmp_path / "page.html"
    steps[0][:] = [STAGE, LOOK, outcome("no-go")]
    result = invoke("--json", "--page", str(page))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0] == {
        "stage": "running", "elapsed_s": 30.0, "remaining_s": 20.0,
        "text": "volume 7: ok, +0.512",
    }  # fmt: skip
    assert lines[1]["check"]["name"] == "triggers"
    end = lines[2]
    assert (end["verdict"], end["page"]) == ("no-go", str(page))
    assert end["why"] == ["recording: x.xdf: is damaged"]
    assert end["figures"]["n_triggers"] == 28
    assert end["figures"]["recording_path"] == "/rec/x.xdf"
    assert "NO-GO" in page.read_text()


def test_ctrl_c_is_told_to_the_rehearsal(steps):
    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        ((_, stopping),) = steps[1]
        return outcome("no-go", interrupted=stopping(), figures=None, rehearsed=())

    before = signal.getsignal(signal.SIGINT)
    steps[0][:] = [interrupted]
    result = invoke("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["figures"] == {}
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "wrong", [("--duration", "5"), ("--tr", "2100"), ("--page", "/no/such/folder/x")]
)
def test_wrong_use_is_said_before_anything_is_done(steps, wrong):
    assert isinstance(invoke(*wrong).exception, ConfigError)
    assert steps[1] == []


def test_a_page_that_cannot_be_written_costs_no_verdict(steps, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    steps[0][:] = [outcome()]
    result = invoke("--json", "--page", str(tmp_path / "x.html"))
    assert isinstance(result.exception, RtboldError)
    assert "No space left" in str(result.exception)
    end = json.loads(result.stdout)
    assert (end["verdict"], end["page"]) == ("go", None)


FACTS = PageFacts(
    date="2026-11-23 10:00 UTC", machine="lab-pc", software="rtbold 1",
    command="rtbold run --stream 'a name'",
)  # fmt: skip


def test_the_page_holds_what_was_found_escaped_and_no_script():
    page = rehearsal_page(outcome("no-go"), FACTS)
    for text in ("NO-GO", "2026-11-23 10:00 UTC", "lab-pc", "rtbold run --stream",
                 "&lt;b&gt;bold&lt;/b&gt;", "SIMULATED EEG", "see its log",
                 "Subject not named", "is damaged"):  # fmt: skip
        assert text in page
    for forbidden in ("<script", "<b>", "http://", "https://", "<img", "@import"):
        assert forbidden not in page


def test_the_page_of_a_session_that_was_not_started():
    page = rehearsal_page(outcome("no-go", figures=None, rehearsed=()), FACTS)
    assert "nothing was measured" in page
    go = rehearsal_page(outcome(before=(MODEL,)), FACTS)
    assert 'class="verdict">GO<' in go
    assert "SIMULATED" not in go
    assert "Why not" not in go
