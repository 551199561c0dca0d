"""Real child processes: small Python programs in place of rtbold."""

import socket
import sys
import threading
import time

import pytest

from rtbold.gui.controllers.children import last_words
from rtbold.gui.controllers.jobs import MOST_JOBS, POLITE_S, ChildJobs

pytestmark = pytest.mark.integration

IGNORES = (
    "import signal, time; "
    "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)]; "
    "print('deaf', flush=True); time.sleep(60)"
)


class Clock:
    """A monotonic clock that can be moved on."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self):
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(clock):
    before = threading.active_count()
    jobs = ChildJobs((sys.executable, "-c"), now_s=clock)
    yield jobs
    clock.ahead_s += 30
    jobs.close()
    end_s = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end_s:
        time.sleep(0.01)  # a reader ends once the last holder of its pipe is gone
    assert threading.active_count() == before


def ended(job, within_s=20.0):
    end_s = time.monotonic() + within_s
    while job.poll() is None:
        assert time.monotonic() < end_s, "it does not end"
        time.sleep(0.01)
    return job.returncode


def until_said(job, word, within_s=20.0):
    end_s = time.monotonic() + within_s
    while word not in job.lines:
        job.poll()
        assert time.monotonic() < end_s, job.lines
        time.sleep(0.01)


def test_lines_are_handed_over_in_the_caller_s_thread(jobs):
    got = []
    program = "import sys; print('a'); print('é'); print('note', file=sys.stderr)"
    job = jobs.start(
        "probe",
        [program],
        on_line=lambda text: got.append((text, threading.get_ident())),
    )
    assert ended(job) == 0
    assert got == [("a", threading.get_ident()), ("é", threading.get_ident())]
    assert job.lines == ("a", "é")
    assert job.problem == ""


def test_a_child_is_not_told_to_draw_colours(jobs, monkeypatch):
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.setenv(name, "1")
    program = (
        "import rich.console as c; "
        "c.Console().print('[bold]plain'); c.Console(stderr=True).print('[red]too')"
    )
    job = jobs.start("x", [program])
    assert ended(job) == 0
    assert job.lines == ("plain",)
    assert job.last_words == "too"


def test_an_error_is_told_in_its_own_words(jobs):
    program = (
        "import sys; sys.stderr.write('note\\nrtbold: no stream.\\n'); sys.exit(2)"
    )
    job = jobs.start("streams", [program])
    assert ended(job) == 2
    assert job.problem == "streams ended with an error: no stream."
    assert job.last_words == "no stream."


def test_red_checks_are_no_error_of_the_job(jobs):
    job = jobs.start("check", ["import sys; print('{}'); sys.exit(1)"])
    assert ended(job) == 1
    assert job.problem == ""


def test_a_job_that_hangs_is_ended_at_its_limit(jobs, clock):
    job = jobs.start("streams", [IGNORES], limit_s=5)
    until_said(job, "deaf")
    assert job.poll() is None
    for ahead_s in (6, 6, 4):  # asked, asked again, ended
        clock.ahead_s += ahead_s
        job.poll()
    assert ended(job) != 0
    assert "no answer within 5 s" in job.problem


def test_a_job_that_is_stopped_ends_in_order(jobs):
    program = (
        "import time\nprint('up', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('in order')"
    )
    # A shell's background job hands down that Ctrl-C is ignored.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    job = jobs.start("rehearse", [heeds + program])
    until_said(job, "up")
    job.stop()
    job.stop()
    assert ended(job) == 0
    assert "in order" in job.lines
    assert job.problem == ""


def test_what_cannot_start_says_so():
    jobs = ChildJobs(("/nowhere/python",))
    job = jobs.start("streams", ["streams"])
    assert job.returncode == -1
    assert job.poll() == -1
    assert "cannot start" in job.problem
    job.stop()
    jobs.close()


def test_children_are_bounded(jobs):
    for _ in range(MOST_JOBS):
        jobs.start("x", ["import time; time.sleep(60)"])
    assert "run already" in jobs.start("x", ["pass"]).problem


def test_output_is_bounded(jobs):
    job = jobs.start("x", ["for n in range(30000): print(n)"])
    assert ended(job) == 0
    assert len(job.lines) <= 2000
    assert job.lines[-1] == "29999"


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_job(jobs, clock):
    program = (
        "import subprocess, sys; print('x', flush=True); "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    )
    job = jobs.start("x", [program])
    until_said(job, "x")
    end_s = time.monotonic() + 20
    while job.poll() is None and time.monotonic() < end_s:
        clock.ahead_s += 1
        time.sleep(0.05)
    assert job.returncode == 0


def test_a_session_outlives_the_jobs_and_keeps_its_log(jobs, tmp_path):
    log = tmp_path / "not" / "made" / "session.log"
    program = "import sys, time; sys.stderr.write('rtbold: begun\\n'); time.sleep(60)"
    child = jobs.start_session([program], log)
    jobs.close()
    end_s = time.monotonic() + 20
    while not child.last_words() and time.monotonic() < end_s:
        time.sleep(0.02)
    assert child.poll() is None
    assert child.last_words() == "begun"
    process = child._process
    process.terminate()
    process.wait(10)
    assert child.poll() not in (None, 0)


def test_a_session_that_is_let_go_is_not_waited_for(jobs, tmp_path):
    child = jobs.start_session(["import time; time.sleep(1)"], tmp_path / "log")
    assert child.pid
    child.let_go()
    child.let_go()
    assert child.pid is None


def test_a_session_that_cannot_start_says_why(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    jobs = ChildJobs()
    child = jobs.start_session(["run"], in_the_way / "session.log")
    assert child.poll() == -1
    assert "another recording folder" in child.last_words()
    missing = ChildJobs(("/nowhere/python",)).start_session([], tmp_path / "log")
    assert missing.poll() == -1
    assert "cannot start" in missing.last_words()


def test_last_words_are_the_message_and_not_the_chatter():
    assert last_words([]) == ""
    assert last_words(["a", "", "b", "c", "d"]) == "b\nc\nd"
    said = ["rtbold: old", "note", "rtbold: no stream fits. There:", "  name 'x'"]
    assert last_words(said) == "no stream fits. There:\n  name 'x'"
    box = ["╭─ Error ──╮", "│ No such option: --x │", "╰──────╯"]
    assert "No such option: --x" in last_words(box)


def test_a_session_is_not_started_on_a_port_where_somebody_listens(jobs, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = ["print()", "--port", "0", "--control-port", str(port)]
        child = jobs.start_session(words, tmp_path / "log")
    assert f"Port {port} is taken" in child.problem
    assert child.poll() is not None
    assert not (tmp_path / "log").exists()
    child = jobs.start_session(words, tmp_path / "log")
    assert child.problem == ""
    end_s = time.monotonic() + 20
    while child.poll() is None and time.monotonic() < end_s:
        time.sleep(0.01)
    assert child.poll() == 0


def test_a_rehearsal_has_time_to_end_its_own_session():
    assert POLITE_S >= 12.0
