"""The demo: a twin, a session and a subscriber, each a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import numpy as np

from rtbold.client import Body, Message, Subscriber
from rtbold.errors import RtboldError
from rtbold.messages import FloatArray
from rtbold.sim.bold import filtered_target
from rtbold.truth import pearson_r

ENOUGH_VOLUMES = 60  # fewer say nothing about a correlation
POLITE_END_S = 25.0
SPARE_S = 30.0  # the twin outlives the session


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What is simulated, and which model looks at it."""

    seed: int
    duration_s: float
    model: str = "demo"
    engine: str = "auto"
    precision: str = "f32"
    level: str = "hard"
    port: int = 5580
    control_port: int = 5581
    name: str = "rtbold-demo"

    @property
    def streams(self) -> str:
        """Common start of the twin's stream names; no other demo has it."""
        return f"{self.name}-{os.getpid()}"


class DemoProcesses:
    """The twin and the session; both end with this object.

    Raises
    ------
    RtboldError : one of them ended by itself; its own words are in the message.
    """

    def __init__(self, settings: DemoSettings) -> None:
        self._logs: dict[str, IO[bytes]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        twin = [
            "simulate", "--seed", str(settings.seed), "--level", settings.level,
            "--duration", str(settings.duration_s + SPARE_S),
            "--name", settings.streams, "--wait-for-consumers", "60",
        ]  # fmt: skip
        session = [
            "run", "--model", settings.model, "--stream", f"{settings.streams}-eeg",
            "--trigger-stream", f"{settings.streams}-markers", "--trigger", "R128",
            "--duration", str(settings.duration_s), "--wait", "60",
            "--engine", settings.engine, "--precision", settings.precision,
            "--port", str(settings.port), "--control-port", str(settings.control_port),
            "--truth", f"lsl:{settings.streams}-bold",
        ]  # fmt: skip
        try:
            self._start("twin", twin)
            self._start("session", session)
        except BaseException:
            self.close()
            raise

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        log = tempfile.TemporaryFile(prefix=f"rtbold-{name}-")
        self._logs[name] = log
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "rtbold", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    @property
    def running(self) -> bool:
        """Whether the session still runs.

        Raises
        ------
        RtboldError : the session has failed, or the twin ended before it.
        """
        for name, process in self._processes.items():
            code = process.poll()
            if code not in (None, 0):
                raise RtboldError(
                    f"the demo's {name} ended with exit code {code}: {self._tail(name)}"
                )
        return self._processes["session"].poll() is None

    def _tail(self, name: str) -> str:
        log = self._logs[name]
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("rtbold: ") if lines else "it said nothing"

    def close(self) -> None:
        """End both, politely first."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(POLITE_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs.values():
            log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass(slots=True)
class DemoData:
    """Predictions and measured BOLD, paired by volume index and nothing else."""

    rois: tuple[str, ...] = ()
    tr_s: float = 2.1
    predicted: dict[int, FloatArray] = field(default_factory=dict)
    measured: dict[int, FloatArray] = field(default_factory=dict)
    n_by_status: dict[str, int] = field(default_factory=dict)
    newest: Body = field(default_factory=dict)  # of the last pred.fb
    # As the session publishes it: both causally filtered; None: not enough volumes.
    r_so_far: dict[str, float | None] = field(default_factory=dict)

    def take(self, message: Message) -> bool:
        """Take one message of the feed; return whether there is something to show."""
        body = message.body
        if message.topic == "hello":
            self.rois, self.tr_s = tuple(body["rois"]), float(body["tr_s"])
        elif message.topic == "pred.roi":
            index, values = body["volume_index"], body["values"]
            if index is not None and values is not None:
                self.predicted[index] = np.array(values, dtype=float)
        elif message.topic == "truth":
            self._take_truth(body)
        elif message.topic == "pred.fb":
            status = body["status"]
            self.n_by_status[status] = self.n_by_status.get(status, 0) + 1
            self.newest = body
            return True
        return False

    def _take_truth(self, body: Body) -> None:
        """Take one measured volume; NaN where an ROI of the model is not measured."""
        measured = dict(zip(body["rois"], body["values"], strict=True))
        values = [measured.get(roi) for roi in self.rois]
        self.measured[body["volume_index"]] = np.array(values, dtype=float)
        scores = zip(body["rois"], body["scores"], strict=True)
        self.r_so_far = {roi: score["r"] for roi, score in scores}

    @property
    def paired(self) -> tuple[FloatArray, FloatArray]:
        """Predictions and raw measurements of the same volumes, (volumes, rois)."""
        both = sorted(set(self.predicted) & set(self.measured))
        if not both:
            empty = np.empty((0, len(self.rois)))
            return empty, empty
        return (
            np.array([self.predicted[i] for i in both]),
            np.array([self.measured[i] for i in both]),
        )

    def correlations(self) -> FloatArray | None:
        """Return R of each ROI with what was measured, after the run; (rois,).

        The measurement is low-passed at 0.15 Hz, forwards and backwards, as the target
        was in training. None where the volumes do not suffice.
        """
        measured = sorted(self.measured)
        if len(measured) < ENOUGH_VOLUMES:
            return None
        target = filtered_target(
            np.array([self.measured[i] for i in measured]), self.tr_s
        )
        rows = [k for k, i in enumerate(measured) if i in self.predicted]
        if len(rows) < ENOUGH_VOLUMES:
            return None
        predicted = np.array([self.predicted[measured[k]] for k in rows])
        return pearson_r(predicted, target[rows], constant=np.nan)


def feed_address(settings: DemoSettings) -> str:
    """Return where the demo's session publishes."""
    return f"tcp://127.0.0.1:{settings.port}"


def subscriber(settings: DemoSettings) -> Subscriber:
    """Subscribe as any app would."""
    return Subscriber(
        feed_address(settings), topics=("hello", "pred.roi", "pred.fb", "truth", "hb")
    )


def card_of(model: str) -> Path:
    """Return the card of a bundle, to fail early where there is none."""
    from rtbold.bundle import load

    return load(model).path
