"""A long session with everything beside it, and faults at random from a seed.

Twin, session with its recording, dashboard, ten subscribers and a process that eats a
core. The twin's EEG is known, so that every published value is held against the value
of its true window, computed from the file that the twin would write.

The filters begin anew after an outage, and their 200 Hz grid then lies by up to 2.5 ms
otherwise. `demo` answers that with up to 0.3 sd, so the true value is computed for each
place of the grid, and the nearest counts.
"""

import bisect
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
import pylsl

from bench.latency import MIB
from bench.processes import (
    SessionPlan,
    dashboard,
    inlets_of,
    last_line,
    one_thread,
    percentiles,
    recorders_of,
    start,
    start_session,
)
from rtbold import bundle as bundles
from rtbold.client import Message, Subscriber
from rtbold.engine import open_engine
from rtbold.files import Recording, read_recording, triggered_events
from rtbold.messages import FloatArray
from rtbold.predict import Pipeline, PipelineSettings
from rtbold.window import ScheduleSettings

HEAD_S = 45.0  # windows fill, the dashboard starts
SPARE_S = 30.0  # the last fault is over before the session ends
LOOK_EVERY_S = 5.0
MEAN_BETWEEN_S = 45.0
RECOVERY_S = 16.0 + 3.0 + 2 * 2.1  # a window, finding the stream again, two TRs
N_SUBSCRIBERS = 10
SAME_SD = 0.1  # a window off by 0.1 s gives so much
GRID_HZ = 200
TOPICS = ("pred.roi", "trigger", "quality", "hb", "hello", "log")
Row = list[float]
Truth = tuple[FloatArray, FloatArray]  # (volumes,) onsets; (places, volumes, rois)


@dataclass(frozen=True)
class SoakPlan:
    """What is run."""

    minutes: float = 60.0
    seed: int = 1
    model: str = "demo"
    rate_hz: float = 250.0


@dataclass
class World:
    """The processes that a fault may meet."""

    session: psutil.Process
    twin: psutil.Process
    subscribers: list[psutil.Process]
    dashboard: psutil.Process
    record: Path  # its recorders are known by it

    def inlets(self) -> list[psutil.Process]:
        """Return the inlet processes of the session, as they are now."""
        return inlets_of(self.session)

    def recorders(self) -> list[psutil.Process]:
        """Return the recorders, which outlive their session."""
        return recorders_of(self.record)


@dataclass
class Found:
    """What came out, of one subscriber that is never disturbed."""

    predictions: list[tuple[float, float, str, Row | None]] = field(
        default_factory=list
    )  # onset, received, status, values
    reasons: Counter[str] = field(default_factory=Counter)
    beats_s: list[float] = field(default_factory=list)
    looks: list[tuple[float, float, int, int]] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    n_gaps: int = 0

    def take(self, message: Message) -> None:
        """Take one message; its time is LSL's clock."""
        body = message.body
        if message.topic == "hb":
            self.beats_s.append(message.t_received_s)
        elif message.topic == "pred.roi" and body["t_trigger"] is not None:
            self.reasons.update(body["reasons"])
            self.predictions.append(
                (
                    body["t_trigger"],
                    message.t_received_s,
                    body["status"],
                    body["values"],
                )
            )


# Faults: each takes some seconds at most and says what it did


def _still(process: psutil.Process, seconds: float) -> None:
    process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


def stall(world: World, rng: random.Random) -> str:
    """Hold the sender up; what it missed comes at once afterwards."""
    seconds = rng.choice((0.9, 3.0, 8.0))
    _still(world.twin, seconds)
    return f"sender still for {seconds:g} s"


def kill_inlet(world: World, rng: random.Random) -> str:
    """Kill an inlet process."""
    if inlets := world.inlets():
        rng.choice(inlets).kill()
    return "inlet killed"


def hang_inlet(world: World, rng: random.Random) -> str:
    """Let an inlet process hang."""
    if inlets := world.inlets():
        with suppress(psutil.Error):  # it is ended and replaced meanwhile
            _still(rng.choice(inlets), 4.0)
    return "inlet hangs"


def freeze_subscriber(world: World, rng: random.Random) -> str:
    """Freeze a subscriber."""
    _still(rng.choice(world.subscribers), 10.0)
    return "subscriber frozen for 10 s"


def freeze_dashboard(world: World, _: random.Random) -> str:
    """Freeze the dashboard."""
    _still(world.dashboard, 6.0)
    return "dashboard frozen for 6 s"


def kill_recorder(world: World, _: random.Random) -> str:
    """Kill the recorder."""
    for process in world.recorders():
        process.kill()
    return "recorder killed"


def load(_: World, rng: random.Random) -> str:
    """Keep both cores busy."""
    busy = [_busy() for _ in range(2)]
    try:
        time.sleep(rng.choice((3.0, 10.0)))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return "both cores busy"


FAULTS: dict[str, Callable[[World, random.Random], str]] = {
    fault.__name__: fault
    for fault in (
        stall, kill_inlet, hang_inlet, freeze_subscriber, freeze_dashboard,
        kill_recorder, load,
    )
}  # fmt: skip


def _busy() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


# The run


def run(plan: SoakPlan) -> dict[str, object]:
    """Run it and return the figures of the page."""
    found, rng = Found(), random.Random(plan.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        expected = truth(plan, folder)
        wanted = SessionPlan(
            duration_s=60 * plan.minutes + HEAD_S, model=plan.model,
            rate_hz=plan.rate_hz, record=folder / "rec",
        )  # fmt: skip
        running = start_session(stack, wanted)
        feed = Subscriber(running.address, topics=TOPICS, now_s=pylsl.local_clock)
        stack.enter_context(feed)
        shown = stack.enter_context(dashboard(running.address))
        others = [
            start(stack, ["monitor", "--connect", running.address, "--timeout", "120"])
            for _ in range(N_SUBSCRIBERS - 1)
        ]
        world = World(
            psutil.Process(running.loop.pid), psutil.Process(running.twin.pid),
            [psutil.Process(process.pid) for process, _ in others], shown,
            folder / "rec",
        )  # fmt: skip
        _follow(found, feed, Chaos(world, rng, found, plan))
        found.n_gaps = sum(feed.n_gaps.values())
        said = last_line(running.loop_log)
    return figures(plan, found, expected, said)


def truth(plan: SoakPlan, folder: Path) -> Truth:
    """Return onsets and values of every volume, from the file of the same twin."""
    duration_s = 60 * plan.minutes + HEAD_S + 60.0
    command = [sys.executable, "-m", "rtbold"]
    made = [
        "simulate", "--seed", str(SessionPlan.seed), "--rate", f"{plan.rate_hz:g}",
        "--duration", f"{duration_s:g}", "--save", str(folder / "twin"),
    ]  # fmt: skip
    subprocess.run([*command, *made], check=True, env=one_thread(), capture_output=True)
    recording = read_recording(folder / "twin" / "eeg.vhdr")
    bundle = bundles.load(plan.model)
    with closing(open_engine(bundle)) as engine:
        schedule = ScheduleSettings(tr_s=bundle.card.tr_s)
        settings = PipelineSettings(schedule=schedule)
        each = [
            _values(_without(recording, n), Pipeline(bundle.card, engine, settings))
            for n in range(grid_places(recording.rate_hz))
        ]
    onsets = np.array([m.t_s for m in recording.markers if m.label == "R128"])
    values = np.full((len(each), len(onsets), len(bundle.card.rois)), np.nan)
    for place, found in enumerate(each):
        for volume, row in found.items():
            values[place, volume] = row
    return onsets, values


def grid_places(rate_hz: float) -> int:
    """Return at how many places the 200 Hz grid can lie on the samples of a stream."""
    return round(rate_hz) // math.gcd(round(rate_hz), GRID_HZ)


def _without(recording: Recording, n: int) -> Recording:
    """Return a recording without its first samples; times are from its first."""
    shift_s = n / recording.rate_hz
    markers = tuple(
        replace(m, t_s=m.t_s - shift_s) for m in recording.markers if m.t_s >= shift_s
    )
    return replace(recording, data_uv=recording.data_uv[:, n:], markers=markers)


def _values(recording: Recording, pipeline: Pipeline) -> dict[int, Row]:
    """Return the values of each volume that has any."""
    triggers = [(m.t_s, m.label) for m in recording.markers if m.label == "R128"]
    found: dict[int, Row] = {}
    for event in triggered_events(recording, triggers):
        for made in pipeline.push(event):
            if made.values is not None and made.tick.volume_index is not None:
                found[made.tick.volume_index] = [float(v) for v in made.values]
    return found


class Chaos:
    """Does one fault after another, at times that the seed gives, while it is asked."""

    def __init__(
        self, world: World, rng: random.Random, found: Found, plan: SoakPlan
    ) -> None:
        self._world, self._rng, self._found = world, rng, found
        self._begun_s = time.monotonic()
        self._due_s = self._begun_s + HEAD_S
        self._end_s = self._begun_s + 60 * plan.minutes + HEAD_S - SPARE_S

    def alive(self) -> bool:
        """Return whether the session runs."""
        return self._world.session.is_running() and (
            self._world.session.status() != psutil.STATUS_ZOMBIE
        )

    def turn(self) -> None:
        """Do a fault if one is due; it is done in this thread and takes seconds."""
        now_s = time.monotonic()
        if not self._due_s <= now_s < self._end_s:
            return
        fault = self._rng.choice(list(FAULTS.values()))
        self._found.faults.append((pylsl.local_clock(), fault(self._world, self._rng)))
        self._due_s = time.monotonic() + self._rng.expovariate(1 / MEAN_BETWEEN_S) + 5.0

    def look(self) -> None:
        """Note what the session and its inlets hold."""
        group = [self._world.session, *self._world.inlets()]
        with suppress(psutil.Error):
            self._found.looks.append(
                (
                    time.monotonic() - self._begun_s,
                    sum(p.memory_full_info().uss for p in group) / MIB,
                    sum(p.num_threads() for p in group),
                    sum(p.num_fds() for p in group),
                )
            )


def _follow(found: Found, feed: Subscriber, chaos: Chaos) -> None:
    """Subscribe in this thread; faults and looks are another's business."""
    import threading

    ended = threading.Event()

    def disturb() -> None:
        due_s = time.monotonic()
        while not ended.is_set():
            chaos.turn()
            if time.monotonic() >= due_s:
                chaos.look()
                due_s = time.monotonic() + LOOK_EVERY_S
            ended.wait(0.5)

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    try:
        while chaos.alive():
            for message in feed.poll(0.25):
                found.take(message)
    finally:
        ended.set()
        thread.join(30)


# The figures


def judged(found: Found, expected: Truth, tr_s: float = 2.1) -> dict[str, object]:
    """Hold every prediction against the value of its true window."""
    onsets, values = expected
    sd = np.nanstd(values[0], axis=0)
    first_s = found.predictions[0][0]
    shift_s = first_s - onsets[np.argmin(np.abs(onsets - onsets[0]))]
    seen: Counter[int] = Counter()
    off: dict[str, list[float]] = {"ok": [], "degraded": []}
    last: Row | None = None
    n_repeated = 0
    for onset_s, _, status, row in found.predictions:
        at = round((onset_s - shift_s - onsets[0]) / tr_s)
        if not 0 <= at < len(onsets):
            continue
        seen[at] += 1
        n_repeated += int(row is not None and row == last)
        last = row
        if row is not None and status in off and np.isfinite(values[:, at]).all():
            errors = np.abs(np.array(row, float) - values[:, at]) / sd
            off[status].append(float(np.median(errors, axis=1).min()))
    span = range(min(seen), max(seen) + 1)
    missed = [at for at in span if not seen[at]]
    return {
        "n_volumes": len(seen), "n_missed": len(missed),
        "n_doubled": sum(n - 1 for n in seen.values()), "n_repeated": n_repeated,
        "n_wrong_ok": sum(error > SAME_SD for error in off["ok"]),
        "n_ok": len(off["ok"]), "n_degraded": len(off["degraded"]),
        "n_off_degraded": sum(error > SAME_SD for error in off["degraded"]),
        "worst_ok_sd": max(off["ok"], default=0.0),
        "missed_near_fault": sum(_near(onsets[at] + shift_s, found) for at in missed),
    }  # fmt: skip


def _near(t_s: float, found: Found) -> bool:
    ends = [fault_s for fault_s, _ in found.faults]
    at = bisect.bisect_left(ends, t_s - RECOVERY_S)
    return at < len(ends) and ends[at] - 15.0 <= t_s


def figures(
    plan: SoakPlan, found: Found, expected: Truth, said: str
) -> dict[str, object]:
    """Return what the page says of one soak."""
    beats = np.diff(found.beats_s)
    late_ms = [1000 * (came - onset) for onset, came, _, _ in found.predictions]
    return {
        "minutes": plan.minutes, "seed": plan.seed, "model": plan.model,
        "faults": dict(Counter(what for _, what in found.faults).most_common()),
        "n_faults": len(found.faults),
        "status": dict(Counter(s for _, _, s, _ in found.predictions).most_common()),
        "reasons": dict(found.reasons.most_common()),
        "ms": percentiles(late_ms), "longest_silence_s": float(beats.max()),
        "n_lost_messages": found.n_gaps, "session_said": said,
        "held": {
            name: held([(look[0], look[i]) for look in found.looks])
            for i, name in enumerate(("MiB", "threads", "handles"), start=1)
        },
        **judged(found, expected),
    }  # fmt: skip


def held(looks: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return the median of the first and of the last third, and the most."""
    values = [value for _, value in looks]
    third = max(len(values) // 3, 1)
    return {
        "first": float(np.median(values[:third])),
        "last": float(np.median(values[-third:])),
        "most": float(max(values)),
    }
