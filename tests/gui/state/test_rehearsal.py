import json
from dataclasses import fields, replace
from datetime import datetime

import pytest

from rtbold.gui.state.rehearsal import (
    KNOWN,
    LEFT_OUT,
    Rehearsal,
    as_html,
    figure_rows,
    figure_words,
    rehearsed_words,
)
from rtbold.preflight.go_no_go import Figures


def read(*said):
    rehearsal = Rehearsal()
    for each in said:
        rehearsal = rehearsal.with_line(json.dumps(each))
    return rehearsal


def stage(name, elapsed_s, remaining_s, text=""):
    return {
        "stage": name, "elapsed_s": elapsed_s, "remaining_s": remaining_s, "text": text
    }  # fmt: skip


def test_stages_come_with_time_left():
    rehearsal = read(stage("session", 60, 240, "volume 28"))
    assert (rehearsal.stage, rehearsal.elapsed_s, rehearsal.remaining_s) == (
        "session",
        60,
        240,
    )
    assert rehearsal.share == pytest.approx(0.2)
    assert rehearsal.said == ("volume 28",)


def test_the_same_words_are_not_repeated():
    rehearsal = read(*[stage("session", n, 1, "listening") for n in range(1000)])
    assert rehearsal.said == ("listening",)


def test_the_verdict_comes_last():
    rehearsal = read(
        stage("preflight", 1, None),
        {"check": {"name": "triggers", "state": "fail", "found": "none came"}},
        {
            "verdict": "no-go",
            "why": ["no trigger came"],
            "figures": {"latency_p99_ms": 12.3456, "n_volumes": 0},
            "page": "/tmp/p.html",
        },
    )
    assert rehearsal.verdict == "no-go"
    assert rehearsal.why == ("no trigger came",)
    assert rehearsal.checks[0].found == "none came"
    assert rehearsal.page == "/tmp/p.html"
    assert rehearsal.share == 1.0


def test_nothing_is_known_at_first():
    rehearsal = read(stage("preflight", 3, None))
    assert rehearsal.remaining_s is None
    assert rehearsal.share == 0.0
    assert read({"verdict": "maybe"}).verdict is None
    assert Rehearsal().with_line("rtbold: broken") == Rehearsal()


def test_figures_for_people():
    assert figure_words("latency_p99_ms", 12.3456) == ("latency p99", "12.35 ms")
    statuses = {"ok": 12, "invalid": 1}
    assert figure_words("n_by_status", statuses)[1] == "12 ok, 1 invalid"
    assert figure_words("gaps_s", [0.5, 1]) == ("gaps", "0.5, 1 s")
    assert figure_words("triggers", True) == ("triggers", "yes")
    assert figure_words("n_volumes", 12) == ("n volumes", "12")
    assert figure_words("memory_growth_mb", None) == ("memory growth", "unknown")


def test_every_figure_of_a_rehearsal_has_words():
    names = {field.name for field in fields(Figures)}
    assert names == set(KNOWN) | LEFT_OUT
    assert not set(KNOWN) & LEFT_OUT


def test_figures_come_in_reading_order_and_the_unknown_last():
    recording = {"path": "here", "problem": "", "n_samples": 5, "n_markers": 2,
                 "n_bytes": 2_000_000}  # fmt: skip
    given = {"news": 3, "recording": recording, "locked": True, "n_volumes": 28,
             "by_reason": {"no_data": 2}, "said": ""}  # fmt: skip
    assert figure_rows(given) == [
        ("volumes", "28"),
        ("reasons", "2 no data"),
        ("recording", "5 samples, 2 markers, 2.0 MB, in here"),
        ("news", "3"),
    ]
    assert figure_words("recording", {"problem": "gone"})[1] == "gone"


def test_the_page_escapes_what_came_from_outside():
    hostile = "<script>1</script>"
    check = {"name": hostile, "state": "fail", "found": "a\nb", "advice": hostile}
    page = as_html(
        read({"check": check}, {"verdict": "no-go", "why": [hostile]}), title=hostile
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;1&lt;/script&gt;") == 5
    assert "a<br>b" in page
    assert "→ &lt;script" in page


def test_the_set_up_page_says_what_was_rehearsed_and_when():
    made_for = ("run", "--stream", "cap")
    assert rehearsed_words(Rehearsal(), made_for) == "Not rehearsed yet."
    running = Rehearsal(made_for=made_for, running=True)
    assert rehearsed_words(running, made_for) == "◌ A rehearsal is running."
    at = datetime(2026, 11, 23, 21, 28, 40).timestamp()
    done = Rehearsal(made_for=made_for, verdict="go", done_unix_s=at)
    assert rehearsed_words(done, made_for) == "● rehearsed GO 21:28"
    assert rehearsed_words(replace(done, simulated=True), made_for) == (
        "● rehearsed GO 21:28, SIMULATED"
    )
    other = ("run", "--stream", "other")
    assert rehearsed_words(done, other) == (
        "● rehearsed GO 21:28; you changed the EEG stream since"
    )
    stopped = replace(done, verdict=None, stopped=True)
    assert rehearsed_words(stopped, made_for) == "□ rehearsed STOPPED 21:28"
