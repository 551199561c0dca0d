"""The Python and PsychoPy examples, and the check for authors of clients."""

import re
import runpy
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest
from bridged import PATIENCE_S, Publisher, until

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# What an author writes first: the last number that came, whatever its status
NAIVE = """
import json, socket, sys, zmq
feed = zmq.Context().socket(zmq.SUB)
feed.connect(sys.argv[1])
feed.subscribe("pred.fb")
judge = socket.create_connection(("127.0.0.1", int(sys.argv[3])))
while True:
    value = json.loads(feed.recv_multipart()[1])["value"] or 0.0
    judge.sendall(json.dumps({"show": "value", "value": value}).encode() + b"\\n")
"""


def free_ports(n):
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return ports


def checked(client, *words):
    """Run `rtbold check-client` on a client; return its exit code and what it says."""
    port, control, acks = map(str, free_ports(3))
    command = [sys.executable, "-m", "rtbold", "check-client", "--port", port]
    command += ["--control-port", control, "--ack-port", acks, *words]
    check = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    author = None
    try:
        assert any("start your client" in line for line in check.stderr)
        address = f"tcp://127.0.0.1:{port}"
        author = subprocess.Popen([*client, address, "--acknowledge", acks])
        said, _ = check.communicate(timeout=4 * PATIENCE_S)
    finally:
        for process in filter(None, (check, author)):
            process.kill()
            process.wait(PATIENCE_S)
    return check.returncode, said


@pytest.mark.realtime
def test_the_python_example_is_a_client_without_findings():
    example = [sys.executable, EXAMPLES / "python/show.py"]
    scenes = ["--scenario", "gap", "--scenario", "restart"]
    code, said = checked(example, *scenes, "--speed", "3", "--grace", "0.5")
    assert (code, "nothing wrong" in said) == (0, True), said


@pytest.mark.realtime
def test_a_naive_client_is_told_what_it_does_wrong():
    code, said = checked(
        [sys.executable, "-c", NAIVE], "--scenario", "gap", "--speed", "3"
    )
    assert code == 1
    assert re.search(r"read `value` when status was neither ok nor degraded", said)


def stub_psychopy(monkeypatch, frames):
    """Stand in for PsychoPy: what each frame draws; Escape after the last one."""
    drawn = []

    class Drawable:
        def __init__(self, window, *text, **given):
            self.kind = text[0] if text else "bar" if "fillColor" in given else "frame"

        def draw(self):
            drawn[-1].append((self.kind, getattr(self, "height", None)))

    class Window:
        def __init__(self, **given):
            drawn.append([])

        def flip(self):
            frames(drawn[-1])
            drawn.append([])

        def close(self):
            drawn.append("closed")

    visual = types.SimpleNamespace(Window=Window, Rect=Drawable, TextStim=Drawable)
    keys = types.SimpleNamespace(getKeys=lambda names: frames.ended and names)
    for name, module in (
        ("psychopy", types.SimpleNamespace(visual=visual, event=keys)),
        ("psychopy.visual", visual),
        ("psychopy.event", keys),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    return drawn


class Frames:
    """Publishes as the loop runs; waits for what it ought to draw."""

    def __init__(self, publisher):
        self.publisher, self.ended, self.seen, self.n = publisher, False, [], 0

    def __call__(self, drawn):
        self.n += 1
        assert self.n < 100_000, self.seen
        kinds = tuple(kind for kind, _ in drawn)
        if self.seen[-1:] != [kinds]:
            self.seen.append(kinds)
            if kinds == ("+",) and len(self.seen) == 1:
                self.publisher.train()
                self.publisher.fb(1.0)
            elif kinds == ("frame", "bar"):
                assert drawn[1] == ("bar", pytest.approx(0.4))
                self.publisher.send("phase", run_type="rest")
            else:
                self.ended = True


def test_the_psychopy_loop_draws_a_bar_and_goes_neutral(monkeypatch):
    publisher = Publisher()
    try:
        frames = Frames(publisher)
        drawn = stub_psychopy(monkeypatch, frames)
        main = runpy.run_path(str(EXAMPLES / "psychopy/thermometer.py"))["main"]
        until(lambda: publisher.feed.latest("hb") or True)
        main(publisher.feed.address)
    finally:
        publisher.close()
    assert frames.seen == [("+",), ("frame", "bar"), ("+",)]
    assert drawn[-1] == "closed"
