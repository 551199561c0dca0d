"""A whole session while a second sender of its stream's name is on the network.

The second head's EEG is three times as big: a value that was computed from it is known
by its number.
"""

import numpy as np
import pytest
from bundles import CHANNELS, ROIS, tiny_weights
from failing import TOPICS, Failing, listen_on, predicts, usable_after
from loop import END_S, Listener
from replays import as_replayed, from_row, replay
from upstream import TR_S, Upstream

pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.long,
    pytest.mark.alone,
]
GAIN = 3.0
SEEN_S = 5.0  # by then the first sender's return is seen; until then it is the other's
TOLERANCE = 0.6  # of the same noise in another window


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Stall the known sender beside the other one, end it, and bring it back."""
    root = tmp_path_factory.mktemp("other")
    with (
        Failing(root, upstream={"source_id": "first"}, record=root / "rec") as it,
        Listener(it.ports[0], (*TOPICS, "log")) as listener,
    ):
        known, moments = it.upstream, {}
        moments["first"] = predicts(listener)
        with Upstream(it.name, source_id="second", gain=GAIN):
            listen_on(listener, 2.0)
            known.eeg_flows.clear()
            listen_on(listener, 3.0)
            known.eeg_flows.set()
            moments["gone"] = predicts(listener, moments["first"] + 5.5)
            known.take_eeg_down()
            predicts(listener, moments["gone"] + 1.0)
            listen_on(listener, 2 * TR_S)
            moments["back"] = known.bring_eeg_back()
            predicts(listener, moments["back"] + SEEN_S)
            listen_on(listener, 2 * TR_S)
        stop(it)
        (xdf,) = [p for p in (root / "rec").rglob("*_eeg.xdf") if "part" not in p.name]
        moments["replayed"] = replay(xdf, it.bundle, root / "again.tsv")
        yield listener, moments


def stop(it):
    it.running.process.terminate()
    it.running.wait(END_S)


def between(listener, begin_s, end_s):
    found = [m for m in usable_after(listener, begin_s) if m["window"]["t_end"] < end_s]
    assert found
    return found


def values(messages):
    return np.array([m["values"] for m in messages])


def test_the_known_sender_is_never_taken_for_the_other(heard):
    listener, moments = heard
    first = between(listener, 0.0, moments["first"])
    after_the_stall = between(listener, moments["first"] + 2.0, moments["gone"])
    known_again = between(listener, moments["back"] + SEEN_S, np.inf)
    for messages in (first, after_the_stall, known_again):
        assert not any("stream_changed" in m["reasons"] for m in messages)
        assert np.ptp([*values(first), *values(messages)], axis=0).max() < TOLERANCE


def test_every_value_of_the_other_sender_is_degraded(heard):
    listener, moments = heard
    others = between(listener, moments["gone"] + 1.0, moments["back"])
    assert {m["status"] for m in others} == {"degraded"}
    assert all("stream_changed" in m["reasons"] for m in others)
    weights = tiny_weights(len(CHANNELS), len(ROIS))
    bigger = 2 * np.log(GAIN) * weights.sum(axis=0)
    first = values(between(listener, 0.0, moments["first"]))[0]
    assert np.abs(values(others) - (first + bigger)).max() < 2 * TOLERANCE
    assert np.abs(bigger).max() > 10 * TOLERANCE


def test_it_is_said_in_quality_and_log(heard):
    listener, moments = heard
    said = [m["text"] for m in listener.of("log")]
    assert sum("another sender of the same name is read" in text for text in said) == 1
    assert sum("comes from its first sender again" in text for text in said) == 1
    assert any("1 other stream is there" in text for text in said)
    seen = [m for m in listener.of("quality") if "other_sender" in m]
    assert seen
    assert {m["other_sender"] for m in seen} == {seen[0]["other_sender"]}
    assert "'second' instead of 'first'" in seen[0]["other_sender"]
    assert all(moments["gone"] < m["t_lsl"] < moments["back"] + SEEN_S for m in seen)


def test_a_replay_marks_what_the_session_marked(heard):
    listener, moments = heard
    again = [from_row(row) for row in moments["replayed"]]
    published = [as_replayed(m) for m in listener.of("pred.roi")]
    assert again[: len(published)] == published
