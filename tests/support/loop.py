"""Processes of the whole loop, started as a user would, and what they publish."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid

from rtbold.client import Subscriber

PATIENCE_S = 40.0  # for a part to come up on a busy machine
END_S = 40.0  # LabRecorder alone takes six seconds
TRACEBACK = "Traceback (most recent call last)"


def new_name(kind="loop"):
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def free_ports(n=2):
    """Return ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(n)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def command(*arguments):
    return [sys.executable, "-m", "rtbold", *map(str, arguments)]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


class Process:
    """A child whose words are kept; ended with the ``with`` block, politely first."""

    def __init__(self, line, *, more_env=None):
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**environment(), **(more_env or {})},
        )

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def said(self):
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def wait(self, timeout_s):
        """Return the exit code; fail with what was said if it does not end."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running; it said: {self.said()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()


class Rtbold(Process):
    """``rtbold ...`` as a child."""

    def __init__(self, *arguments, more_env=None):
        super().__init__(command(*arguments), more_env=more_env)


def twin(name, *, duration_s, **options):
    """Start ``rtbold simulate``; it begins when somebody listens."""
    more = [part for key, value in options.items() for part in _option(key, value)]
    return Rtbold(
        "simulate", "--name", name, "--duration", duration_s,
        "--wait-for-consumers", PATIENCE_S, *more,
    )  # fmt: skip


def session(bundle, name, ports, *, free_run=False, more_env=None, **options):
    """Start ``rtbold run`` on the EEG of that name, locked to its triggers or free."""
    more = [part for key, value in options.items() for part in _option(key, value)]
    locked = ["--trigger-stream", f"{name}-markers", "--trigger", "R128"]
    return Rtbold(
        "run", "--model", bundle.path, "--stream", f"{name}-eeg", "--wait", PATIENCE_S,
        "--port", ports[0], "--control-port", ports[1],
        *(["--tr", "2.1"] if free_run else locked), *more, more_env=more_env,
    )  # fmt: skip


def _option(key, value):
    flag = "--" + key.replace("_", "-")
    return [flag] if value is True else [flag, str(value)]


class Listener:
    """A subscriber that keeps everything."""

    def __init__(self, port, topics=("hello", "pred.roi", "pred.fb", "quality")):
        self.feed = Subscriber(f"tcp://127.0.0.1:{port}", topics=topics)
        self.messages = []

    def until(self, condition, limit_s):
        """Listen until `condition(self)`; return whether it came true in time."""
        end_s = time.monotonic() + limit_s
        while not condition(self):
            if time.monotonic() > end_s:
                return False
            self.messages += self.feed.poll(0.1)
        return True

    def while_running(self, process, limit_s):
        """Listen until the process has ended; fail if it does not."""
        if not self.until(lambda _: not process.running, limit_s):
            raise AssertionError(f"still running; it said: {process.said()}")
        self.messages += self.feed.poll(0.2)

    def of(self, topic):
        return [m.body for m in self.messages if m.topic == topic]

    def received(self, topic):
        return [m for m in self.messages if m.topic == topic]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.feed.close()
