"""Who gives way: the thread that says so and what it makes, and nothing else.

On Linux priority belongs to a thread, so the tests lower threads that end with them.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from rtbold.gui.controllers import children as priority
from rtbold.gui.controllers.children import NICER, Starter, at_once, give_way
from rtbold.gui.controllers.jobs import ChildJobs

PROGRAM = (
    "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))"
)
# as a session starts its inlets
WITH_CHILD = (
    f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PROGRAM!r}])"
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities")


def mine():
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)


def lowered():
    niceness, _ = mine()
    return min(niceness + NICER, 19), os.SCHED_BATCH


@contextmanager
def ended(process):
    """Leave nothing behind, whatever a test finds."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


def wait_for(true, within_s=60.0):
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def in_a_thread(work):
    """Return what `work` returns in a thread that has given way."""
    found = []

    def run():
        give_way()
        found.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@linux
def test_a_thread_gives_way_and_the_others_do_not():
    usual = mine()
    assert in_a_thread(mine) == lowered()
    assert mine() == usual


@linux
def test_a_thread_hands_it_down_to_the_threads_that_it_makes():
    def ask():
        found = []
        thread = threading.Thread(target=lambda: found.append(mine()))
        thread.start()
        thread.join()
        return found[0]

    assert in_a_thread(ask) == lowered()


@linux
def test_it_is_never_idle():
    """A window at the idle policy says nothing on a machine that is full."""
    (niceness, policy), (usual, _) = in_a_thread(mine), mine()
    assert policy != os.SCHED_IDLE
    assert niceness - usual <= NICER <= 5


@linux
def test_a_policy_that_somebody_chose_stays():
    def run():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        give_way()
        found.append(mine())

    found = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found[0][1] == os.SCHED_IDLE


def test_where_it_is_forbidden_the_window_opens_all_the_same(monkeypatch):
    def forbid(*given):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(priority.os, "sched_setscheduler", forbid, raising=False)
    monkeypatch.setattr(priority.os, "nice", forbid, raising=False)
    usual = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform != "win32" else None
    give_way()
    if usual is not None:
        assert os.getpriority(os.PRIO_PROCESS, 0) == usual


@linux
def test_what_a_starter_starts_keeps_the_priority_of_before():
    with Starter() as starter:
        assert in_a_thread(lambda: starter(mine)) == mine()
        assert in_a_thread(lambda: at_once(mine)) == lowered()


def test_a_starter_uses_one_thread_and_ends_it():
    before = set(threading.enumerate())
    with Starter() as starter:
        who = {starter(threading.get_ident) for _ in range(5)}
        assert len(who) == 1
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) <= before


def test_what_a_child_cannot_do_is_raised_where_it_was_asked_for():
    with Starter() as starter, pytest.raises(FileNotFoundError):
        starter(lambda: subprocess.Popen(["/nowhere/python"]))


@linux
@pytest.mark.integration
@pytest.mark.parametrize("program", [PROGRAM, WITH_CHILD], ids=["child", "its child"])
def test_jobs_and_sessions_run_at_the_usual_priority(program, tmp_path):
    log = tmp_path / "log"
    with Starter() as starter:
        jobs = ChildJobs((sys.executable, "-c"), starting=starter)

        def start():
            job = jobs.start("probe", [program])
            session = jobs.start_session([program], log)
            assert session._process.wait(20) == 0
            end_s = time.monotonic() + 20
            while job.poll() is None and time.monotonic() < end_s:
                time.sleep(0.01)
            return job.lines

        said = in_a_thread(start)
    usual = " ".join(str(int(number)) for number in mine())
    assert said == (usual,)
    assert log.read_text().strip() == usual


@linux
@pytest.mark.integration
def test_a_session_gets_no_ctrl_c_and_stays_where_niceness_counts(tmp_path):
    """Linux's autogroup weighs sessions of processes against each other as wholes."""
    log = tmp_path / "log"
    program = "import os; print(os.getpgid(0) == os.getpid(), os.getsid(0))"
    session = ChildJobs((sys.executable, "-c")).start_session([program], log)
    assert session._process.wait(20) == 0
    assert log.read_text().split() == ["True", str(os.getsid(0))]


@linux
@pytest.mark.integration
def test_a_session_outlives_the_terminal(tmp_path):
    """Closing a terminal hangs up on what runs in its foreground, and on its shell."""
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    window = (
        "import fcntl, signal, sys, termios, time\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # nohup hands down another
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # the terminal is its own
        "from rtbold.gui.controllers.jobs import ChildJobs\n"
        "jobs = ChildJobs((sys.executable, '-c'))\n"
        "program = 'import time; print(1, flush=True); time.sleep(60)'\n"
        f"child = jobs.start_session([program], Path({str(log)!r}))\n"
        f"Path({str(pid_file)!r}).write_text(str(child.pid))\ntime.sleep(60)\n"
    )
    import pty  # not on Windows

    terminal, inside = pty.openpty()
    leader = subprocess.Popen(
        [sys.executable, "-c", window], stdin=inside, start_new_session=True
    )
    os.close(inside)
    with ended(leader):
        wait_for(lambda: log.exists() and log.read_text().strip() == "1")
        wait_for(lambda: pid_file.exists() and pid_file.read_text())
        session = psutil.Process(int(pid_file.read_text()))
        os.close(terminal)
        assert leader.wait(20) == -signal.SIGHUP
        with pytest.raises(psutil.TimeoutExpired):
            session.wait(0.5)
        session.kill()


@linux
@pytest.mark.integration
def test_without_a_starter_a_child_would_give_way_too(tmp_path):
    """The reason why there is one."""
    jobs = ChildJobs((sys.executable, "-c"))

    def start():
        session = jobs.start_session([PROGRAM], tmp_path / "log")
        return session._process.wait(20)

    assert in_a_thread(start) == 0
    usual = " ".join(str(int(number)) for number in lowered())
    assert (tmp_path / "log").read_text().strip() == usual
