"""Faults as they come: real streams and processes, four sessions.

The sessions run at once; each is made to fail when it has predicted for the first time.
"""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pylsl
import pytest
from bundles import CHANNELS, ROIS, tiny_weights
from failing import Failing, listen_on, predicts, usable_after
from loop import PATIENCE_S, Rtbold
from replays import as_replayed, from_row, replay
from upstream import NOISE_UV, RATE_HZ, TR_S

from rtbold.acquire import inlet
from rtbold.files.read import read_recording
from rtbold.record.folder import NOTE_NAME
from rtbold.record.left_over import end_left_over

# Three windows of 16 s one after the other, in four sessions at once
pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.long,
    pytest.mark.alone,
]
WINDOW_S = 16.0
FOUND_AGAIN_S = 3.0  # a stream that is back, or an inlet process that is started anew
DEAD_AFTER_S = 2.0  # without a heartbeat an app gives the publisher up


def stall(root):
    """Fault 11: nothing comes for 3 s."""
    with Failing(root) as it:
        predicts(it.listener)
        stalled_s = pylsl.local_clock()
        it.upstream.eeg_flows.clear()
        listen_on(it.listener, 3.0)
        it.upstream.eeg_flows.set()
        back_s = pylsl.local_clock()
        predicts(it.listener, back_s)
        return it.listener, stalled_s, back_s


def restart(root):
    """Faults 1 and 4: the sender comes back, new source id, channels in other order."""
    with Failing(root) as it:
        predicts(it.listener)
        gone_s = pylsl.local_clock()
        it.upstream.take_eeg_down()
        listen_on(it.listener, 4.0)
        back_s = it.upstream.bring_eeg_back(order=-1)
        predicts(it.listener, back_s)
        return it.listener, gone_s, back_s


def scanner_stops_then_inlets_die(root):
    """Faults 14, 27 and 17, in one session."""
    with Failing(root) as it:
        predicts(it.listener)
        stopped_s = pylsl.local_clock()
        it.upstream.triggers_flow.clear()
        listen_on(it.listener, 5.5 * TR_S)
        it.upstream.triggers_flow.set()
        again_s = pylsl.local_clock()
        predicts(it.listener, again_s)
        killed_s = pylsl.local_clock()
        for child in psutil.Process(it.running.pid).children():
            if inlet.__name__ in " ".join(child.cmdline()):
                child.kill()
        predicts(it.listener, killed_s + FOUND_AGAIN_S)
        return it.listener, stopped_s, again_s, killed_s


def verified(folder):
    """Return what ``rtbold verify`` says of a session."""
    with Rtbold("verify", folder, "--json") as child:
        child.wait(2 * PATIENCE_S)
        return json.loads(child.said())


def whole_process_dies(root):
    """Fault 22: SIGKILL of `rtbold run` while it records; then a new one."""
    with Failing(root, record=root / "rec") as it:
        predicts(it.listener)
        listen_on(it.listener, 2 * TR_S)
        killed_s = pylsl.local_clock()
        os.kill(it.running.pid, signal.SIGKILL)
        it.running.wait(10)
        n_before = len(it.listener.messages)
        dead = it.listener.until(lambda heard: not heard.feed.alive, 10.0)
        (note,) = (root / "rec").rglob(NOTE_NAME)
        time.sleep(1.0)
        pids = end_left_over(note)
        psutil.wait_procs([psutil.Process(pid) for pid in pids], timeout=20)
        first, published = it.listener.feed.session, it.listener.of("pred.roi")
        with it.start() as second:
            accepted = it.listener.until(
                lambda heard: (
                    len(heard.messages) > n_before
                    and heard.of("pred.roi")[len(published) :]
                ),
                PATIENCE_S,
            )
            assert accepted, second.said()
        (xdf,) = (root / "rec").rglob("*_eeg.xdf")
        rows = replay(xdf, it.bundle, root / "killed.tsv")
        return {
            "dead": dead,
            "session": (first, it.listener.feed.session),
            "n_sessions": it.listener.feed.n_sessions,
            "recorded": read_recording(xdf),
            "killed_s": killed_s,
            "published": published,
            "rows": rows,
            "verified": verified(xdf.parent),
            "left": [p.name for p in xdf.parent.iterdir()],
        }


SCENARIOS = (stall, restart, scanner_stops_then_inlets_die, whole_process_dies)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {
            scenario: pool.submit(scenario, tmp_path_factory.mktemp("fault"))
            for scenario in SCENARIOS
        }


def check_nothing_old_was_predicted_from(listener, stopped_s, back_s):
    """Every volume after the loss is null until a whole window lies after it."""
    during = [
        m
        for m in listener.of("pred.roi")
        if stopped_s < m["window"]["t_end"] < back_s + WINDOW_S
    ]
    assert during
    assert during[0]["window"]["t_end"] - stopped_s <= TR_S + 0.2
    assert {m["status"] for m in during} <= {"invalid", "paused", "warmup"}
    assert all(m["values"] is None for m in during)
    feedback = [
        m
        for m in listener.of("pred.fb")
        if stopped_s < m["window"]["t_end"] < back_s + WINDOW_S
    ]
    assert all(m["value"] is None for m in feedback)
    assert len(feedback) == len(during)
    # told before the next volume, not when somebody asks
    assert max(m["age_ms"] for m in during) < 1000 * TR_S


def first_usable_after_s(listener, back_s):
    return usable_after(listener, back_s)[0]["window"]["t_end"] - back_s


def check_heartbeats_never_stopped(listener):
    beats_s = [m["t_lsl"] for m in listener.of("hb")]
    assert len(beats_s) > 40
    assert np.diff(beats_s).max() < DEAD_AFTER_S


def check_volumes_were_counted_on(listener):
    index = [m["volume_index"] for m in listener.of("pred.roi")]
    counted = [k for k in index if k is not None]
    assert counted == sorted(set(counted))


def test_a_stall_of_three_seconds(running):
    listener, stalled_s, back_s = running[stall].result(150)
    check_nothing_old_was_predicted_from(listener, stalled_s, back_s)
    assert first_usable_after_s(listener, back_s) <= WINDOW_S + TR_S + 0.5
    check_heartbeats_never_stopped(listener)
    check_volumes_were_counted_on(listener)
    states = {m["stream_state"] for m in listener.of("quality")}
    assert "stalled" in states


def test_an_upstream_that_comes_back_under_a_new_source_id(running):
    listener, gone_s, back_s = running[restart].result(150)
    check_nothing_old_was_predicted_from(listener, gone_s, back_s)
    bound_s = WINDOW_S + TR_S + FOUND_AGAIN_S
    assert first_usable_after_s(listener, back_s) <= bound_s
    check_heartbeats_never_stopped(listener)
    check_volumes_were_counted_on(listener)
    # Each channel has a power of its own, and each its weight in the model: channels
    # that are taken for others give another number.
    before = usable_after(listener, 0.0)[0]["values"]
    after = usable_after(listener, back_s)[0]["values"]
    np.testing.assert_allclose(after, before, atol=0.6)
    weights = tiny_weights(len(CHANNELS), len(ROIS))
    mistaken = 2 * (np.log(NOISE_UV[::-1]) - np.log(NOISE_UV)) @ weights
    assert np.abs(mistaken).max() > 2.0


def test_a_scanner_that_stops_pauses_the_session(running):
    listener, stopped_s, again_s, _ = running[scanner_stops_then_inlets_die].result(150)
    without = [
        m
        for m in listener.of("pred.roi")
        if stopped_s + 0.1 < m["window"]["t_end"] < again_s
    ]
    bridged, paused = without[:2], without[2:]
    assert [m["trigger_locked"] for m in without] == [False] * len(without)
    assert all(m["values"] is not None for m in bridged)
    assert len(paused) >= 2
    assert {m["status"] for m in paused} == {"paused"}
    assert all("triggers_lost" in m["reasons"] for m in paused)
    assert all(m["values"] is None for m in paused)
    assert {m["volume_index"] for m in paused} == {None}
    # It is no free run, and it comes back by itself: once the window holds nothing of
    # the time in which the scanner may have stood still.
    again = usable_after(listener, again_s)[0]
    assert again["trigger_locked"]
    assert WINDOW_S < again["window"]["t_end"] - again_s <= WINDOW_S + 2 * TR_S


def test_killed_inlet_processes_are_replaced(running):
    listener, *_, killed_s = running[scanner_stops_then_inlets_die].result(150)
    check_heartbeats_never_stopped(listener)
    after = usable_after(listener, killed_s + FOUND_AGAIN_S)
    bound_s = WINDOW_S + TR_S + FOUND_AGAIN_S
    assert after[0]["window"]["t_end"] - killed_s <= bound_s
    holes = [
        m
        for m in listener.of("pred.roi")
        if killed_s + 0.5 < m["window"]["t_end"] < killed_s + WINDOW_S
    ]
    assert holes
    assert all(m["values"] is None for m in holes)


def test_a_killed_session_leaves_a_readable_recording(running):
    found = running[whole_process_dies].result(150)
    recording = found["recorded"]
    assert recording.stamps_s[-1] > found["killed_s"] - 1.0
    assert recording.data_uv.shape[1] > WINDOW_S * RATE_HZ
    assert NOTE_NAME not in found["left"]
    # What had been published comes out again, and perhaps what was due when it died.
    again = [from_row(row) for row in found["rows"]]
    published = [as_replayed(m) for m in found["published"]]
    assert again[: len(published)] == published
    assert any(m["values"] is not None for m in found["published"])
    assert found["verified"]["verdict"] == "identical", found["verified"]
    assert len(again) <= len(published) + 1


def test_clients_notice_the_death_and_accept_the_next_session(running):
    found = running[whole_process_dies].result(150)
    assert found["dead"]
    first, second = found["session"]
    assert first != second
    assert found["n_sessions"] == 2
