"""Streams that describe themselves as none should, on real LSL."""

import json
import subprocess
import sys
import uuid
from contextlib import contextmanager

import psutil
import pylsl
import pytest
from loop import command, environment

from rtbold.acquire.inlet import MEMORY_BYTES
from rtbold.errors import RtboldError, StreamMismatch

pytestmark = [pytest.mark.integration, pytest.mark.realtime]  # it waits
NASTY = "\x1b[2J\x07\n\u202e[bold][/nothing]"
SHOWN = r"\x1b[2J\x07\n\u202e[bold][/nothing]"
LABELS = ("Cz", "Pz")


@contextmanager
def sender(name, *, labels=LABELS, unit="uV", n_channels=None, rate_hz=500.0, depth=0):
    """A sender in a process of its own: what it makes liblsl do is not ours to do."""
    script = (
        "import json, sys, time, pylsl\n"
        "s = json.loads(sys.argv[1])\n"
        "info = pylsl.StreamInfo(s['name'], 'EEG', s['n'], s['rate'], 'float32', 'x')\n"
        "nodes = info.desc().append_child('channels')\n"
        "for label in s['labels']:\n"
        "    node = nodes.append_child('channel')\n"
        "    node.append_child_value('label', label)\n"
        "    node.append_child_value('unit', s['unit'])\n"
        "node = info.desc()\n"
        "for _ in range(s['depth']):\n"
        "    node = node.append_child('deeper')\n"
        "outlet = pylsl.StreamOutlet(info)\n"
        "print('up', flush=True)\n"
        "time.sleep(120)\n"
    )
    n = len(labels) if n_channels is None else n_channels
    settings = {
        "name": name, "n": n, "rate": rate_hz, "labels": list(labels), "unit": unit,
        "depth": depth,
    }  # fmt: skip
    line = [sys.executable, "-c", script, json.dumps(settings)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment()) as process:
        try:
            while b"up" not in process.stdout.readline():
                assert process.poll() is None
            yield
        finally:
            process.kill()


@pytest.fixture
def name():
    return f"hostile-{uuid.uuid4().hex[:12]}{NASTY}"


def test_nothing_that_a_sender_calls_itself_ends_the_inlet(name, acquire):
    with sender(name, labels=(f"Cz{NASTY}", "Pz"), unit=f"uV{NASTY}"):
        stream = acquire(name, unit="uV", wait_s=20.0).description
    assert stream.name.endswith(SHOWN)
    assert [c.label for c in stream.channels] == [f"Cz{SHOWN}", "Pz"]
    assert {c.unit for c in stream.channels} == {f"uV{SHOWN}"}


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ({"depth": 2_000}, "nested deeper than 64 levels"),
        ({"n_channels": 10_000, "labels": ["C"] * 10_000}, "announced with 10000"),
        ({"rate_hz": 1e9}, "announced with 2 channels at 1e.09 Hz"),
        ({"n_channels": 200}, "200 channels, expected 1 to 128"),
        ({"unit": f"furlong{NASTY}"}, "furlong.*--unit"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused_by_its_name(name, acquire, lie, message):
    with sender(name, **lie), pytest.raises(StreamMismatch, match=message) as caught:
        acquire(name, wait_s=20.0)
    assert str(caught.value).isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="no such bound there")
def test_no_stream_can_take_the_memory_of_the_machine(name, acquire):
    with sender(name):
        inlet = psutil.Process(acquire(name, wait_s=20.0).eeg.pid)
        allowed, _ = inlet.rlimit(psutil.RLIMIT_DATA)
    assert MEMORY_BYTES < allowed < 2 * MEMORY_BYTES


@pytest.mark.long
def test_twenty_thousand_levels_are_refused_with_a_reason(name, acquire):
    with (
        sender(name, depth=20_000),
        pytest.raises(RtboldError, match=r"deeper than 64|does not answer") as caught,
    ):
        acquire(name, wait_s=30.0)
    assert "hostile-" in str(caught.value)


def test_a_listing_does_nothing_to_the_screen(name):
    with sender(name):
        ran = [
            subprocess.run(
                command("streams", "--wait", "3", *more),
                capture_output=True,
                check=True,
                env=environment(),
            ).stdout.decode()
            for more in ((), ("--json",))
        ]
    table, listed = ran[0], json.loads(ran[1])
    # piped: a line a stream, its cells between tabs
    assert all(line.replace("\t", " ").isprintable() for line in table.splitlines())
    assert SHOWN in [row["name"][-len(SHOWN) :] for row in listed]
    assert "hostile-" in table.replace("\u2502", "")
    assert "created_s" not in listed[0]


def test_a_rate_that_is_no_number_hides_no_other_stream(name, acquire):
    good = f"good-{uuid.uuid4().hex[:12]}"
    bad = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 1, float("nan"), "float32"))
    with sender(good):
        assert acquire(good, wait_s=20.0).description.name == good
    del bad
