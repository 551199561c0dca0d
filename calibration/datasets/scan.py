"""A scan as models take it: the pipeline's windows, and where each of them lies.

A scan runs through the live pipeline. Windows overlap eightfold, so what is kept is
the conditioned signal, once, and for each window where it lies and which spatial matrix
the pipeline took. That gives the pipeline's window again, to the bit.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtbold import files
from rtbold.bundle import Card, SeenScan
from rtbold.calibration.inputs.windows import pipeline_windows
from rtbold.calibration.lineage import TRAINING_N, scan_marks, volume_power
from rtbold.condition import Segment, model_window
from rtbold.errors import DataFileError
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_SAMPLES,
    BoldPrediction,
    Channel,
    Float32Array,
    FloatArray,
)
from rtbold.predict import Pipeline, PipelineSettings
from rtbold.sim import TwinRecording
from rtbold.truth import lowpassed
from rtbold.window import RING_SAMPLES, ScheduleSettings, Window


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """EEG and the volumes that were scanned meanwhile; times from the first sample."""

    name: str
    eeg_uv: Float32Array  # (channels, samples)
    rate_hz: float
    channels: tuple[Channel, ...]
    volume_onsets_s: FloatArray  # (volumes,)
    bold: FloatArray  # (volumes, rois), as measured
    reference: str | None = "average"  # electrode name, "average", or None: not said


class Windowed(Protocol):
    """A scan whose windows can be asked for: of the twin, or of a calibration."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; all windows without a choice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One recording, ready for a model."""

    name: str
    eeg_uv: Float32Array  # (channels, samples) at 200 Hz, conditioned
    first: np.ndarray  # (windows,), first sample of each volume's window
    bold: FloatArray  # (windows, rois), filtered, in the scanner's unit
    onsets_s: FloatArray  # (windows,)
    seen: SeenScan | None = None  # marks for a lineage; None: made before there were
    # (matrices, model channels, channels); None, in older caches: `eeg_uv` is the
    # model's channels already.
    matrices: FloatArray | None = None
    matrix_of: np.ndarray | None = None  # (windows,), which of them each window takes
    remove_mean: bool = True  # of each window, as the card says

    def __len__(self) -> int:
        """Return the number of volumes that have a window."""
        return len(self.first)

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; all windows without a choice."""
        numbers = range(len(self)) if chosen is None else chosen
        return np.stack([self._window(number) for number in numbers])

    def _window(self, number: int) -> Float32Array:
        first = self.first[number]
        samples_uv = self.eeg_uv[:, first : first + WINDOW_SAMPLES]
        if self.matrices is None or self.matrix_of is None:
            window_uv: Float32Array = samples_uv - samples_uv.mean(
                axis=1, keepdims=True
            )
            return window_uv
        matrix = self.matrices[self.matrix_of[number]]
        return model_window(matrix, samples_uv, remove_mean=self.remove_mean)


def conditioned(recording: Recording, card: Card) -> Scan:
    """Run a recording through the live pipeline and keep what makes its windows.

    A volume that a session would not predict is left out.

    Raises
    ------
    StreamMismatch : the recording does not fit the card.
    DataFileError : no volume has a window.
    """
    stream = files.Recording(
        data_uv=recording.eeg_uv,
        rate_hz=recording.rate_hz,
        channels=recording.channels,
        reference=recording.reference,
        simulated=True,
    )
    onsets_s = recording.volume_onsets_s
    tr_s = float(np.median(np.diff(onsets_s)))
    tape = WindowTape(card)
    session = PipelineSettings(schedule=ScheduleSettings(tr_s=tr_s))
    events = files.triggered_events(stream, [(t, "volume") for t in onsets_s.tolist()])
    for answer, window, pipeline in pipeline_windows(card, session, events):
        if pipeline.misfit is not None:
            raise pipeline.misfit
        # A tick without a trigger of its own is after the scan's last volume.
        own = answer.tick.volume_index if answer.tick.trigger_locked else None
        tape.take(answer, window, pipeline, volume=own)
    if not tape.volumes:
        raise DataFileError(
            f"{recording.name} has no volume with {WINDOW_SAMPLES / MODEL_RATE_HZ:g} s "
            "of EEG before it; record longer, or check the volume markers"
        )
    bold = lowpassed(recording.bold, tr_s, card.normalisation.lowpass_hz)
    return tape.scan(
        recording.name,
        bold[tape.volumes],
        onsets_s=onsets_s[tape.volumes],
        seen=marked(recording, tr_s),
    )


class WindowTape:
    """The conditioned samples of one recording, and what makes windows of them.

    Parameters
    ----------
    n_samples : at 200 Hz that are expected; more are taken too.
    """

    def __init__(self, card: Card, n_samples: int = 0) -> None:
        self._remove_mean = card.conditioning.remove_window_mean
        self._samples_uv: Float32Array | None = None  # (channels, room)
        self._room_n = n_samples
        self._n = 0  # samples on the tape
        self._begin = 0  # where on the tape the filters started last
        self._segment: Segment | None = None
        self._first: list[int] = []
        self._matrices: list[FloatArray] = []
        self._matrix_of: list[int] = []
        self.volumes: list[int] = []
        self.bad: Counter[str] = Counter()  # channel -> windows in which it was bad

    def take(
        self,
        answer: BoldPrediction,
        window: Float32Array | None,
        pipeline: Pipeline,
        *,
        volume: int | None,
    ) -> None:
        """Note where the window lies; raise where it could not be made again.

        Parameters
        ----------
        volume : of the scan; None: it has none of its own.
        """
        if pipeline.window is None or pipeline.intake is None:
            return
        self._follow(pipeline.window)
        source_first, source_end = answer.source_first, answer.source_end
        if volume is None or source_first is None or source_end is None:
            return
        first, kept_uv = self._kept(source_end)
        bad, _ = pipeline.intake.bad_between(source_first, source_end, kept_uv)
        self.bad.update(bad.keys())
        if window is None:
            return
        matrix = pipeline.intake.fit.spatial.matrix(frozenset(bad)).matrix
        if kept_uv is None or not np.array_equal(
            model_window(matrix, kept_uv, remove_mean=self._remove_mean), window
        ):
            raise DataFileError(
                f"the window of volume {volume} cannot be kept: it does not come out "
                "of the conditioned samples again. Train on another recording."
            )
        self._first.append(first)
        self._matrix_of.append(self._place(matrix))
        self.volumes.append(volume)

    def _kept(self, source_end: int) -> tuple[int, Float32Array | None]:
        """Return where a window begins on the tape, and its samples; None: not whole.

        By sample and not by time: a session's log has a clock of its own.
        """
        if self._segment is None or self._samples_uv is None:
            return -1, None
        first = self._segment.end_200hz(source_end) - WINDOW_SAMPLES
        if first < 0:
            return first, None
        place = self._begin + first
        return place, self._samples_uv[:, place : place + WINDOW_SAMPLES]

    def _follow(self, window: Window) -> None:
        """Put the samples on the tape that came since; after a gap, a new segment."""
        if window.segment is not self._segment:  # a gap: the filters started anew
            self._begin, self._segment = self._n, window.segment
        end = self._begin + window.end_200hz
        n_new = end - self._n
        held_n = min(n_new, RING_SAMPLES, window.end_200hz)
        if not held_n:
            return
        newest_uv = window.latest(held_n)
        tape_uv = self._with_room(end, len(newest_uv))
        tape_uv[:, self._n : end - held_n] = 0.0  # gone by, and in no window
        tape_uv[:, end - held_n : end] = newest_uv
        self._n = end

    def _with_room(self, n: int, n_channels: int) -> Float32Array:
        """Return the tape, long enough for `n` samples."""
        tape_uv = self._samples_uv
        if tape_uv is None:
            tape_uv = np.empty((n_channels, max(self._room_n, n)), np.float32)
        elif n > tape_uv.shape[1]:
            more = np.empty((n_channels, n + n // 4), np.float32)
            more[:, : self._n] = tape_uv[:, : self._n]
            tape_uv = more
        self._samples_uv = tape_uv
        return tape_uv

    def _place(self, matrix: FloatArray) -> int:
        for place, known in enumerate(self._matrices):
            if known is matrix or np.array_equal(known, matrix):
                return place
        self._matrices.append(matrix)
        return len(self._matrices) - 1

    def scan(
        self,
        name: str,
        bold: FloatArray,
        *,
        onsets_s: FloatArray,
        seen: SeenScan | None,
    ) -> Scan:
        """Return the whole scan.

        Parameters
        ----------
        bold : (windows, rois), targets of `volumes`.
        onsets_s : (windows,), of `volumes`.
        """
        assert self._samples_uv is not None
        return Scan(
            name=name,
            eeg_uv=self._samples_uv[:, : self._n],
            first=np.array(self._first),
            bold=bold,
            onsets_s=onsets_s,
            seen=seen,
            matrices=np.stack(self._matrices),
            matrix_of=np.array(self._matrix_of),
            remove_mean=self._remove_mean,
        )


def marked(recording: Recording, tr_s: float) -> SeenScan:
    """Return the marks of a recording as it is, before any conditioning."""
    onsets_s = np.nan_to_num(recording.volume_onsets_s, nan=-1.0)  # missed: not known
    first = np.ceil(onsets_s * recording.rate_hz - 1e-6).astype(int)
    power = volume_power(recording.eeg_uv, first, recording.rate_hz, tr_s=tr_s)
    return scan_marks(power, recording.bold).on_card(TRAINING_N)


def in_batches(scan: Windowed, size: int = 64) -> Iterator[Float32Array]:
    """Yield a scan's windows in order."""
    for start in range(0, len(scan), size):
        yield scan.windows_uv(range(start, min(start + size, len(scan))))


def as_recording(twin: TwinRecording) -> Recording:
    """Return what an experimenter would have: EEG, volume times, measured BOLD."""
    return Recording(
        name=f"twin {twin.settings.level} {twin.settings.seed}",
        eeg_uv=twin.eeg_uv,
        rate_hz=twin.rate_hz,
        channels=twin.channels,
        volume_onsets_s=twin.volume_onsets_s,
        bold=twin.bold,
        reference=twin.settings.reference,
    )
