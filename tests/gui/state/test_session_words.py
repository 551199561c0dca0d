import re

import pytest
from feed_messages import TR_S, Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.session_words import stale_words, tr_facts
from rtbold.gui.state.words import span_words, wall_words


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    return made


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3725, "1:02:05"), (-4, "0:00")],
)
def test_spans(seconds, words):
    assert span_words(seconds) == words


def test_wall_clock():
    assert re.fullmatch(r"\d\d:\d\d:\d\d", wall_words(1.79e12))
    assert wall_words(None) == ""
    assert wall_words(1e30) == ""
    assert wall_words(float("nan")) == ""


def test_nothing_is_said_while_all_is_alive(session):
    session.tick()
    assert stale_words(session.state, session.now_s + 0.2) == ""


def test_silence_is_said_within_two_seconds_with_the_last_values_time(session):
    session.tick()
    words = stale_words(session.state, session.now_s + 1.9)
    assert words.startswith("NO HEARTBEAT for 2 s") or "for 1 s" in words
    assert re.search(r"\nlast prediction \d\d:\d\d:\d\d$", words)


def test_an_empty_window_says_why():
    assert stale_words(DashboardState(), 0.0) == "NO SESSION"


def test_the_share_of_the_tr_runs_from_the_newest_trigger(session):
    session.tick()
    at = session.now_s
    facts = tr_facts(session.state, at)
    assert facts.share == pytest.approx(0.1 / 2.1)
    assert facts.volume == "0"
    assert facts.tr == "TR 2.1 s"
    session.wait(2.1)
    assert tr_facts(session.state, session.now_s).share == pytest.approx(2.2 / 2.1)
    session.send("trigger", volume=1)  # its prediction comes 0.1 s later
    assert tr_facts(session.state, session.now_s).share == pytest.approx(0.1 / 2.1)


def test_a_doubled_trigger_does_not_begin_a_volume(session):
    session.tick()
    session.wait(1.0)
    session.send("trigger", kind="double", volume_index=None)
    share = tr_facts(session.state, session.now_s).share
    assert share == pytest.approx(1.1 / 2.1)


@pytest.mark.parametrize(
    ("step_s", "words"),
    [(0.0, "on time"), (0.012, "12 ms late"), (-0.012, "12 ms early")],
)
def test_how_the_last_trigger_came(session, step_s, words):
    session.tick()
    session.now_s += step_s
    session.tick()
    assert tr_facts(session.state, session.now_s).step.endswith(words)


def test_missed_and_doubled_triggers(session):
    session.tick()
    session.send("quality", n_triggers_missed=3, n_triggers_double=1)
    assert tr_facts(session.state, session.now_s).counts == "3 missed, 1 double"


def test_without_triggers_it_says_so(session):
    session.tick(trigger_locked=False)
    assert tr_facts(session.state, session.now_s).step == "timed without a trigger"


def test_before_anything_came():
    facts = tr_facts(DashboardState(), 1.0)
    assert facts.share is None
    assert facts.volume == facts.counts == ""


def test_a_tr_of_nothing_stops_no_clock():
    session = Played(DashboardState())
    session.hello()
    session.tick()
    session.send("pred.fb", volume=1, t_trigger=1000.0, next_due_lsl=1000.0)
    assert session.state.tr_s == pytest.approx(TR_S)
    assert tr_facts(session.state, session.now_s).share is not None
