"""A session on a sender that fails: what is done to it, and what came of it.

A story is one session and the faults that it meets one after the other. `Bench` runs it
and keeps every message, what the dashboard's state said, and when. `Seen` is one fault
in figures: it is asserted on, and it is a row of the matrix.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pylsl
from bundles import write_tiny
from fault_sender import TR_S, Sender
from known_eeg import error_sd, moment_of
from loop import END_S, PATIENCE_S, Listener, free_ports, new_name, session
from replays import as_replayed, from_row, replay

from rtbold.client import Subscriber
from rtbold.gui.controllers.link import FeedReader, Inbox
from rtbold.gui.state.dashboard import DashboardState

WINDOW_S = 16.0
SAME_SD = 0.03  # a window off by 25 ms gives as much
FOUND_AGAIN_S = 3.0
DEAD_AFTER_S = 2.0  # without a heartbeat an app gives the publisher up
TOPICS = ("hello", "pred.roi", "pred.fb", "hb", "quality", "log", "trigger", "bye")
USABLE = ("ok", "degraded")


def nothing(_bench):
    """Leave it to end by itself."""


@dataclass(frozen=True)
class Fault:
    """One fault of the list: how it comes, how it goes, how long it is."""

    number: str  # of the list of faults
    title: str
    injected: str  # in words
    begin: Callable  # of the bench
    lasts_s: float = 3.0
    end: Callable = nothing
    recovery_s: float | None = WINDOW_S + TR_S  # of waiting; None: it stays
    after: str = "ok"  # the status by which it is over


@dataclass
class Seen:
    """What came of one fault; times are LSL's."""

    fault: Fault
    begun_s: float
    ended_s: float
    over_s: float = 0.0
    predictions: list = field(default_factory=list)  # pred.roi of volumes, and errors
    headlines: list = field(default_factory=list)  # (t_lsl_s, level, word, why)
    quality: list = field(default_factory=list)
    beats: list = field(default_factory=list)
    log: list = field(default_factory=list)
    values_known: bool = True

    def reasons(self):
        found = {r for m in self.predictions for r in m["reasons"]}
        return found - {"upstream_delay_unknown"}

    def statuses(self):
        return {m["status"] for m in self.predictions}

    def touched(self, grace_s=0.3):
        """Return the predictions whose window holds something of the fault."""
        return [
            m
            for m in self.predictions
            if self.begun_s + grace_s < m["window"]["t_end"] < self.ended_s + WINDOW_S
        ]

    def first_sign_s(self):
        """Return how soon anything said that all is not well."""
        signs = [m["t_lsl"] for m in self.predictions if m["status"] != "ok"]
        signs += [m["t_lsl"] for m in self.beats if m["state"] != "running"]
        signs += [t_s for t_s, level, *_ in self.headlines if level != "ok"]
        later = [t_s - self.begun_s for t_s in signs if t_s > self.begun_s]
        return min(later, default=None)

    def valid_again_s(self):
        """Return from the fault's end to the first window that is usable for good."""
        bad = [m for m in self.predictions if m["status"] != self.fault.after]
        last_s = max((m["window"]["t_end"] for m in bad), default=-np.inf)
        if not bad:
            return 0.0
        good = [m["window"]["t_end"] for m in self.predictions]
        return min((t - self.ended_s for t in good if t > last_s), default=None)

    def worst(self, status):
        """Return the largest error among the values of that status, in sd."""
        errors = [m["error_sd"] for m in self.predictions if m["status"] == status]
        return max((e for e in errors if e is not None), default=None)

    def silence_s(self):
        beats_s = [m["t_received_s"] for m in self.beats]
        return float(np.diff(beats_s).max())

    def words(self):
        """Return what the dashboard said, each once, in order."""
        said = [
            " ".join(f"{word}: {why}".split()) for _, _, word, why in self.headlines
        ]
        return list(dict.fromkeys(said))


class Bench:
    """One session on one sender, who listens to it, and the dashboard's state.

    Parameters
    ----------
    sender : keywords of `Sender`.
    card : changes of the tiny bundle's card.
    options : of ``rtbold run``.
    """

    def __init__(self, root, *, sender=None, card=None, record=False, **options):
        self.root, self.name, self.ports = root, new_name("fault"), free_ports()
        self.bundle = write_tiny(root, **(card or {}))
        self.sender = Sender(self.name, **(sender or {}))
        self.listener = Listener(self.ports[0], TOPICS)
        address = f"tcp://127.0.0.1:{self.ports[0]}"
        self._feed = Subscriber(address, topics=TOPICS, now_s=time.monotonic)
        self._inbox = Inbox()
        self._reader = FeedReader(self._feed, self._inbox, now_s=time.monotonic)
        self.dashboard = DashboardState()
        self.headlines = []
        self.record = root / "rec" if record else None
        self._options = {**options, **({"record": self.record} if record else {})}
        self.running = self.start()

    def start(self):
        return session(self.bundle, self.name, self.ports, **self._options)

    def turn(self):
        """Listen for a moment, with both."""
        self.listener.messages += self.listener.feed.poll(0.05)
        self._reader.step(0.0)
        now_s = time.monotonic()
        for received in self._inbox.drain():
            self.dashboard.take(received, now_s)
        said = self.dashboard.headline(now_s)
        row = (said.level, said.word.split(" for ")[0], said.why)
        if not self.headlines or self.headlines[-1][1:] != row:
            self.headlines.append((pylsl.local_clock(), *row))

    def wait(self, seconds):
        self.until(lambda _: False, seconds)

    def until(self, condition, limit_s):
        """Listen until `condition(self)`; return whether it came true in time."""
        end_s = pylsl.local_clock() + limit_s
        while not condition(self):
            if pylsl.local_clock() > end_s:
                return False
            self.turn()
        return True

    def volumes(self, since_s=0.0):
        return [
            m
            for m in self.listener.of("pred.roi")
            if m["t_trigger"] is not None and m["window"]["t_end"] > since_s
        ]

    def predicts(self, since_s=0.0, status=("ok",), limit_s=PATIENCE_S + 2 * WINDOW_S):
        """Wait for a prediction of a status; fail if it does not come."""

        def came(bench):
            return any(m["status"] in status for m in bench.volumes(since_s))

        assert self.until(came, limit_s), (
            [(m["status"], m["reasons"]) for m in self.listener.of("pred.roi")[-12:]],
            self.running.said()[-2000:],
        )
        return pylsl.local_clock()

    def meet(self, fault):
        """Let a fault come and go; return what was seen."""
        begun_s = pylsl.local_clock()
        fault.begin(self)
        self.wait(fault.lasts_s)
        fault.end(self)
        seen = Seen(fault, begun_s, pylsl.local_clock())
        if fault.recovery_s is not None:
            self.wait(WINDOW_S + TR_S)
            self.predicts(seen.ended_s + WINDOW_S, (fault.after,))
        seen.over_s = pylsl.local_clock()
        return self._filled(seen)

    def _filled(self, seen):
        def inside(t_lsl_s):
            return seen.begun_s < t_lsl_s <= seen.over_s

        predictions = [m for m in self.listener.of("pred.roi") if inside(m["t_lsl"])]
        seen.predictions = [{**m, "error_sd": self.error(m)} for m in predictions]
        before = [h for h in self.headlines if h[0] <= seen.begun_s][-1:]
        during = [h for h in self.headlines if inside(h[0])]
        seen.headlines = [*((seen.begun_s, *h[1:]) for h in before), *during]
        for name, topic in (("quality", "quality"), ("log", "log")):
            found = [m for m in self.listener.of(topic) if inside(m["t_lsl"])]
            setattr(seen, name, found)
        seen.beats = [
            {**m.body, "t_received_s": m.t_received_s}
            for m in self.listener.received("hb")
            if inside(m.body["t_lsl"])
        ]
        return seen

    def error(self, message):
        """Return by how many sd a published value misses that of its true window."""
        if message["values"] is None:
            return None
        return error_sd(message["values"], self._end_s(message))

    def off_s(self, message):
        """Return by how much time a value's window lies off, as its number says."""
        return moment_of(message["values"], self._end_s(message))

    def _end_s(self, message):
        return self.sender.since_start(message["window"]["t_end"])

    # After the session

    def stop(self):
        """End it as an operator does, and return its exit code."""
        self.running.process.terminate()
        code = self.running.wait(END_S)
        self.said = self.running.said()
        return code

    def replayed(self):
        """Return published and replayed predictions, up to the last published."""
        parts = sorted(self.record.rglob("*_eeg*.xdf"))
        (first,) = [p for p in parts if "part" not in p.name]
        rows = replay(first, self.bundle, self.root / "again.tsv")
        published = [as_replayed(m) for m in self.listener.of("pred.roi")]
        return published, [from_row(row) for row in rows][: len(published)]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with self.sender, self.listener, self._feed, self.running:
            pass


def check_invariants(bench, dead_after_s=DEAD_AFTER_S):
    """Hold what must hold in every session, whatever it meets."""
    volumes = bench.volumes()
    for message in volumes:
        assert (message["values"] is None) == (message["status"] not in USABLE)
    index = [m["volume_index"] for m in volumes if m["volume_index"] is not None]
    assert index == sorted(set(index))
    fb = [(m["volume_index"], m["status"]) for m in bench.listener.of("pred.fb")]
    roi = [(m["volume_index"], m["status"]) for m in bench.listener.of("pred.roi")]
    n = min(len(fb), len(roi))
    assert [row[0] for row in fb[:n]] == [row[0] for row in roi[:n]]
    for message in bench.listener.of("pred.fb"):
        if message["status"] not in USABLE:
            assert message["value"] is None
    beats_s = [m.t_received_s for m in bench.listener.received("hb")]
    assert np.diff(beats_s).max() < dead_after_s


def wrong_ok(bench, messages=None):
    """Return each value that is `ok` and not that of its window."""
    messages = bench.volumes() if messages is None else messages
    return [
        (m["volume_index"], round(bench.error(m), 3), bench.off_s(m))
        for m in messages
        if m["status"] == "ok" and bench.error(m) > SAME_SD
    ]
