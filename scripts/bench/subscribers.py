"""What many subscribers cost those who read, one of each kind frozen among them.

A feed and a bridge in processes of their own; a witness on each reads alone, first by
itself, then beside 300 on ZMQ and 50 on WebSocket that one more process reads. Of each
kind one takes nothing. What is told is how much later the witnesses have a message than
when it was stamped, and what the two processes hold in memory.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zmq

EVERY_S = 0.25  # a prediction; a session has one in two seconds
SETTLE_S = 3.0
PATIENCE_S = 60.0


@dataclass(frozen=True)
class SubscribersPlan:
    """What is run."""

    zmq: int = 300
    websocket: int = 50
    seconds: float = 20.0


def measure(plan: SubscribersPlan) -> dict[str, Any]:
    """Return the rows of the page: alone, and with all."""
    alone = run(SubscribersPlan(0, 0, plan.seconds))
    beside = run(plan)
    return {
        "n_zmq": plan.zmq,
        "n_websocket": plan.websocket,
        "every_s": EVERY_S,
        "rows": [row(name, alone[name], beside[name]) for name in ("ZMQ", "WebSocket")],
        "memory": [
            {"who": who, "alone_mb": alone[who], "beside_mb": beside[who]}
            for who in ("feed", "bridge")
        ],
        "n_read": beside["crowd"],
    }


def row(name: str, alone: list[float], beside: list[float]) -> dict[str, Any]:
    """Return how late one witness had its messages, in milliseconds."""
    found = {"name": name, "n": len(beside)}
    for what, share in (("median", 50), ("p99", 99), ("max", 100)):
        ms = [float(np.percentile(each, share)) for each in (alone, beside)]
        found |= {f"{what}_alone_ms": ms[0], f"{what}_ms": ms[1]}
    found["added_p99_ms"] = found["p99_ms"] - found["p99_alone_ms"]
    return found


def run(plan: SubscribersPlan) -> dict[str, Any]:
    """Run one measurement; latencies by witness, memory by process."""
    with ExitStack() as stack:
        feed, (port,) = stack.enter_context(role("feed"))
        address = f"tcp://127.0.0.1:{port}"
        bridge, (web,) = stack.enter_context(role("bridge", address))
        crowd = None
        if plan.zmq or plan.websocket:
            given = (address, str(web), str(plan.zmq - 1), str(plan.websocket - 1))
            crowd, _ = stack.enter_context(role("crowd", *given))
            stack.enter_context(frozen(port, web))
        witnesses = [
            stack.enter_context(role("witness_zmq", address))[0],
            stack.enter_context(role("witness_websocket", str(web)))[0],
        ]
        time.sleep(SETTLE_S)
        for process in witnesses:
            tell(process, "begin")
        time.sleep(plan.seconds)
        found: dict[str, Any] = {
            name: json.loads(tell(process, "end"))
            for name, process in zip(("ZMQ", "WebSocket"), witnesses, strict=True)
        }
        for name, process in (("feed", feed), ("bridge", bridge)):
            found[name] = psutil.Process(process.pid).memory_info().rss / 1e6
        found["crowd"] = json.loads(tell(crowd, "end")) if crowd else 0
    return found


@contextmanager
def role(name: str, *given: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run one role as a process; give it and the numbers that it says first."""
    command = [sys.executable, str(Path(__file__)), name, *given]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, [int(word) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def tell(process: subprocess.Popen[str], word: str) -> str:
    """Say a word to a role; return its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline()


@contextmanager
def frozen(port: int, web: int) -> Iterator[None]:
    """Connect one of each kind that takes nothing."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.set(zmq.RCVHWM, 1)
    subscriber.set(zmq.RCVBUF, 2048)
    subscriber.subscribe("")
    subscriber.connect(f"tcp://127.0.0.1:{port}")
    browser = socket.socket()
    browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    browser.connect(("127.0.0.1", web))
    browser.sendall(
        b"GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    try:
        yield
    finally:
        browser.close()
        context.destroy(linger=0)


# The roles; each a process.


def feed() -> None:
    """Publish predictions with a stamp that all processes of a machine share."""
    from rtbold.clock import MonotonicClock
    from rtbold.feedback import FeedbackSettings
    from rtbold.publish import Feed, FeedSettings, Ports
    from rtbold.sim.fake import FakePlan, FakeSession
    from rtbold.sim.fake_messages import fake_card, fake_hello
    from rtbold.sim.fake_script import default_script

    clock = MonotonicClock()
    card = fake_card(EVERY_S, n_rois=64)
    target = FeedbackSettings()
    now = {"now_lsl_s": clock.now_s, "now_unix_s": time.time}
    with Feed(FeedSettings(port=0), session="bench", **now) as out:
        out.publish(fake_hello(card, Ports(feed=out.port), target))
        out.set_state("running", None)
        print(out.port, flush=True)
        plan = FakePlan(card=card, target=target, speed=2.1 / EVERY_S, truth=False)
        FakeSession(plan, out, clock).play(default_script())


def bridge(address: str) -> None:
    """Run the bridge itself."""
    from rtbold.bridge import Bridge, BridgeSettings
    from rtbold.clock import MonotonicClock

    settings = BridgeSettings(connect=address, websocket=0)
    made = Bridge(settings, clock=MonotonicClock(), say=lambda _: None)
    print(made.outlets[0].port, flush=True)  # type: ignore[attr-defined]  # it has one
    made.run()


def witness_zmq(address: str) -> None:
    """Note how late each prediction comes."""
    from rtbold.client import Subscriber

    late_ms: list[float] = []
    words = Words(late_ms)
    with Subscriber(address, ("pred.fb",)) as subscriber:
        print(flush=True)
        while not words.ended():
            for message in subscriber.poll(0.05):
                if message.topic == "pred.fb" and not message.body["replayed"]:
                    sent_s = message.body["t_lsl"]
                    late_ms.append(1000 * (time.monotonic() - sent_s))


def witness_websocket(port: str) -> None:
    """Note how late each prediction comes to a browser."""
    from websockets.sync.client import connect

    late_ms: list[float] = []
    words = Words(late_ms)
    with connect(f"ws://127.0.0.1:{port}/feed?topics=pred.fb") as browser:
        print(flush=True)
        while not words.ended():
            body = json.loads(browser.recv(PATIENCE_S))
            if not body["replayed"]:
                late_ms.append(1000 * (time.monotonic() - body["t_lsl"]))


class Words:
    """What the bench says: ``begin`` empties the figures, ``end`` asks for them."""

    def __init__(self, figures: list[float]) -> None:
        self._figures = figures
        self._poller = zmq.Poller()
        self._poller.register(sys.stdin.fileno(), zmq.POLLIN)

    def ended(self) -> bool:
        """Whether the bench has said ``end``; it is answered."""
        if not self._poller.poll(0):
            return False
        if sys.stdin.readline() == "begin\n":
            self._figures.clear()
            print(flush=True)
            return False
        print(json.dumps(self._figures), flush=True)
        return True


def crowd(address: str, port: str, n_zmq: str, n_websocket: str) -> None:
    """Read everything, as so many subscribers, and say how many messages came."""
    asyncio.run(_crowd(address, port, int(n_zmq), int(n_websocket)))


async def _crowd(address: str, port: str, n_zmq: int, n_websocket: int) -> None:
    from websockets.asyncio.client import connect
    from zmq.asyncio import Context

    context, n = Context(io_threads=1), 0
    context.set(zmq.MAX_SOCKETS, 2 * n_zmq + 100)

    async def subscriber() -> None:
        nonlocal n
        reader = context.socket(zmq.SUB)
        for topic in ("pred.fb", "hb", "phase"):
            reader.subscribe(topic)
        reader.connect(address)
        while True:
            await reader.recv_multipart()
            n += 1

    async def browser() -> None:
        nonlocal n
        async with connect(f"ws://127.0.0.1:{port}/feed", compression=None) as reader:
            async for _ in reader:
                n += 1

    tasks = [asyncio.create_task(subscriber()) for _ in range(n_zmq)]
    tasks += [asyncio.create_task(browser()) for _ in range(n_websocket)]
    print(flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    failed = [task.exception() for task in tasks if task.done()]
    assert not failed, failed
    print(n, flush=True)


ROLES = {
    "feed": feed,
    "bridge": bridge,
    "witness_zmq": witness_zmq,
    "witness_websocket": witness_websocket,
    "crowd": crowd,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
