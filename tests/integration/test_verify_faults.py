"""Five recorded sessions, four of them with a fault: each verifies to the last bit.

Real processes; a tiny model of random weights, as nobody asks here what it predicts.
"""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil
import pylsl
import pytest
from failing import Failing, listen_on, predicts
from loop import END_S, PATIENCE_S, Rtbold
from upstream import TR_S

from rtbold.acquire import inlet
from rtbold.record.left_over import read_note

pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.long,
    pytest.mark.alone,
]


def nothing(it):
    listen_on(it.listener, 3 * TR_S)


def stall(it):
    it.upstream.eeg_flows.clear()
    listen_on(it.listener, 3.0)
    it.upstream.eeg_flows.set()
    predicts(it.listener, pylsl.local_clock())


def another_source_id(it):
    it.upstream.take_eeg_down()
    listen_on(it.listener, 4.0)
    predicts(it.listener, it.upstream.bring_eeg_back(order=-1))


def dead_inlets(it):
    killed_s = pylsl.local_clock()
    for child in psutil.Process(it.running.pid).children():
        if inlet.__name__ in " ".join(child.cmdline()):
            child.kill()
    predicts(it.listener, killed_s + 3.0)


def dead_recorder_twice(it):
    for _ in range(2):
        (note,) = it.root.rglob("recorder.json")
        for part in read_note(note):
            os.kill(part.pid, signal.SIGKILL)
        listen_on(it.listener, 8.0)
    predicts(it.listener, pylsl.local_clock())


FAULTS = (nothing, stall, another_source_id, dead_inlets, dead_recorder_twice)


def verified(fault, root):
    """Record a session with this fault; return what verify says of it."""
    with Failing(root, record=root / "rec") as it:
        it.root = root
        try:
            predicts(it.listener)
        except AssertionError as error:
            raise AssertionError(it.running.said()) from error
        fault(it)
        it.running.process.terminate()
        it.running.wait(END_S)
        n = len(it.listener.of("pred.roi"))
    options = ("--model", it.bundle.path, "--json")
    with Rtbold("verify", root / "rec", *options) as child:
        code = child.wait(2 * PATIENCE_S)
        return code, json.loads(child.said()), n


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        yield {
            fault: pool.submit(verified, fault, tmp_path_factory.mktemp("verify"))
            for fault in FAULTS
        }


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_published_comes_out_again(running, fault):
    code, found, n = running[fault].result(300)
    assert (code, found["verdict"]) == (0, "identical"), found
    assert found["n_compared"]["pred.roi"] >= n > 8
    assert found["n_compared"]["pred.fb"] == found["n_compared"]["pred.roi"]
    assert found["largest"] == 0.0
