from dataclasses import replace
from pathlib import Path

import pytest

from rtbold.client import DEAD_AFTER_S
from rtbold.preflight.checks import verdict_of, why_of
from rtbold.preflight.go_no_go import Figures, RecordingFigures, evaluate

RECORDED = RecordingFigures(
    path="x.xdf", n_samples=60_000, n_markers=142, n_bytes=10_000_000,
    free_bytes=50_000_000_000,
)  # fmt: skip
GOOD = Figures(
    asked_s=300.0, tr_s=2.1, locked=True, ran_s=299.6, returncode=0, n_triggers=142,
    trigger_every_s=2.1, rate_hz=200.0, n_answers=143, n_volumes=142,
    n_after_usable=134, n_usable=134,
    by_status={"ok": 134, "warmup": 8, "paused": 1}, by_reason={"warmup": 8},
    longest_silence_s=0.6, control_ms=3.0,
    age_p50_ms=131.0, age_p99_ms=140.0, age_max_ms=150.0,
    memory_begin_mb=340.0, memory_end_mb=341.0, recording=RECORDED,
)  # fmt: skip
ALL = [
    "session", "run time", "EEG stream", "volume triggers", "one answer per TR",
    "on time", "usable answers", "heartbeat", "sequence", "control socket",
    "latency", "memory", "recording", "disk room",
]  # fmt: skip


def states(figures, **options):
    found = evaluate(figures, **options)
    return {f.name: f.state for f in found if f.state != "ok"}, found


def test_a_good_session_is_a_go():
    odd, found = states(GOOD)
    assert odd == {}
    assert [f.name for f in found] == ALL
    assert verdict_of(found) == "go"
    assert why_of(found) == []


@pytest.mark.parametrize(
    ("changes", "name", "state", "text"),
    [
        ({"returncode": 1, "said": "no disk"}, "session", "fail", "code 1: no disk"),
        ({"returncode": -9}, "session", "fail", "signal 9"),
        ({"returncode": None}, "session", "fail", "had to be killed"),
        ({"ran_s": 200.0}, "run time", "fail", "200 s of 300 s"),
        ({"stream_lost": True}, "EEG stream", "fail", "stalled or was lost"),
        ({"n_gaps": 1, "n_missing_samples": 30}, "EEG stream", "warn", "30 samples"),
        ({"n_triggers": 0}, "volume triggers", "fail", "none came"),
        ({"n_triggers": 2}, "volume triggers", "fail", "2 came"),
        ({"trigger_every_s": 2.0}, "volume triggers", "fail", "every 2.000 s"),
        ({"n_triggers_missed": 1}, "volume triggers", "fail", "1 missed"),
        ({"n_triggers_double": 2}, "volume triggers", "fail", "2 double"),
        ({"since_trigger_s": 20.0}, "volume triggers", "warn", "last 20 s"),
        ({"locked": False}, "volume triggers", "warn", "free run"),
        ({"n_volumes_missed": 1}, "one answer per TR", "fail", "1 volumes without"),
        ({"n_volumes_double": 1}, "one answer per TR", "fail", "1 with two"),
        ({"n_answers": 100}, "one answer per TR", "fail", "100 answers"),
        ({"n_late": 1}, "on time", "fail", "1 of 143"),
        ({"control_ms": None}, "control socket", "warn", "NOT REHEARSED"),
        ({"control_ms": 700.0}, "control socket", "warn", "within 700 ms"),
        ({"control_problem": "no answer"}, "control socket", "fail", "no answer"),
        ({"n_usable": 0}, "usable answers", "fail", "none was usable"),
        ({"n_usable": 100}, "usable answers", "fail", "34 not ("),
        ({"n_usable": 132}, "usable answers", "warn", "2 not ("),
        (
            {"by_status": {"ok": 9, "invalid": 60}, "n_usable": 9, "n_after_usable": 9},
            "usable answers",
            "fail",
            "60 not (",
        ),
        ({"rate_hz": None}, "EEG stream", "fail", "nothing was said"),
        (
            {"recording": replace(RECORDED, n_markers=20)},
            "recording",
            "fail",
            "142 triggers as markers",
        ),
        ({"n_measured": 0}, "measured BOLD", "warn", "a volume of this session"),
        ({"by_status": {"degraded": 9}}, "usable answers", "warn", "9 degraded"),
        ({"longest_silence_s": 2.3}, "heartbeat", "fail", "2.3 s"),
        ({"n_sequence_gaps": 3}, "sequence", "fail", "3 messages"),
        ({"age_max_ms": 2200.0}, "latency", "fail", "2200 ms at most"),
        ({"age_p99_ms": 1100.0}, "latency", "warn", "1100 ms (p99)"),
        ({"age_p99_ms": None}, "latency", "fail", "not measured"),
        ({"memory_end_mb": 355.0}, "memory", "warn", "+15.0 MB"),
        ({"memory_end_mb": 375.0}, "memory", "fail", "+35.0 MB"),
        ({"memory_end_mb": None}, "memory", "warn", "not measured"),
        ({"recording": None}, "recording", "warn", "NOT REHEARSED"),
    ],
)
def test_what_is_not_well(changes, name, state, text):
    odd, found = states(replace(GOOD, **changes))
    assert odd[name] == state
    finding = next(f for f in found if f.name == name)
    assert text in finding.found
    assert verdict_of(found) == ("no-go" if state == "fail" else "go")
    if state == "fail":
        assert any(why.startswith(f"{name}: ") for why in why_of(found))


@pytest.mark.parametrize(
    ("changes", "name", "state", "text"),
    [
        ({"problem": "is damaged"}, "recording", "fail", "is damaged"),
        ({"n_samples": 0}, "recording", "fail", "expected at least 59520"),
        ({"n_samples": 50_000}, "recording", "fail", "expected at least"),
        ({"n_parts": 2}, "recording", "fail", "in 2 parts"),
        ({"free_bytes": 100_000_000}, "disk room", "fail", "0 GB are free"),
        ({"free_bytes": 200_000_000}, "disk room", "warn", "an hour takes 0.12 GB"),
    ],
)
def test_what_is_not_well_with_the_recording(changes, name, state, text):
    odd, found = states(replace(GOOD, recording=replace(RECORDED, **changes)))
    assert odd == {name: state}
    assert text in next(f for f in found if f.name == name).found


def test_samples_that_never_came_are_not_lost_by_the_recording():
    recorded = replace(RECORDED, n_samples=50_000)
    figures = replace(GOOD, recording=recorded, n_missing_samples=10_000)
    assert "recording" not in states(figures)[0]


def test_without_a_scanner_the_rest_is_judged():
    figures = replace(GOOD, locked=False, n_triggers=0, trigger_every_s=None)
    odd, found = states(figures, without_scanner=True)
    assert odd == {"volume triggers": "warn"}
    assert "NOT REHEARSED" in next(f.found for f in found if f.state == "warn")
    assert verdict_of(found) == "go"


def test_of_a_session_that_never_began_only_that_is_said():
    empty = Figures(
        asked_s=300.0, tr_s=0.0, locked=True, returncode=1, said="no stream"
    )
    (only,) = evaluate(empty)
    assert (only.state, only.found) == ("fail", "ended with exit code 1: no stream")


def test_an_interrupted_session_is_a_no_go_and_nothing_else():
    (only,) = evaluate(replace(GOOD, interrupted=True))
    assert only.state == "fail"
    assert "interrupted" in only.found


def test_nothing_is_on_time_where_nothing_came():
    odd, _ = states(replace(GOOD, n_answers=0))
    assert odd["on time"] == "fail"


def test_measured_bold_that_came_is_well():
    odd, found = states(replace(GOOD, n_measured=130))
    assert odd == {}
    assert found[-1].found == "130 volumes came"


def test_the_page_has_a_row_for_each_check_and_says_what_it_can_do():
    rows = table("| check | NO-GO | warns | why |")
    assert list(rows) == [*ALL, "measured BOLD"]
    tried = {
        (name, state)
        for test in (test_what_is_not_well, test_what_is_not_well_with_the_recording)
        for _, name, state, _ in test.pytestmark[0].args[1]
    }
    said = {
        (name, state)
        for name, cells in rows.items()
        for state, cell in zip(("fail", "warn"), cells, strict=False)
        if cell
    }
    assert said == tried | {("on time", "fail")}


def table(head):
    """Return the cells of each row of a table in the docs by its first one."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "checks.md"
    text = page.read_text("utf-8").partition(f"{head}\n")[2].partition("\n\n")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()[1:]
    ]
    return {name: rest for name, *rest in cells}


def test_the_loop_is_silent_for_too_long_when_an_app_gives_it_up():
    at_most = replace(GOOD, longest_silence_s=DEAD_AFTER_S)
    assert "heartbeat" not in states(at_most)[0]
    longer = replace(GOOD, longest_silence_s=DEAD_AFTER_S + 0.01)
    assert states(longer)[0]["heartbeat"] == "fail"
