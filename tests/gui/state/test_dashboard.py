import math
from dataclasses import replace

import numpy as np
import pytest
from feed_messages import (
    LAG_S,
    ROIS,
    TR_S,
    Played,
    channel_names,
    link,
    received,
    roi_names,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received import Link
from rtbold.wire import ChannelPart


@pytest.fixture
def state():
    return DashboardState()


@pytest.fixture
def played(state):
    session = Played(state)
    session.hello()
    session.wait(0.1)
    return session


def texts(state, level=None):
    return [e.text for e in state.log.entries if level in (None, e.level)]


def test_an_empty_state_says_so(state):
    assert (state.hello, state.fb, state.prediction, state.bye) == (None,) * 4
    assert state.headline(1.0).word == "NO SESSION"
    assert state.shown(1.0).kind == "neutral"
    assert (state.lsl_now_s(1.0), state.tr_s) == (None, TR_S)
    assert math.isinf(state.silent_s(1.0))
    assert len(state.history.view()) == 0


def test_the_newest_of_each_kind_is_there(state, played):
    played.tick()
    for topic in ("bands", "phase", "truth", "eeg", "log"):
        played.send(topic)
    for kind in ("hello", "link", "fb", "prediction", "quality", "bands", "trigger",
                 "beat", "phase", "truth"):  # fmt: skip
        assert getattr(state, kind) is not None, kind
        assert state.versions[kind] >= 1, kind
    assert state.bye is None
    played.send("bye", reason="end")
    assert state.bye.reason == "end"


def test_versions_count_only_what_changed(state, played):
    played.tick()
    before = dict(state.versions)
    played.send("bands")
    changed = {kind for kind, n in state.versions.items() if n != before[kind]}
    assert changed == {"bands"}


def test_the_publishers_clock_comes_from_the_link(state, played):
    assert state.lsl_now_s(played.now_s) == pytest.approx(played.now_s + LAG_S)


# The headline


@pytest.mark.parametrize(
    ("status", "reasons", "word", "why", "do"),
    [
        ("ok", (), "OK", "", ""),
        ("degraded", ("interpolated",), "DEGRADED", "filled in", "head map"),
        ("invalid", ("no_data",), "INVALID", "no EEG", "amplifier"),
        ("warmup", ("warmup",), "WARM-UP", "16 s", "Wait"),
        ("paused", ("waiting_for_scanner",), "PAUSED", "first volume", "Start"),
    ],
)
def test_headline_of_each_status(state, played, status, reasons, word, why, do):
    played.tick(status, reasons)
    found = state.headline(played.now_s)
    assert (found.level, found.word, found.stale) == (status, word, False)
    assert why in found.why
    assert do in found.do


def test_an_informing_reason_comes_last(state, played):
    played.tick("degraded", ("upstream_delay_unknown", "bridged"))
    found = state.headline(played.now_s)
    assert found.why.index("bridged") < found.why.index("cleaning software")


def test_what_is_not_real_is_named(state, played):
    played.send("hello", simulated_stream=True)
    played.tick(model_origin="simulated")
    found = state.headline(played.now_s)
    assert found.level == "ok"
    assert "SIMULATED EEG" in found.why
    assert "model of simulated data" in found.why


def test_silence_is_said_within_two_seconds_and_beats_the_status(state, played):
    played.tick()
    heard_s = played.now_s - 0.1
    assert state.headline(heard_s + 1.4).level == "ok"
    found = state.headline(heard_s + 1.6)
    assert (found.level, found.word, found.stale) == (
        "silent",
        "NO HEARTBEAT for 1 s",
        True,
    )
    assert state.headline(heard_s + 12.3).word == "NO HEARTBEAT for 12 s"


def test_a_link_that_itself_stands_still_is_told_apart(state, played):
    played.tick()
    found = state.headline(played.now_s + 5)
    assert "own reader has stopped" in found.why
    played.now_s += 5
    played.link(silent_s=5.1, alive=False)
    assert "crashed" in state.headline(played.now_s).why


def test_heartbeats_without_predictions_are_stalled(state, played):
    played.tick()
    for _ in range(4):
        played.wait(0.75)
    assert state.headline(played.now_s).level == "ok"
    played.wait(0.4)
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("silent", "STALLED for 3 s")


def test_no_prediction_at_all_is_stalled_when_the_link_says_so(state, played):
    assert state.headline(played.now_s).word == "STARTING"
    played.wait(4, stalled=True)
    assert state.headline(played.now_s).word == "STALLED"


def test_a_stream_that_stands_still_is_said_before_the_next_volume(state, played):
    played.tick()
    played.now_s += 0.7
    played.send("hb", state="stalled", stream_age_ms=1200.0)
    played.link()
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("invalid", "NO EEG")
    assert "1 s old" in found.why


def test_no_eeg_yet_is_no_fault(state, played):
    played.send("hb", state="stalled", stream_age_ms=None)
    assert state.headline(played.now_s).level == "warmup"
    assert state.headline(played.now_s).word == "NO EEG YET"


def test_an_ended_session_says_so_whatever_time_goes_by(state, played):
    played.tick()
    played.send("bye")
    assert state.headline(played.now_s).word == "ENDED"
    assert state.headline(played.now_s + 100).word == "ENDED"
    played.send("bye", reason="failed")
    assert "fault" in state.headline(played.now_s).why


def test_another_version_and_a_wrong_address_in_words(state):
    state.take(Link(t_s=5.0, heard=True, foreign_schema="rtbold.hb/2"), 5.0)
    found = state.headline(5.0)
    assert (found.level, found.word) == ("none", "OTHER VERSION")
    assert "rtbold.hb/2" in found.why
    state.take(Link(t_s=6.0, error="'tcp:/x' is no address"), 6.0)
    assert state.headline(6.0).word == "NO CONNECTION"
    assert "'tcp:/x' is no address" in state.headline(6.0).why
    assert texts(state, "error") == [
        "a feed of another version speaks: rtbold.hb/2",
        "no connection: 'tcp:/x' is no address",
    ]


def test_another_version_beside_a_living_session_does_not_hide_it(state, played):
    played.tick()
    played.link(foreign_schema="rtbold.hb/2")
    assert state.headline(played.now_s).level == "ok"


# What is shown


def test_a_value_is_shown_held_for_one_tr_and_then_neutral(state, played):
    played.tick(value=0.5)
    shown = state.shown(played.now_s)
    assert (shown.kind, shown.value, shown.low, shown.flips) == (
        "value",
        0.5,
        -0.5,
        1,
    )
    played.tick("invalid", ("gap",))
    shown = state.shown(played.now_s)
    assert (shown.kind, shown.value, shown.flips) == ("hold", 0.5, 1)
    played.tick("invalid", ("gap",))
    played.wait(0.1)
    assert state.shown(played.now_s).kind == "neutral"
    assert state.shown(played.now_s).value is None
    played.tick(value=0.1)
    assert state.shown(played.now_s).flips == 2


def test_a_stalled_feed_is_neutral_after_two_trs(state, played):
    played.tick()
    played.wait(1.5 * TR_S + 0.1)
    assert state.shown(played.now_s).kind == "hold"
    played.wait(0.5 * TR_S)
    assert state.shown(played.now_s).kind == "neutral"


def test_silence_and_a_goodbye_are_neutral_at_once(state, played):
    played.tick()
    assert state.shown(played.now_s + 1.8).kind == "value"
    assert state.shown(played.now_s + 1.95).kind == "neutral"
    played.send("bye")
    assert state.shown(played.now_s).kind == "neutral"


def test_a_backlog_is_no_news(state, played):
    """The window froze for a minute: what was queued is as old as its stamps say."""
    old_s = played.now_s + LAG_S
    played.now_s += 60
    played.wait(0.0)
    played.send("pred.fb", t_lsl=old_s, value=0.9)
    assert state.shown(played.now_s).kind == "neutral"
    assert state.headline(played.now_s).level == "silent"


def test_without_a_heartbeat_nothing_is_shown(state):
    state.take(Link(t_s=5.0, heard=True), 5.0)
    state.take(received("pred.fb"), 5.0)
    assert state.shown(5.0).kind == "neutral"


def test_the_tr_of_the_newest_message_holds(state, played):
    played.send("pred.fb", t_trigger=1010.0, next_due_lsl=1011.5)
    assert state.tr_s == 1.5


# Sessions


def test_another_session_empties_all_but_the_log_and_is_summed_up(state, played):
    for _ in range(3):
        played.tick()
    played.eeg(np.ones((4, 20), np.float32))
    played.link(session="another")
    assert (state.hello, state.fb, state.quality, state.beat) == (None,) * 4
    assert (len(state.history), state.scope.n_channels, state.counts.n_volumes) == (
        0,
        0,
        0,
    )
    assert len(state.finished) == 1
    assert state.finished[0].n_volumes == 3
    assert texts(state)[-1] == "session another is heard"
    assert state.shown(played.now_s).kind == "neutral"
    assert state.headline(played.now_s).word == "STARTING"


def test_the_first_session_keeps_what_came_before_its_name(state):
    state.take(received("pred.fb", volume=0), 5.0)
    state.take(link(5.0), 5.0)
    assert state.fb is not None
    assert state.finished == ()


def test_many_sessions_are_not_kept_for_ever(state, played):
    for k in range(100):
        played.link(session=f"s{k}")
    assert len(state.finished) == 20


def test_lost_and_found_heartbeats_are_logged(state, played):
    played.link(alive=False)
    played.link()
    assert texts(state)[-2:] == [
        "no heartbeat: the session is silent",
        "heartbeats come",
    ]


# ROIs


def test_predictions_before_hello_wait_for_their_names(state):
    played = Played(state)
    played.link()
    played.tick()
    assert state.prediction is None
    assert len(state.history.rois) == 0
    played.hello()
    assert state.prediction is not None
    np.testing.assert_allclose(state.history.view().values[0], 0.42)
    assert state.history.rois == ROIS


@pytest.mark.parametrize(
    "changes", [{"values": (1.0,) * 5}, {"roi_hash": "0123456789ab"}]
)
def test_a_prediction_of_other_rois_is_told_once_and_not_drawn(state, played, changes):
    played.tick()
    for volume in (1, 2):
        played.send("pred.roi", volume=volume, **changes)
    assert state.prediction.volume_index == 0
    errors = texts(state, "error")
    assert len([text for text in errors if "expected 3" in text]) <= 2
    assert len(errors) == len(set(errors)) == 1


def test_hello_again_changes_nothing_and_with_other_rois_all(state, played):
    played.tick()
    played.send("hello", clock_uncertainty_ms=2.0)
    assert len(state.history) == 1
    played.send("hello", rois=roi_names(5))
    assert len(state.history) == 0
    assert "other ROIs" in texts(state, "warning")[-1]


def test_bad_channels_are_named(state, played):
    parts = [{"label": "Cz", "state": "flat"}, {"label": "O1", "state": "good"}]
    played.send("quality", channels=tuple(ChannelPart(**part) for part in parts))
    assert state.bad_channels() == {"Cz"}


def test_the_sessions_log_is_kept_with_its_time(state, played):
    played.send("log", level="warning", text="Cz is flat")
    entry = state.log.entries[-1]
    assert (entry.text, entry.level, entry.source) == (
        "Cz is flat",
        "warning",
        "session",
    )
    assert entry.t_unix_ms is not None


def test_the_age_is_of_the_eeg_and_grows(state, played):
    played.tick()
    assert state.age_s(played.now_s) == pytest.approx(0.1)
    assert state.age_s(played.now_s + 1) == pytest.approx(1.1)


def test_an_hour_with_64_channels_keeps_every_buffer_at_its_size(state):
    """Bodies of some seconds, again and again with other numbers."""
    played = Played(state, rois=roi_names(64), channels=channel_names(64))
    played.hello()
    block = received("eeg", data_uv=np.zeros((64, 20), np.float32))
    n_ticks = round(3600 / TR_S)
    sizes = []
    for k in range(n_ticks + 600):
        played.tick()
        for n in range(21):  # ten blocks a second
            index = (21 * k + n) * 20
            t_s = 5.0 + index / 200
            state.take(replace(block, sample_index=index, t_first=t_s), played.now_s)
        if k % 2 == 0:
            played.send("log", text=f"line {k}")
        if k % 8 == 0:
            played.send("truth", volume=max(0, k - 2), rois=played.rois)
        if k in (n_ticks, n_ticks + 599):
            sizes.append(_sizes(state))
    assert sizes[0] == sizes[1]
    assert len(state.history) == 2000
    assert sizes[0]["log"] == 500
    assert sizes[0]["scope"] == 64 * 2400 * 4


def _sizes(state):
    rows = state.history.view()
    return {
        "log": len(state.log.entries),
        "scope": state.scope._ring.nbytes,
        "history": rows.values.base.nbytes,
        "latency": sum(q.maxlen for q in state.latency._ms.values()),
        "unpainted": len(state.latency._unpainted),
        "channels": len(state.counts.channel_looks),
        "ahead": len(state.history._ahead),
        "early": len(state._early),
    }
