"""A bare echo: what this machine needs to hand on a sample, whatever a loop adds.

    python scripts/bench/echo.py STREAM

It pulls a stream and publishes the stamp of each newest sample, nothing else. It says
its port first, and ends when its standard input closes.
"""

import bisect
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import zmq

WAIT_S = 60.0
HALF_SAMPLE_S = 0.0005


class Echo:
    """The echo's process, and when each of its messages came, on LSL's clock."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._newest_s: list[float] = []
        self._received_s: list[float] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__), self._stream],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        import pylsl

        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.subscribe(b"")
            socket.set(zmq.RCVTIMEO, 1000)
            socket.connect(f"tcp://127.0.0.1:{port}")
            while self._process.poll() is None:
                try:
                    message = socket.recv()
                except zmq.Again:
                    continue
                received_s = pylsl.local_clock()
                self._received_s.append(received_s)
                self._newest_s.append(json.loads(message))

    def came_s(self, sample_s: float) -> float | None:
        """Return when the echo of a sample came; None: it did not."""
        return first_with(self._newest_s, self._received_s, sample_s)


def first_with(
    newest_s: Sequence[float], received_s: Sequence[float], sample_s: float
) -> float | None:
    """Return when the first message came whose newest sample is this or a later one."""
    at = bisect.bisect_left(newest_s, sample_s - HALF_SAMPLE_S)
    return received_s[at] if at < len(newest_s) else None


def main(stream: str) -> None:
    """Echo until the input closes."""
    import pylsl

    (info, *_) = pylsl.resolve_byprop("name", stream, timeout=WAIT_S)
    inlet = pylsl.StreamInlet(info)
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
        while True:
            _, stamp = inlet.pull_sample(timeout=1.0)
            if stamp is not None:
                _, more = inlet.pull_chunk(timeout=0.0)
                socket.send(json.dumps((more or [stamp])[-1]).encode())


if __name__ == "__main__":
    main(sys.argv[1])
