"""What a window that is killed leaves behind: its session, and nothing else."""

import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.integration
PATIENCE_S = 30.0
# The window's own way to start things, in a process that can be killed.
WINDOW = """
import sys, time
from pathlib import Path
from rtbold.gui.controllers.jobs import ChildJobs

jobs = ChildJobs()
twin = jobs.start("The twin", ("simulate", "--name", sys.argv[1], "--duration", "120"))
listing = jobs.start("The search", ("streams", "--wait", "60", "--json"))
run = ChildJobs((sys.executable, "-c")).start_session(
    ("import time; time.sleep(600)",), Path(sys.argv[2])
)
print(twin._process.pid, listing._process.pid, run.pid, flush=True)
while True:
    twin.poll()
    if "simulated EEG on LSL" in twin.last_words:
        print("playing", flush=True)
        break
    time.sleep(0.05)
time.sleep(600)
"""


@pytest.fixture
def window(tmp_path):
    """Return a process like the window's, and its children: twin, listing, run."""
    name = f"killed-{tmp_path.name}"
    process = subprocess.Popen(
        [sys.executable, "-c", WINDOW, name, str(tmp_path / "log")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    yield process, children
    process.kill()
    process.communicate()
    for child in children:
        if child.is_running():
            child.kill()


@pytest.mark.realtime
def test_a_killed_window_takes_its_twin_along_but_not_the_session(window):
    process, (twin, listing, run) = window
    assert process.stdout.readline() == "playing\n"
    assert twin.is_running()
    process.kill()
    process.wait(PATIENCE_S)
    _, alive = psutil.wait_procs([twin, listing], timeout=PATIENCE_S)
    assert alive == []
    assert run.is_running()
    assert run.status() != psutil.STATUS_ZOMBIE


def test_children_that_are_not_up_yet_end_too(window):
    process, (twin, listing, run) = window
    process.kill()
    _, alive = psutil.wait_procs([twin, listing], timeout=PATIENCE_S)
    assert alive == []
    assert run.is_running()
