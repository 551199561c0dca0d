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
from rtbold.publish.wire import ChannelPart


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


def test_a_frame_gives_way_to_a_prediction_that_is_due(state, played):
    assert not state.gives_way(played.now_s)
    played.tick()
    due_s = played.now_s + TR_S  # a TR after it was published, as the one before
    offset_s = state.lsl_now_s(played.now_s) - state.fb.t_lsl
    near = [state.gives_way(due_s - offset_s + by_s) for by_s in
            (-0.5, -0.035, -0.025, 0.0, 0.004, 0.01, 0.5)]  # fmt: skip
    assert near == [False, False, True, True, True, False, False]
    state.disconnect()
    assert not state.gives_way(due_s)


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
    assert sizes[0]["scope"] == 64 * 4400 * 4


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
