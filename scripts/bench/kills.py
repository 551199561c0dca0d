"""Random SIGKILLs over the processes of recorded sessions, and what each of them cost.

After each the record is read: what was published more than a second before must be in
it, and the EEG must reach up to a second before. Then what died is started again, and
must come to a value by itself.
"""

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
import pylsl

from bench.processes import (
    Process,
    end,
    free_ports,
    inlets_of,
    last_line,
    recorders_of,
    start,
    unseen_dashboard,
)
from rtbold.client import Subscriber
from rtbold.errors import RtboldError
from rtbold.files import load_streams
from rtbold.record import PUBLISHED_NAME, session_parts

AT_ONCE = 2  # worlds beside each other; each kill waits most of its time
HEARD_S = 180.0  # from a start to the first value, at most
BEFORE_S = 1.0  # what is older than so much may not be lost
TOPICS = ("pred.roi", "pred.fb")
TWIN_S = 3600.0
Key = tuple[str, str, float]  # session, topic, end of the window


@dataclass(frozen=True)
class KillsPlan:
    """What is run."""

    kills: int = 50
    seed: int = 1
    model: str = "demo"
    rate_hz: float = 250.0


@dataclass(frozen=True)
class Killed:
    """One kill and what was found afterwards."""

    victim: str
    n_published: int  # messages that were heard more than a second before
    n_lost: int  # of them not in the record
    eeg_short_s: float  # from the last recorded sample to the kill
    back_s: float | None  # until a value was heard again; None: it was not
    said: str = ""  # the last line of a session that did not come back


@dataclass
class Heard:
    """What one subscriber heard; written by its thread."""

    at_s: dict[Key, float] = field(default_factory=dict)  # on LSL's clock
    values_s: list[float] = field(default_factory=list)
    session: str = ""  # whose message came last

    def take(self, feed: Subscriber) -> None:
        """Take what has come."""
        for message in feed.poll(0.2):
            now_s, body = pylsl.local_clock(), message.body
            if message.topic in TOPICS:
                self.session = str(body["session"])
                key = (self.session, message.topic, float(body["window"]["t_end"]))
                self.at_s.setdefault(key, now_s)
            if message.topic == "pred.roi" and body["values"] is not None:
                self.values_s.append(now_s)


class World:
    """A twin, a recorded session, a dashboard and a subscriber; each may be killed."""

    def __init__(self, stack: ExitStack, plan: KillsPlan, name: str) -> None:
        self._stack, self._plan, self._name = stack, plan, name
        self._root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._ports = free_ports()
        self._address = f"tcp://127.0.0.1:{self._ports[0]}"
        self.heard = Heard()
        self._ended = threading.Event()
        self.twin = self._start_twin()
        self.session = self._start_session()
        self.shown = self._start_dashboard()
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        stack.callback(lambda: (self._ended.set(), thread.join(10)))

    def _listen(self) -> None:
        with Subscriber(self._address, (*TOPICS, "hello")) as feed:
            while not self._ended.is_set():
                self.heard.take(feed)

    def _start_twin(self) -> Process:
        return start(self._stack, [
            "simulate", "--seed", str(self._plan.seed), "--name", self._name,
            "--rate", f"{self._plan.rate_hz:g}", "--duration", f"{TWIN_S:g}",
        ])[0]  # fmt: skip

    def _start_session(self) -> Process:
        port, control_port = self._ports
        process, self._log = start(self._stack, [
            "run", "--model", self._plan.model, "--stream", f"{self._name}-eeg",
            "--trigger-stream", f"{self._name}-markers", "--trigger", "R128",
            "--wait", "240", "--record", str(self._root),
            "--port", str(port), "--control-port", str(control_port),
        ])  # fmt: skip
        return process

    def _start_dashboard(self) -> Process:
        return unseen_dashboard(self._stack, self._address)

    @property
    def session_folder(self) -> Path:
        """The folder of the newest session."""
        found = self._root.rglob(PUBLISHED_NAME)
        return max(found, key=lambda path: path.stat().st_ctime_ns).parent

    def kill(self, victim: str) -> float:
        """Kill it; return when, on LSL's clock."""
        session = psutil.Process(self.session.pid)
        inlets, recorders = inlets_of(session), recorders_of(self._root)
        those: dict[str, Sequence[Process | psutil.Process]] = {
            "session": [self.session],
            "one inlet": inlets[:1],
            "both inlets": inlets,
            "recorder": recorders,
            "sender": [self.twin],
            "dashboard": [self.shown],
            "session and recorder": [self.session, *recorders],
            "all": [self.session, *inlets, *recorders, self.twin, self.shown],
        }
        killed_s = pylsl.local_clock()
        for process in those[victim]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for own in (self.session, self.twin, self.shown):
            if own in those[victim]:
                own.wait()
        return killed_s

    def start_again(self) -> None:
        """Start what was started by hand and is gone."""
        if self.twin.poll() is not None:
            self.twin = self._start_twin()
        if self.session.poll() is not None:
            self.session = self._start_session()
        if self.shown.poll() is not None:
            self.shown = self._start_dashboard()

    def value_after(self, t_s: float, within_s: float) -> float | None:
        """Wait for a value; return how long after `t_s` it came."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            if self.heard.values_s and self.heard.values_s[-1] > t_s:
                return next(v for v in self.heard.values_s if v > t_s) - t_s
            time.sleep(0.2)
        return None

    def last_words(self) -> str:
        """Return what the session said last."""
        return last_line(self._log)

    def close(self) -> None:
        """End the recorders, which outlive everybody."""
        end(self.session)
        for process in recorders_of(self._root):
            process.kill()


VICTIMS = (
    "session", "one inlet", "both inlets", "recorder", "sender", "dashboard",
    "session and recorder", "all",
)  # fmt: skip


def run(plan: KillsPlan) -> dict[str, object]:
    """Kill so often; return the figures of the page."""
    rng = random.Random(plan.seed)
    # Every victim as often as the others, in an order that the seed gives
    victims = [VICTIMS[n % len(VICTIMS)] for n in range(plan.kills)]
    rng.shuffle(victims)
    shares = [victims[n::AT_ONCE] for n in range(AT_ONCE)]
    seeds = [rng.random() for _ in shares]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(
            lambda n: _world(plan, f"kills-{n}-{time.time_ns()}", shares[n], seeds[n]),
            range(AT_ONCE),
        )
        return figures(plan, [killed for share in done for killed in share])


def _world(
    plan: KillsPlan, name: str, victims: Sequence[str], seed: float
) -> list[Killed]:
    rng = random.Random(seed)
    with ExitStack() as stack:
        world = World(stack, plan, name)
        stack.callback(world.close)
        if world.value_after(0.0, 4 * HEARD_S) is None:
            raise RuntimeError(f"no value at the start: {world.last_words()}")
        return [_one(world, victim, rng.uniform) for victim in victims]


def _one(world: World, victim: str, uniform: Callable[[float, float], float]) -> Killed:
    """Let it run a while, kill, read what is left, start again."""
    time.sleep(uniform(2.0, 9.0))
    folder = world.session_folder
    killed_s = world.kill(victim)
    time.sleep(0.5)  # what was under way to the subscriber
    wanted = {
        key
        for key, at_s in dict(world.heard.at_s).items()
        if key[0] == world.heard.session and at_s < killed_s - BEFORE_S
    }
    lost = missing(wanted, folder)
    short_s = killed_s - last_sample_s(folder)
    world.start_again()
    # Of a window that ends after the kill, not one that was under way
    again_s = killed_s if victim == "dashboard" else killed_s + BEFORE_S
    back_s = world.value_after(again_s, HEARD_S)
    said = world.last_words() if back_s is None else ""
    result = Killed(victim, len(wanted), len(lost), short_s, back_s, said)
    print(json.dumps(asdict(result)), flush=True)
    return result


def missing(heard: set[Key], folder: Path) -> set[Key]:
    """Return what was heard and is not in the record of this folder."""
    kept = set()
    for line in (folder / PUBLISHED_NAME).read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            body = json.loads(line)
            if body.get("topic") in TOPICS:
                kept.add((body["topic"], float(body["window"]["t_end"])))
    return {key for key in heard if key[1:] not in kept}


def last_sample_s(folder: Path) -> float:
    """Return the stamp of the last EEG sample that can be read."""
    last_s = 0.0
    for part in session_parts(folder):
        with suppress(RtboldError):  # one that had just been begun may be empty
            for stream in load_streams(part)[0]:
                if stream.description.type == "EEG" and len(stream.stamps_s):
                    last_s = max(last_s, float(stream.stamps_s[-1]))
    return last_s


def figures(plan: KillsPlan, done: Sequence[Killed]) -> dict[str, object]:
    """Return what the page says."""
    rows = []
    for victim in VICTIMS:
        those = [killed for killed in done if killed.victim == victim]
        back_s = [k.back_s for k in those if k.back_s is not None]
        rows.append({
            "victim": victim, "n": len(those),
            "n_published": sum(k.n_published for k in those),
            "n_lost": sum(k.n_lost for k in those),
            # where the sender itself was killed, it is what it sent last
            "eeg_short_s": max((k.eeg_short_s for k in those), default=0.0),
            "n_back": len(back_s), "back_s": max(back_s, default=0.0),
        })  # fmt: skip
    return {
        "kills": len(done), "seed": plan.seed, "model": plan.model, "rows": rows,
        "said": [k.said for k in done if k.said],
    }  # fmt: skip
