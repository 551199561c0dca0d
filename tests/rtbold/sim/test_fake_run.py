"""The feed of a fake session, over real sockets."""

import threading
import time

import pytest

from rtbold.client import Subscriber, request
from rtbold.clock import MonotonicClock
from rtbold.sim.fake import FakeSettings, StoppableClock, run_fake

PATIENCE_S = 15.0


def test_whoever_asks_a_stopped_clock_waits():
    clock, seen = StoppableClock(MonotonicClock()), []
    clock.stop()
    asking = threading.Thread(target=lambda: seen.append(clock.now_s()))
    asking.start()
    asking.join(0.05)
    assert asking.is_alive()
    stopped_s = MonotonicClock().now_s()
    clock.go_on()
    asking.join(PATIENCE_S)
    assert seen[0] >= stopped_s


class Running:
    """`run_fake` in a thread, on free ports."""

    def __init__(self, clock=None, **settings):
        self.said, self.played = threading.Event(), None
        self._clock = clock or MonotonicClock()
        self._settings = FakeSettings(port=0, control_port=0, **settings)
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        self.played = run_fake(
            self._settings, self._clock, now_unix_s=time.time, say=self._say
        )

    def _say(self, text):
        if text.startswith("LSL"):
            return
        feed, _, control = text.partition(", control on port ")
        self.feed = feed.removeprefix("feed on ")
        self.control = f"tcp://127.0.0.1:{control}"
        self.said.set()

    def __enter__(self):
        self._thread.start()
        assert self.said.wait(PATIENCE_S)
        return self

    def __exit__(self, *error):
        if self._thread.is_alive():
            request("STOP", address=self.control)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def poll_until(feed, condition):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, dict(feed.latest)
        feed.poll(0.02)


@pytest.mark.integration
def test_silence_is_no_end_and_a_stop_still_ends_it():
    running = Running(scene="silent", scene_after_s=30.0, speed=10.0)
    with running, Subscriber(running.feed, ("",)) as feed:
        poll_until(feed, lambda: feed.alive)
        poll_until(feed, lambda: not feed.alive)
        assert "bye" not in feed.latest
        assert feed.latest["hb"].body["state"] == "running"
    assert running.played.n_predictions == 15


@pytest.mark.integration
def test_a_stall_has_heartbeats():
    running = Running(scene="stalled", scene_after_s=10.0, speed=10.0)
    with running, Subscriber(running.feed) as feed:
        poll_until(feed, lambda: feed.stalled)
        assert feed.alive
        assert feed.feedback().show != "value"


@pytest.mark.integration
def test_pause_over_the_control_socket_is_seen_by_subscribers():
    with Running(speed=20.0) as running, Subscriber(running.feed) as feed:
        assert request("PAUSE", address=running.control)["ok"]
        poll_until(feed, lambda: feed.latest["hb"].body["state"] == "paused"
                   if "hb" in feed.latest else False)  # fmt: skip
        poll_until(feed, lambda: feed.latest["pred.fb"].body["status"] == "paused"
                   if "pred.fb" in feed.latest else False)  # fmt: skip
        assert request("RESUME", address=running.control)["ok"]
        poll_until(feed, lambda: feed.latest["pred.fb"].body["status"] == "ok")
        assert feed.n_sessions == 1


@pytest.mark.integration
def test_encoding_is_that_of_hello():
    msgspec = pytest.importorskip("msgspec")
    running = Running(encoding="msgpack", speed=20.0)
    with (
        running,
        Subscriber(running.feed, ("",), decode=msgspec.msgpack.decode) as feed,
    ):
        poll_until(feed, lambda: {"hello", "pred.fb", "eeg"} <= set(feed.latest))
        assert feed.latest["hello"].body["encoding"] == "msgpack"
        assert feed.n_bad == 0


@pytest.mark.integration
def test_the_outlets_of_a_session_say_what_the_feed_says():
    import pylsl

    from rtbold.acquire import LslClock

    with Running(LslClock(), lsl=True, speed=4, n_rois=3) as running:
        port = running.feed.rpartition(":")[2]
        inlets = {}
        for name, kind in (("rtbold-pred", "Prediction"), ("rtbold-events", "Markers")):
            wanted = (
                f"name='{name}' and type='{kind}' and contains(source_id,':{port}-')"
            )
            (info,) = pylsl.resolve_bypred(wanted, timeout=PATIENCE_S)
            inlets[name] = pylsl.StreamInlet(info)
            inlets[name].open_stream(timeout=PATIENCE_S)
        with Subscriber(running.feed, ("pred.fb",)) as feed:
            request("MARK", address=running.control, text="eyes open")
            told = []
            while "mark: eyes open" not in told:
                text, _ = inlets["rtbold-events"].pull_sample(timeout=PATIENCE_S)
                assert text is not None
                told += text
            poll_until(feed, lambda: feed.feedback().show == "value")
            body, row = feed.latest["pred.fb"].body, None
            end_s = body["window"]["t_end"]
            while row is None:
                sample, t_s = inlets["rtbold-pred"].pull_sample(timeout=PATIENCE_S)
                assert sample is not None
                row = sample if t_s == pytest.approx(end_s, abs=1e-6) else None
        about = inlets["rtbold-pred"].info(timeout=PATIENCE_S)
        for inlet in inlets.values():
            inlet.close_stream()
    assert row[3] == pytest.approx(body["value"], abs=1e-6)
    assert row[5] == body["volume_index"]
    assert about.desc().child("rtbold").child_value("simulated") == "true"
    assert len(about.get_channel_labels()) == 3 + 3
