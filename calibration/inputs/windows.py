"""The windows of a scan: what the live pipeline hands to its engine, and nothing else.

The recording's events run through `Pipeline` itself, with an engine that keeps its
windows. So each window is, bit for bit, the one that a session would have predicted
from, whatever the chunks, and a volume that a session would not have predicted is left
out for the same reason.
"""

from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from rtbold.acquire import same_label
from rtbold.bundle import Card
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.inputs.choices import WindowSettings
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.condition import IntakeSettings
from rtbold.errors import DataFileError
from rtbold.files import described, triggered_events
from rtbold.messages import (
    WINDOW_SAMPLES,
    BoldPrediction,
    Event,
    Float32Array,
    FloatArray,
    Reason,
    Status,
    StreamChanged,
)
from rtbold.predict import Pipeline, PipelineSettings, stream_settings
from rtbold.record import EVENTS_NAME, read_lines, session_events
from rtbold.window import ScheduleSettings

SAME_TIME = 0.1  # of a TR: a tick this near to a volume's onset is that volume
ShareCallback = Callable[[float], None]  # is told the share that is done, 0 to 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A volume without a window, and why."""

    volume: int  # of the alignment, from 0
    status: Status
    reasons: tuple[Reason | Literal["no_bold"], ...]


def on_grid(rows: FloatArray, volume: np.ndarray, n_volumes: int) -> FloatArray:
    """Return (volumes, columns), row k at `volume[k]`; nan where there is none."""
    grid = np.full((n_volumes, rows.shape[1]), np.nan)
    grid[volume] = rows
    return grid


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationScan:
    """One scan, ready to be split, filtered and fitted.

    `bold` has every volume of the scan, so that a filter sees no holes that the EEG
    made; `windows` and `volume` only those that can be predicted.
    """

    name: str
    rois: tuple[str, ...]
    tr_s: float
    windows: Float32Array  # (windows, channels, 3200) microvolt, as given to the engine
    volume: np.ndarray  # (windows,), which volume each window belongs to
    bold: FloatArray  # (volumes, rois), as measured; nan: no row
    onsets_s: FloatArray  # (volumes,), clock of the EEG's stamps; nan: missed
    confounds: Mapping[str, FloatArray]  # each (volumes,)
    left_out: tuple[LeftOut, ...]
    degraded: Mapping[Reason, int]  # reasons of windows that are used all the same
    simulated: bool

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.volume)

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; all windows without a choice."""
        return self.windows if chosen is None else self.windows[np.asarray(chosen, int)]

    def batches(self, n: int = 32) -> Iterator[Float32Array]:
        """Yield the windows in order, `n` at a time."""
        return (self.windows[i : i + n] for i in range(0, len(self), n))

    def on_grid(self, rows: FloatArray) -> FloatArray:
        """Return rows of windows by volume of the scan; nan: it has no window."""
        return on_grid(rows, self.volume, len(self.bold))

    @property
    def why_left_out(self) -> dict[str, int]:
        """How many volumes have no window, by reason (a volume may have several)."""
        return dict(Counter(r for gap in self.left_out for r in gap.reasons))


@dataclass(frozen=True, slots=True, eq=False)
class OtherEeg:
    """Another subject's EEG at equal scan time."""

    name: str
    windows: Float32Array  # (n, channels, 3200) microvolt
    rows: np.ndarray  # (n,), ascending: the own window that each stands beside


def scan_of(
    eeg: EegRecording,
    alignment: Alignment,
    card: Card,
    *,
    settings: WindowSettings | None = None,
    say: ShareCallback | None = None,
) -> CalibrationScan:
    """Run a recording through the live pipeline and keep the windows of its volumes.

    Parameters
    ----------
    card : channels, reference and conditioning are used.
    say : is told the share that is done.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the card.
    DataFileError : not one volume can be predicted.
    """
    settings = settings or WindowSettings()
    events, logged = scan_events(eeg, alignment, settings)
    # What the session logged is on the recorder's clock
    clock_s = eeg.offset_s if logged else 0.0
    answers = VolumeAnswers(alignment, local_onsets(eeg, alignment, logged=logged))
    kept = _Kept(alignment, card, settings.store)
    session = pipeline_settings(eeg, alignment, card, settings)
    for answer, window, _ in pipeline_windows(card, session, events):
        volume = answers.take(answer)
        if volume is not None and window is not None:
            kept.take(volume, window)
        if say is not None:
            passed_s = answer.t_end_s - clock_s - eeg.first_s
            say(min(max(passed_s / (eeg.last_s - eeg.first_s), 0.0), 1.0))
    return kept.scan(eeg, answers)


def pipeline_settings(
    eeg: EegRecording, alignment: Alignment, card: Card, settings: WindowSettings
) -> PipelineSettings:
    """Return the settings of a session on this stream.

    Raises
    ------
    StreamMismatch : the stream does not fit the card.
    """
    intake = IntakeSettings(
        interpolate_missing=settings.interpolate_missing,
        upstream_delay_s=settings.upstream_delay_s,
    )
    schedule = ScheduleSettings(tr_s=alignment.tr_s, trigger_every=alignment.every)
    stream = described(eeg.recording, settings.reference)
    return stream_settings(stream, card, schedule=schedule, intake=intake)


def pipeline_windows(
    card: Card, settings: PipelineSettings, events: Iterable[Event]
) -> Iterator[tuple[BoldPrediction, Float32Array | None, Pipeline]]:
    """Yield what the pipeline answers, with the window that its engine was given.

    Whatever a model is trained, calibrated or scored on comes from here. None: the
    answer has no values, so there was no window. The pipeline is as it stands after
    the answer's event.
    """
    given: list[Float32Array] = []
    nothing = np.zeros((1, len(card.rois)), np.float32)

    def engine(eeg_uv: Float32Array) -> Float32Array:
        given.append(eeg_uv[0])
        return nothing

    pipeline = Pipeline(card, engine, settings)
    for event in events:
        for answer in pipeline.push(event):
            window = given.pop(0) if answer.values is not None else None
            yield answer, window, pipeline


def scan_events(
    eeg: EegRecording, alignment: Alignment, settings: WindowSettings
) -> tuple[Iterator[Event], bool]:
    """Return the events of a scan as a session would have received them.

    Returns
    -------
    The events, and whether they are those that the session itself logged: then their
    times are on the recorder's clock, else on the clock of the EEG's stamps.
    """
    own = session_events(eeg.path) if _logged(eeg, alignment) else None
    if own is not None:
        return _referred(own, settings.reference), True
    triggers = [(t, alignment.marker.label) for t in alignment.marker.times_s.tolist()]
    reference = settings.reference
    return triggered_events(eeg.recording, triggers, reference=reference), False


def _logged(eeg: EegRecording, alignment: Alignment) -> bool:
    """Return whether a session's own log has these triggers, and no others."""
    if not eeg.session:
        return False
    lines = read_lines(eeg.path.with_name(EVENTS_NAME))
    labels = {line["label"] for line in lines if line["type"] == "marker"}
    wanted = alignment.marker.label
    return bool(labels) and all(same_label(label, wanted) for label in labels)


def _referred(events: Iterable[Event], reference: str | None) -> Iterator[Event]:
    for event in events:
        if reference is not None and isinstance(event, StreamChanged):
            event = StreamChanged(replace(event.description, reference=reference))
        yield event


def local_onsets(
    eeg: EegRecording, alignment: Alignment, *, logged: bool
) -> FloatArray:
    """Return (volumes,), onsets on the clock of the pipeline's answers.

    Parameters
    ----------
    logged : as `scan_events` says: the events are those that the session logged.
    """
    return eeg.local_s(alignment.onsets_s) if logged else alignment.onsets_s


class VolumeAnswers:
    """What the pipeline answered to each volume of a scan, as it comes.

    Parameters
    ----------
    local_s : (volumes,), their onsets on the clock of the answers.
    """

    def __init__(self, alignment: Alignment, local_s: FloatArray) -> None:
        self._alignment = alignment
        self._local_s = local_s
        self._with_row = set(np.flatnonzero(np.isfinite(alignment.bold).all(axis=1)))
        self._answers: dict[int, BoldPrediction] = {}

    def take(self, answer: BoldPrediction) -> int | None:
        """Note the answer; return its volume if that has a row and no answer yet."""
        volume = self._volume_of(answer)
        if volume is None or volume in self._answers:
            return None
        self._answers[volume] = answer
        return volume if volume in self._with_row else None

    def degraded(self, volumes: Iterable[int]) -> dict[Reason, int]:
        """Count the reasons of volumes that are used all the same."""
        used = [self._answers[volume] for volume in volumes]
        return dict(Counter(r for answer in used for r in answer.reasons))

    def left_out(self, kept: Collection[int]) -> Iterator[LeftOut]:
        """Yield the volumes that are not among those kept, each with its reasons."""
        for volume in range(len(self._alignment)):
            if volume in kept:
                continue
            answer = self._answers.get(volume)
            if volume not in self._with_row:
                yield LeftOut(volume, "invalid", ("no_bold",))
            elif answer is not None:
                yield LeftOut(volume, answer.status, answer.reasons)
            elif np.isnan(self._local_s[volume]):
                yield LeftOut(volume, "paused", ("triggers_lost",))
            else:
                yield LeftOut(volume, "invalid", ("no_data",))

    def nothing(self, name: str) -> str:
        """Return the sentence on a scan of which no volume can be predicted."""
        reasons = Counter(r for gap in self.left_out(()) for r in gap.reasons)
        listed = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        return (
            f"not one of the {len(self._alignment)} volumes of {name} can be "
            f"predicted: {listed}. Expected 16 s of good EEG before each volume. Check "
            "unit, channels and cleaning: rtbold doctor, or rtbold replay on this file."
        )

    def _volume_of(self, answer: BoldPrediction) -> int | None:
        if answer.tick.volume_index is None:
            return None
        off_s: FloatArray = np.abs(self._local_s - answer.tick.t_trigger_s)
        if np.isnan(off_s).all():
            return None
        nearest = int(np.nanargmin(off_s))
        near = off_s[nearest] <= SAME_TIME * self._alignment.tr_s
        return nearest if near else None


class _Kept:
    """The windows of the volumes, in order, as they come."""

    def __init__(self, alignment: Alignment, card: Card, store: Path | None) -> None:
        shape = (len(alignment), len(card.channels), WINDOW_SAMPLES)
        self._alignment = alignment
        self._windows = _room(shape, store)
        self._volumes: list[int] = []

    def take(self, volume: int, window: Float32Array) -> None:
        """Keep the window of a volume."""
        self._windows[len(self._volumes)] = window
        self._volumes.append(volume)

    def scan(self, eeg: EegRecording, answers: VolumeAnswers) -> CalibrationScan:
        """Return everything that was kept."""
        alignment = self._alignment
        if not self._volumes:
            raise DataFileError(answers.nothing(eeg.name))
        return CalibrationScan(
            name=eeg.name,
            rois=alignment.rois,
            tr_s=alignment.tr_s,
            windows=self._windows[: len(self._volumes)],
            volume=np.array(self._volumes),
            bold=alignment.bold,
            onsets_s=alignment.onsets_s,
            confounds=alignment.confounds,
            left_out=tuple(answers.left_out(set(self._volumes))),
            degraded=answers.degraded(self._volumes),
            simulated=eeg.recording.simulated,
        )


def _room(shape: tuple[int, int, int], store: Path | None) -> Float32Array:
    """Return room for the windows, in memory or in a file."""
    if store is None:
        return np.empty(shape, np.float32)
    return np.lib.format.open_memmap(store, "w+", np.dtype(np.float32), shape)
