"""Which markers are the volumes: the ones named, or the only ones that are regular."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.acquire import prefix_hint, refuse_groups, same_label, spelling
from rtbold.calibration.inputs.choices import MarkerChoice
from rtbold.calibration.inputs.eeg import TimedMarker
from rtbold.errors import AmbiguousStream, ConfigError, DataFileError
from rtbold.messages import TR_TOLERANCE, FloatArray, Tick
from rtbold.text import first_few
from rtbold.window import Schedule, ScheduleSettings

JITTER_S = 0.02  # of an interval, where it is more than TR_TOLERANCE
REGULAR_SHARE = 0.8  # of the intervals: markers may be missing or doubled
MIN_MARKERS = 4  # fewer show no rhythm
MIN_MARKERS_WITHOUT_TR = 10
_MOST_SLICES = 200
_SHORTEST_TR_S = 0.3  # that is proposed; what comes sooner are rather slices


@dataclass(frozen=True, slots=True, eq=False)
class VolumeMarker:
    """The markers of the volumes."""

    label: str
    stream: str
    times_s: FloatArray  # (markers,), rising
    interval_s: float  # median

    @property
    def text(self) -> str:
        """How a message calls it."""
        return repr(self.label) + (f" of {self.stream}" if self.stream else "")


def find_volume_marker(
    markers: Sequence[TimedMarker],
    *,
    tr_s: float | None = None,
    choice: MarkerChoice | None = None,
    notes: Sequence[str] = (),
) -> VolumeMarker:
    """Return the volume marker; rtbold asks where several qualify, and never chooses.

    A label qualifies if at least 80 % of its intervals agree with their median within
    1 % or 20 ms, and that median is the TR within 1 %.

    Parameters
    ----------
    tr_s : None: unknown; then any regular label qualifies.
    notes : on the file, which may say why there is no marker.

    Raises
    ------
    DataFileError : there are no markers, none qualifies, or none is so named.
    AmbiguousStream : several qualify.
    """
    choice = choice or MarkerChoice()
    groups = _groups(markers, choice.stream)
    if not groups:
        where = f" in the stream {choice.stream!r}" if choice.stream else ""
        raise DataFileError(
            f"the EEG holds no markers{where}, expected one for each volume. Was the "
            "scanner's trigger recorded? If it is a channel, name it with "
            "--trigger-channel." + "".join(f" Note: {note}." for note in notes)
        )
    if choice.label is not None:
        named = [g for g in groups if same_label(g.label, choice.label)]
        refuse_groups([g.label for g in named], choice.label)
        fits = _joined(named, choice.label)
        return _only(fits, groups, wanted=repr(choice.label))
    interval_s = None if tr_s is None else tr_s / choice.every
    fits = [g for g in groups if _is_regular(g.times_s, interval_s)]
    wanted = "a regular interval" if tr_s is None else f"one every {interval_s:.4g} s"
    return _only(fits, groups, wanted=wanted, tr_s=tr_s)


def _groups(markers: Sequence[TimedMarker], stream: str | None) -> list[VolumeMarker]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    spelt: dict[str, str] = {}  # one spelling -> as it is first written
    for marker in markers:
        if stream is None or marker.stream.strip("[]") == stream.strip("[]"):
            label = spelt.setdefault(spelling(marker.label), marker.label)
            times[label, marker.stream].append(marker.t_s)
    return [
        VolumeMarker(label, source, np.array(sorted(t_s)), _interval_s(t_s))
        for (label, source), t_s in times.items()
    ]


def _joined(groups: Sequence[VolumeMarker], wanted: str) -> list[VolumeMarker]:
    """Return one marker of each stream: all of them are what is meant.

    They are spellings of one label, or begin as `wanted` says with ``*``.
    """
    streams: dict[str, list[VolumeMarker]] = defaultdict(list)
    for group in groups:
        streams[group.stream].append(group)
    joined = []
    for stream, same in streams.items():
        times_s = sorted(np.concatenate([g.times_s for g in same]).tolist())
        label = wanted if wanted.endswith("*") else same[0].label
        interval_s = _interval_s(times_s)
        joined.append(VolumeMarker(label, stream, np.array(times_s), interval_s))
    return joined


def _interval_s(times_s: list[float]) -> float:
    return float(np.median(np.diff(sorted(times_s)))) if len(times_s) > 1 else np.nan


def _is_regular(times_s: FloatArray, interval_s: float | None) -> bool:
    least = MIN_MARKERS_WITHOUT_TR if interval_s is None else MIN_MARKERS
    if len(times_s) < least:
        return False
    steps_s = np.diff(times_s)
    median_s = float(np.median(steps_s))
    near_s = max(TR_TOLERANCE * median_s, min(JITTER_S, median_s / 4))
    agree = float(np.mean(np.abs(steps_s - median_s) <= near_s)) >= REGULAR_SHARE
    if interval_s is None:
        return agree and median_s > 0
    return agree and abs(median_s / interval_s - 1) <= TR_TOLERANCE


def _only(
    fits: Sequence[VolumeMarker],
    groups: Sequence[VolumeMarker],
    *,
    wanted: str,
    tr_s: float | None = None,
) -> VolumeMarker:
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise AmbiguousStream(
            f"{len(fits)} markers qualify for {wanted}: {_listed(fits)}; expected "
            "exactly one that marks a volume. Say which with --trigger (and "
            "--trigger-stream), or give --tr."
        )
    alike = prefix_hint({group.label for group in groups})
    raise DataFileError(
        f"no marker is {wanted}; the EEG has {_listed(groups)}.{_hint(groups, tr_s)} "
        f"Name the volume marker with --trigger.{alike}"
    )


def _listed(groups: Sequence[VolumeMarker]) -> str:
    told = [
        f"{g.text} ({len(g.times_s)}, every {g.interval_s:.4g} s)"
        if len(g.times_s) > 1
        else f"{g.text} (1)"
        for g in groups
    ]
    return first_few(told)


def _hint(groups: Sequence[VolumeMarker], tr_s: float | None) -> str:
    """Say it where slice triggers or another TR would explain what came."""
    for group in groups:
        if tr_s is None or not _is_regular(group.times_s, group.interval_s):
            continue
        slices = round(tr_s / group.interval_s)
        whole = abs(slices * group.interval_s / tr_s - 1) <= TR_TOLERANCE
        if 2 <= slices <= _MOST_SLICES and whole:
            return f" {group.text} may be slice triggers: --trigger-every {slices}."
        if group.interval_s >= _SHORTEST_TR_S:
            return f" If {group.text} marks volumes: --tr {group.interval_s:.4g}."
    return ""


# Triggers counted into volumes, run by run, as the live loop's schedule counts.


@dataclass(frozen=True, slots=True, eq=False)
class TriggerRun:
    """One train of triggers; volume 0 is at its first."""

    onsets_s: FloatArray  # (volumes,); nan: missed, with no trigger near enough
    found: np.ndarray  # (volumes,) bool: at a trigger of its own
    n_double: int

    def __len__(self) -> int:
        """Return the number of volumes, missed ones included."""
        return len(self.onsets_s)


def trigger_runs(
    times_s: FloatArray, tr_s: float, *, every: int = 1
) -> list[TriggerRun]:
    """Return the runs that a train of triggers holds.

    Parameters
    ----------
    times_s : rising.
    every : triggers a volume.
    """
    schedule = Schedule(ScheduleSettings(tr_s=tr_s, trigger_every=every))
    ticks: list[list[Tick]] = []
    doubles: list[int] = []
    for t_s in times_s.tolist():
        before = schedule.counts
        new = schedule.trigger(t_s, t_s)
        after = schedule.counts
        if after.n_runs > before.n_runs:
            ticks.append([])
            doubles.append(0)
        if ticks:
            ticks[-1] += new
            doubles[-1] += after.n_double - before.n_double
    return [_run(t, n_double) for t, n_double in zip(ticks, doubles, strict=True)]


def select_run(runs: Sequence[TriggerRun], number: int | None, *, said: str) -> int:
    """Return the number (from 1) of the run that is meant.

    Raises
    ------
    ConfigError : there is no run of that number.
    AmbiguousStream : there are several, and none was named.
    """
    listed = "; ".join(
        f"run {k}: {len(run)} volumes from {run.onsets_s[0]:.1f} s"
        for k, run in enumerate(runs, start=1)
    )
    if number is not None:
        if not 1 <= number <= len(runs):
            raise ConfigError(
                f"--run is {number}, expected 1 to {len(runs)}. The triggers {said} "
                f"make {listed}."
            )
        return number
    if len(runs) != 1:
        raise AmbiguousStream(
            f"the triggers {said} make {len(runs)} runs, expected one: {listed}. Say "
            "which belongs to the BOLD: --run NUMBER"
        )
    return 1


def _run(ticks: Sequence[Tick], n_double: int) -> TriggerRun:
    counted = [(t.volume_index, t) for t in ticks if t.volume_index is not None]
    n = max((index for index, _ in counted), default=-1) + 1
    onsets_s, found = np.full(n, np.nan), np.zeros(n, dtype=bool)
    for index, tick in counted:
        onsets_s[index], found[index] = tick.t_trigger_s, tick.trigger_locked
    return TriggerRun(onsets_s, found, n_double)
