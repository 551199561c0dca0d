"""The window gives way; the session that it starts, its inlets and LabRecorder do not.

Priority is handed down from process to process, and a session must not be late because
a window started it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from bundles import write_tiny
from loop import PATIENCE_S, environment, free_ports, new_name, twin

from rtbold.acquire import inlet
from rtbold.session.machine import NICENESS, lowest_allowed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities"),
]
WINDOW = Path(__file__).parents[1] / "support" / "starting_window.py"
PARTS = (inlet.__name__, "LabRecorder")  # of the command lines of its children
SPARE_S = 60


def priority(pid):
    return os.getpriority(os.PRIO_PROCESS, pid), os.sched_getscheduler(pid)


def of_all_threads(process):
    return {priority(thread.id) for thread in process.threads()}


@pytest.fixture
def started(tmp_path):
    """The window and the session that it started, once it records."""
    name, bundle, ports = new_name("priority"), write_tiny(tmp_path), free_ports()
    words = [
        "run", "--model", bundle.path, "--stream", f"{name}-eeg",
        "--trigger-stream", f"{name}-markers", "--trigger", "R128",
        "--wait", PATIENCE_S, "--record", tmp_path / "rec", "--duration", SPARE_S,
        "--port", ports[0], "--control-port", ports[1],
    ]  # fmt: skip
    line = [sys.executable, WINDOW, tmp_path / "gui.ini", *words]
    with (
        twin(name, duration_s=PATIENCE_S + SPARE_S),
        subprocess.Popen(
            [str(word) for word in line],
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "QT_QPA_PLATFORM": "offscreen"},
        ) as window,
    ):
        session = psutil.Process(int(window.stdout.readline()))
        try:
            yield psutil.Process(window.pid), session, parts(session)
        finally:
            window.terminate()
            session.terminate()
            psutil.wait_procs([session], timeout=PATIENCE_S)


def parts(session):
    """Return its children by what they are, once all are there."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        lines = {p: " ".join(p.cmdline()) for p in session.children(recursive=True)}
        found = {part: [p for p in lines if part in lines[p]] for part in PARTS}
        if len(found[PARTS[0]]) >= 2 and found[PARTS[1]]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"the session has only {list(lines.values())}")


def test_the_window_gives_way_and_the_session_does_not(started):
    window, session, children = started
    usual = priority(0)
    assert os.getsid(session.pid) == os.getsid(window.pid), "else niceness is void"
    assert priority(window.pid) == (min(usual[0] + 5, 19), os.SCHED_BATCH)
    asked = (min(usual[0], max(NICENESS, lowest_allowed())), usual[1])
    assert of_all_threads(session) == {asked}
    for process in (p for found in children.values() for p in found):
        assert of_all_threads(process) == {asked}, process.cmdline()
