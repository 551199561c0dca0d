"""The demo: a twin, a session and a subscriber, each a process of its own."""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from rtbold.client import Message, Subscriber
from rtbold.errors import RtboldError
from rtbold.messages import FloatArray
from rtbold.sim.haemodynamics import filtered_target

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
                    f"the demo's {name} ended with exit code {code}: {self._said(name)}"
                )
        return self._processes["session"].poll() is None

    def _said(self, name: str) -> str:
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
    newest: dict[str, Any] = field(default_factory=dict)  # body of the last pred.fb

    def take(self, message: Message) -> bool:
        """Take one message of the feed; return whether there is something to show."""
        body = message.body
        if message.topic == "hello":
            self.rois, self.tr_s = tuple(body["rois"]), float(body["tr_s"])
        elif message.topic == "pred.roi":
            index, values = body["volume_index"], body["values"]
            if index is not None and values is not None:
                self.predicted[index] = np.array(values, dtype=float)
        elif message.topic == "pred.fb":
            status = body["status"]
            self.n_by_status[status] = self.n_by_status.get(status, 0) + 1
            self.newest = body
            return True
        return False

    def take_volume(self, index: int, values: FloatArray) -> None:
        """Take one measured volume, (rois,)."""
        self.measured[index] = values

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
        return correlation(predicted, target[rows])


def correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return Pearson's R of each column, (rois,); NaN for a constant one."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    with np.errstate(invalid="ignore"):
        r = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.asarray(r)


class BoldInlet:
    """Measured BOLD of the twin, as a scanner's export would send it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inlet: Any = None
        self._labels: tuple[str, ...] = ()

    def poll(self, data: DemoData) -> None:
        """Take what has come; look for the stream until it is there.

        ROIs are put in the order of the model by their names; NaN where the twin
        measures none of that name.
        """
        if self._inlet is None and not self._open():
            return
        for sample in self._pull() if data.rois else ():
            by_name = dict(zip(self._labels, sample[1:], strict=True))
            values = [by_name.get(plain(roi), math.nan) for roi in data.rois]
            data.take_volume(round(sample[0]), np.array(values))

    def _open(self) -> bool:
        import pylsl

        from rtbold.io.describe import describe

        found = pylsl.resolve_byprop("name", self._name, 1, 0.05)
        if not found:
            return False
        self._inlet = pylsl.StreamInlet(found[0], recover=False)
        channels = describe(self._inlet.info(5.0).as_xml()).channels
        self._labels = tuple(plain(channel.label) for channel in channels[1:])
        return True

    def _pull(self) -> Sequence[Sequence[float]]:
        import pylsl

        try:
            samples, _ = self._inlet.pull_chunk(timeout=0.0)
        except pylsl.LostError:
            return ()  # the twin has ended
        return samples or ()


def plain(roi: str) -> str:
    """Return an ROI's name with a plain apostrophe, whoever wrote it."""
    return roi.replace("\u2019", "'")


def feed_address(settings: DemoSettings) -> str:
    """Return where the demo's session publishes."""
    return f"tcp://127.0.0.1:{settings.port}"


def subscriber(settings: DemoSettings) -> Subscriber:
    """Subscribe as any app would."""
    return Subscriber(
        feed_address(settings), topics=("hello", "pred.roi", "pred.fb", "hb")
    )


def card_of(model: str) -> Path:
    """Return the card of a bundle, to fail early where there is none."""
    from rtbold.bundle import load

    return load(model).path
