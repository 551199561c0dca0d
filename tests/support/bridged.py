"""A feed and a bridge in this process, on free ports, for tests of the bridges."""

import json
import socket
import threading
import time
from contextlib import contextmanager

import feed_messages
import msgspec

from rtbold.bridge.run import Bridge, BridgeSettings
from rtbold.clock import MonotonicClock
from rtbold.publish import Feed, FeedSettings
from rtbold.sim.fake import StoppableClock

PATIENCE_S = 20.0


class Publisher:
    """A real feed; `fb` publishes one prediction with its phase told before."""

    def __init__(self, session="a" * 8, port=0, **settings):
        self._clock = StoppableClock(MonotonicClock())
        self.feed = Feed(
            FeedSettings(port=port, **settings),
            session=session,
            now_lsl_s=self._clock.now_s,
            now_unix_s=time.time,
        )
        self.feed.__enter__()
        self.feed.set_state("running", None)
        self.volume = -1

    def send(self, topic, **changes):
        t_s = time.monotonic()
        made = feed_messages.wire(topic, t_lsl=t_s, volume=self.volume, **changes)
        self.feed.publish(msgspec.structs.replace(made, session="", seq=0))

    def train(self, **changes):
        self.send("hello")
        self.send("phase", run_type="train", **changes)

    def fb(self, value=0.5, status="ok", reasons=(), **changes):
        self.volume += 1
        both = {"status": status, "reasons": reasons, **changes}
        self.send("pred.fb", value=value, **both)
        self.send("pred.roi", values=(value, 1.25, -2.0), **both)

    def hang(self):
        """Stay connected and say nothing, heartbeats neither."""
        self._clock.stop()

    def close(self):
        self._clock.go_on()
        self.feed.__exit__(None, None, None)


@contextmanager
def bridged(publisher, **settings):
    """Run a bridge to `publisher`; its outlets have the ports."""
    said = []
    bridge = Bridge(
        BridgeSettings(connect=publisher.feed.address, **settings),
        clock=MonotonicClock(),
        say=said.append,
    )
    bridge.said = said
    thread = threading.Thread(target=bridge.run)
    thread.start()
    try:
        until(lambda: len(said) >= len(bridge.outlets))
        yield bridge
    finally:
        bridge.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def until(found, patience_s=PATIENCE_S):
    """Wait for something true; return it."""
    end_s = time.monotonic() + patience_s
    while not (result := found()):
        assert time.monotonic() < end_s, found
        time.sleep(0.01)
    return result


class LineClient:
    """What a MATLAB script does: connect, read lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._file = self.socket.makefile("rb")
        self.seen = []

    def until(self, wanted):
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            line = self._file.readline()
            assert line.endswith(b"\n"), "cut off"
            self.seen.append(json.loads(line))
            if wanted(self.seen[-1]):
                return self.seen[-1]
        raise AssertionError(self.seen[-3:])

    def close(self):
        self._file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def shows(what):
    """Return a question: is this the line that says so?"""
    return lambda line: line["topic"] == "show" and line["show"] == what


def cut_off(connection, patience_s=PATIENCE_S):
    """Whether the other end ends a connection; reads what it sends meanwhile."""
    connection.settimeout(patience_s)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
