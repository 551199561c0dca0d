"""A session with the twin on this machine: latency, missed TRs, memory, CPU."""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import psutil
import pylsl

from bench.echo import Echo
from bench.processes import Process, SessionPlan, last_line, percentiles, start_session
from rtbold.client import Message, Subscriber

LOOK_EVERY_S = 5.0
HEAD_S = 25.0  # warm-up of the session before it is measured
BEGIN_S, SILENCE_S = 300.0, 60.0
SETTLED_S = 60.0  # what start-up took has been given back by then
EDGE_S = 300.0  # memory at the start and at the end is that of five minutes
MIB = 1 << 20
TOPICS = ("hello", "pred.fb", "trigger", "quality", "hb")

Seen = dict[str, tuple[float, int]]  # processes -> CPU seconds, unique bytes


@dataclass(frozen=True)
class LatencyPlan:
    """What is run."""

    minutes: float = 30.0
    model: str = "demo"
    rate_hz: float = 1000.0


@dataclass
class LatencyRun:
    """What a subscriber saw, and what the processes cost meanwhile."""

    from_arrival_ms: list[float] = field(default_factory=list)
    from_lsl_ms: list[float] = field(default_factory=list)
    from_window_ms: list[float] = field(default_factory=list)
    needed_s: list[tuple[float, float]] = field(default_factory=list)  # came
    beyond_echo_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)
    triggers: set[int] = field(default_factory=set)
    n_unlocked: int = 0
    n_by_status: Counter[str] = field(default_factory=Counter)
    quality: dict[str, object] = field(default_factory=dict)
    looks: list[tuple[float, Seen]] = field(default_factory=list)
    n_lost_messages: int = 0
    twin_said: str = ""
    loop_said: str = ""

    def take(self, message: Message) -> None:
        """Take one message; `t_received_s` is on LSL's clock."""
        body = message.body
        if message.topic == "quality":
            self.quality = body
        elif message.topic == "trigger" and body["volume_index"] is not None:
            self.triggers.add(body["volume_index"])
        elif message.topic == "pred.fb":
            self.n_by_status[body["status"]] += 1
            if body["volume_index"] is not None:
                self.volumes.append(body["volume_index"])
                self.n_unlocked += not body["trigger_locked"]
            self._time(message)

    def _time(self, message: Message) -> None:
        """Note the latencies of a prediction that has a value."""
        body, stage = message.body, message.body["latency_ms"]
        if stage["infer"] is None or stage["arrive"] is None:
            return
        from_window = 1000 * (message.t_received_s - body["window"]["t_end"])
        # from the pipeline to the subscriber; then back to the sample's own time
        inside = stage["prepare"] + stage["infer"] + stage["publish"]
        from_pipeline = from_window - (body["age_ms"] - inside)
        from_lsl = from_pipeline + stage["acquire"]
        self.from_window_ms.append(from_window)
        self.from_lsl_ms.append(from_lsl)
        self.from_arrival_ms.append(from_lsl - stage["arrive"])
        came_s = message.t_received_s
        self.needed_s.append((came_s - from_lsl / 1000, came_s))
        self.infer_ms.append(stage["infer"])

    @property
    def n_missed(self) -> int:
        """Volumes up to the last predicted one without a prediction."""
        if not self.volumes:
            return 0
        due = self.triggers | set(range(max(self.volumes) + 1))
        return len({v for v in due if v <= max(self.volumes)} - set(self.volumes))

    @property
    def n_doubled(self) -> int:
        """Predictions beyond the first of their volume."""
        return len(self.volumes) - len(set(self.volumes))


def run(plan: LatencyPlan) -> LatencyRun:
    """Run twin, session and subscriber, each a process; return what was seen."""
    seen, duration_s = LatencyRun(), 60 * plan.minutes + HEAD_S
    wanted = SessionPlan(duration_s=duration_s, model=plan.model, rate_hz=plan.rate_hz)
    with ExitStack() as stack:
        running = start_session(stack, wanted)
        # LSL's clock is this machine's, as is every time in the body.
        feed = Subscriber(running.address, topics=TOPICS, now_s=pylsl.local_clock)
        echo = stack.enter_context(Echo(running.stream))
        _follow(seen, stack.enter_context(feed), running.loop)
        for needed_s, came_s in seen.needed_s:
            if (echo_s := echo.came_s(needed_s)) is not None:
                seen.beyond_echo_ms.append(1000 * (came_s - echo_s))
        seen.n_lost_messages = sum(feed.n_gaps.values())
        running.twin.terminate()
        running.twin.wait(30)
        seen.twin_said = last_line(running.twin_log)
        seen.loop_said = last_line(running.loop_log)
    if not seen.from_window_ms:
        raise RuntimeError(f"no prediction came. The session: {seen.loop_said}")
    return seen


def _follow(seen: LatencyRun, feed: Subscriber, loop: Process) -> None:
    """Subscribe until the session ends; look at its processes from time to time."""
    first_s = due_s = None
    heard_s = time.monotonic()
    while loop.poll() is None:
        messages = feed.poll(0.25)
        for message in messages:
            seen.take(message)
        now_s = time.monotonic()
        heard_s = now_s if messages else heard_s
        begun = bool(seen.from_window_ms)
        if now_s - heard_s > (SILENCE_S if begun else BEGIN_S):
            raise RuntimeError(
                f"the session has said nothing for {now_s - heard_s:.0f} s"
            )
        if begun and (due_s is None or now_s >= due_s):
            first_s = now_s if first_s is None else first_s
            due_s = now_s + LOOK_EVERY_S
            look = _look(loop.pid)
            if not seen.looks or not ending(seen.looks[-1][1], look):
                seen.looks.append((now_s - first_s, look))


def _look(pid: int) -> Seen:
    """Return CPU time and unique memory of the session and its inlet processes."""
    top = psutil.Process(pid)
    groups = {"loop and feed": [top], "inlets": top.children(recursive=True)}
    found: Seen = {}
    for name, processes in groups.items():
        try:
            times = [p.cpu_times() for p in processes]
            uss = sum(p.memory_full_info().uss for p in processes)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue  # the session is ending
        found[name] = (sum(t.user + t.system for t in times), uss)
    return found


def ending(before: Seen, now: Seen) -> bool:
    """Return whether a process has gone: CPU time of those that run never falls."""
    return any(now.get(name, (0.0, 0))[0] < cpu for name, (cpu, _) in before.items())


def figures(plan: LatencyPlan, seen: LatencyRun) -> dict[str, object]:
    """Return what the page says of one session."""
    ms = {
        "beyond a bare echo of the last needed sample": seen.beyond_echo_ms,
        "arrival of the last needed sample to subscriber": seen.from_arrival_ms,
        "that sample's LSL time to subscriber": seen.from_lsl_ms,
        "window end T to subscriber (filter included)": seen.from_window_ms,
        "inference alone, as the session timed it": seen.infer_ms,
    }
    return {
        "minutes": plan.minutes, "model": plan.model, "rate_hz": plan.rate_hz,
        "n_values": len(seen.from_window_ms),
        "ms": {label: percentiles(values) for label, values in ms.items() if values},
        "n_volumes": len(set(seen.volumes)), "n_missed": seen.n_missed,
        "n_doubled": seen.n_doubled, "n_unlocked": seen.n_unlocked,
        "n_lost_messages": seen.n_lost_messages,
        "status": dict(seen.n_by_status.most_common()),
        "quality": {
            name: seen.quality.get(name)
            for name in (
                "n_gaps", "n_missing_samples", "n_stamp_steps", "n_triggers_missed",
            )
        },
        "processes": _processes(seen), "memory": _memory(seen),
        "twin_said": seen.twin_said, "session_said": seen.loop_said,
    }  # fmt: skip


def _processes(seen: LatencyRun) -> dict[str, dict[str, float]]:
    found = {}
    for name in seen.looks[0][1] if seen.looks else ():
        looks = [(t, each[name]) for t, each in seen.looks if name in each]
        (t0, (cpu0, _)), (t1, (cpu1, _)) = looks[0], looks[-1]
        share = (cpu1 - cpu0) / (t1 - t0) if t1 > t0 else float("nan")
        found[name] = {"cpu_share": share, **_mib([(t, uss) for t, (_, uss) in looks])}
    return found


def _mib(looks: list[tuple[float, int]]) -> dict[str, float]:
    """Return MiB: median at the start, median at the end, greatest."""
    end_s = looks[-1][0]
    edge_s = min(EDGE_S, end_s / 3)
    first = [uss for t, uss in looks if t <= edge_s]
    last = [uss for t, uss in looks if t >= end_s - edge_s]
    return {
        "first_mib": float(np.median(first)) / MIB,
        "last_mib": float(np.median(last)) / MIB,
        "max_mib": max(uss for _, uss in looks) / MIB,
    }


def _memory(seen: LatencyRun) -> dict[str, float] | None:
    """Return what all processes hold together, and whether it grows."""
    n_processes = len(seen.looks[0][1]) if seen.looks else 0
    whole = [
        (t, sum(uss for _, uss in found.values()))
        for t, found in seen.looks
        if len(found) == n_processes
    ]
    if len(whole) < 3:
        return None
    settled_s = min(SETTLED_S, whole[-1][0] / 3)
    later = [(t, uss / MIB) for t, uss in whole if t >= settled_s]
    slope = np.polyfit([t for t, _ in later], [mib for _, mib in later], 1)[0]
    more = {"settled_s": settled_s, "mib_an_hour": float(3600 * slope)}
    return {**_mib(whole), "n_looks": len(later), **more}
