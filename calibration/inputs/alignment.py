"""EEG and volumes paired: which trigger belongs to which row of BOLD, and how well.

Triggers are counted by the live loop's own schedule, so a missed, doubled or filled
volume is here what it would be in a session. Where counts do not match, the pairing is
refused with what could be the reason; nothing is shifted to make it fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.choices import Pairing
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.calibration.inputs.triggers import (
    TriggerRun,
    VolumeMarker,
    find_volume_marker,
    select_run,
    trigger_runs,
)
from rtbold.errors import DataFileError
from rtbold.messages import TR_TOLERANCE, FloatArray

# Which row of BOLD belongs to which volume of a run of triggers.

SAME_TIME = 0.1  # of a TR: a stamp this near to a trigger is the volume's
_NO_ROW = -1


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Volumes in order, each with its row."""

    volume: np.ndarray  # (volumes,), number in the run
    row: np.ndarray  # (volumes,), of the BOLD; -1: it has none
    notes: tuple[str, ...] = ()

    def of(self, values: FloatArray) -> FloatArray:
        """Return the rows of `values` (rows, columns) by volume; nan where none."""
        out = np.full((len(self.row), values.shape[1]), np.nan)
        held = self.row != _NO_ROW
        out[held] = values[self.row[held]]
        return out


def pair_rows(
    run: TriggerRun, eeg: EegRecording, bold: BoldSeries, pairing: Pairing
) -> Pairs:
    """Pair by the volumes' own stamps where the BOLD has them, else by number.

    Raises
    ------
    DataFileError : triggers and rows do not match in number.
    """
    if pairing.numbered_from is not None and bold.volume_index is not None:
        return _by_number(run, eeg, bold, pairing)
    told = (pairing.dummy_volumes, pairing.spare_triggers, pairing.drop_volumes,
            pairing.drop_last_volumes)  # fmt: skip
    if bold.onsets_s is not None and not any(told):
        by_time = _by_time(run, eeg, bold)
        if by_time is not None:
            return by_time
    rows = _rows(bold, pairing)
    volumes = np.arange(pairing.dummy_volumes, len(run) - pairing.spare_triggers)
    if len(volumes) != len(rows) or len(rows) == 0:
        raise DataFileError(_mismatch(run, eeg, bold, (len(volumes), len(rows))))
    return Pairs(volumes, rows)


def _by_time(run: TriggerRun, eeg: EegRecording, bold: BoldSeries) -> Pairs | None:
    """Pair each row with the trigger at its stamp; None: the stamps are no onsets."""
    assert bold.onsets_s is not None
    known = np.flatnonzero(np.isfinite(run.onsets_s))
    local_s = eeg.local_s(run.onsets_s[known])
    nearest = np.abs(local_s[:, None] - bold.onsets_s).argmin(axis=0)  # (rows,)
    off_s = np.abs(local_s[nearest] - bold.onsets_s)
    tr_s = float(np.median(np.diff(local_s))) if len(local_s) > 1 else 0.0
    fits = off_s <= SAME_TIME * tr_s
    inside = (bold.onsets_s >= local_s[0] - tr_s / 2) & (
        bold.onsets_s <= local_s[-1] + tr_s / 2
    )
    volumes = known[nearest[fits]]
    if not fits.any() or (inside & ~fits).any() or len(set(volumes)) < len(volumes):
        return None
    index = bold.volume_index
    if index is not None and (volumes > index[fits]).all():
        return None  # stamped later than its onset: by its own count it came earlier
    span = np.arange(volumes.min(), volumes.max() + 1)
    row = np.full(len(span), _NO_ROW)
    row[volumes - span[0]] = np.flatnonzero(fits)
    notes = ["BOLD and triggers are paired by their stamps"]
    if not fits.all():
        notes.append(f"{int((~fits).sum())} rows of BOLD lie outside of the run")
    return Pairs(span, row, tuple(notes))


def _by_number(
    run: TriggerRun, eeg: EegRecording, bold: BoldSeries, pairing: Pairing
) -> Pairs:
    """Pair each row with the trigger of its number; others lie outside of the run.

    The streams of a recording do not end at the same instant: a volume that began
    after the EEG's last sample is outside too.
    """
    assert bold.volume_index is not None
    assert pairing.numbered_from is not None
    number = bold.volume_index - pairing.numbered_from + pairing.dummy_volumes
    within = (number >= pairing.dummy_volumes) & (number < len(run))
    within[within] &= ~(run.onsets_s[number[within]] > eeg.last_s)
    if not within.any():
        raise DataFileError(
            f"{bold.name} numbers its rows from {bold.volume_index[0]} to "
            f"{bold.volume_index[-1]} and {eeg.name} has triggers for {len(run)} "
            "volumes, expected rows of these. Are EEG and BOLD of one run?"
        )
    span = np.arange(number[within].min(), number[within].max() + 1)
    row = np.full(len(span), _NO_ROW)
    row[number[within] - span[0]] = np.flatnonzero(within)
    notes = ["BOLD and triggers are paired by the numbers of the volumes"]
    if n := int((~within).sum()):
        notes.append(f"{n} rows of BOLD lie outside of the run")
    return Pairs(span, row, tuple(notes))


def _rows(bold: BoldSeries, pairing: Pairing) -> np.ndarray:
    """Return the row of each volume that the BOLD counts; -1 where it skips one."""
    if bold.volume_index is None:
        rows = np.arange(len(bold))
    else:
        rows = np.full(bold.volume_index[-1] - bold.volume_index[0] + 1, _NO_ROW)
        rows[bold.volume_index - bold.volume_index[0]] = np.arange(len(bold))
    return rows[pairing.drop_volumes : len(rows) - pairing.drop_last_volumes]


def _mismatch(
    run: TriggerRun, eeg: EegRecording, bold: BoldSeries, counts: tuple[int, int]
) -> str:
    n_volumes, n_rows = counts
    came = (
        f"{eeg.name} has triggers for {n_volumes} volumes and {bold.name} has "
        f"{n_rows} rows, expected as many of both"
    )
    if len(bold.rois) == n_volumes and bold.rois[0].startswith("roi-"):
        return (
            f"{came}; it has {n_volumes} columns. It seems to lie on its side: "
            "transpose it, so that each row is a volume."
        )
    n = abs(n_volumes - n_rows)
    if n_volumes > n_rows:
        return (
            f"{came}. If the first {n} triggers are dummy volumes that the BOLD lacks: "
            f"--dummy-volumes {n}; if the last {n} are: --spare-triggers {n}."
        )
    left_s = eeg.last_s - float(np.nanmax(run.onsets_s))
    tr_s = float(np.nanmedian(np.diff(run.onsets_s)))
    if left_s < 2 * tr_s:
        came += f". The EEG ends {left_s:.1f} s after its last trigger: it is shorter"
        came += " than the BOLD"
    return (
        f"{came}. If the last {n} rows were scanned after the EEG: --drop-last-volumes "
        f"{n}; if the first {n} have no trigger: --drop-volumes {n}. If markers are "
        "missing, mend the recording."
    )


JITTER_WARN_MS = 10.0  # sd; a scanner clock synchronised with the EEG has below 1
DRIFT_WARN_PPM = 200.0  # crystals differ by up to 100


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """One scan's volumes with their times and their BOLD."""

    marker: VolumeMarker  # all its triggers, those of other runs too
    every: int  # triggers a volume
    run: int  # from 1
    n_runs: int
    tr_s: float
    tr_measured_s: float  # slope of a line through the triggers
    tr_from: str  # "given", "BOLD file" or "triggers"
    rois: tuple[str, ...]
    volume: np.ndarray  # (volumes,), number in the run, from 0 at its first trigger
    onsets_s: FloatArray  # (volumes,), clock of the EEG's stamps; nan: missed
    found: np.ndarray  # (volumes,) bool: its own trigger came
    bold: FloatArray  # (volumes, rois), as measured; nan: no row
    confounds: Mapping[str, FloatArray]  # each (volumes,)
    n_double: int  # triggers ignored as doubles
    jitter_sd_ms: float  # of the triggers around that line
    jitter_max_ms: float
    drift_ppm: float | None  # scanner's clock against the EEG's; None: TR not known
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of volumes paired."""
        return len(self.volume)

    @property
    def n_found(self) -> int:
        """Volumes with a trigger of their own."""
        return int(self.found.sum())

    @property
    def n_filled(self) -> int:
        """Volumes whose trigger was missed, timed by the one before (at most two)."""
        return int((np.isfinite(self.onsets_s) & ~self.found).sum())

    @property
    def n_missed(self) -> int:
        """Volumes whose trigger was missed and that have no time."""
        return int(np.isnan(self.onsets_s).sum())

    @property
    def n_without_row(self) -> int:
        """Volumes within the run for which the BOLD has no row."""
        return int(np.isnan(self.bold).all(axis=1).sum())


def align(
    eeg: EegRecording, bold: BoldSeries, pairing: Pairing | None = None
) -> Alignment:
    """Pair the volumes of a scan with its EEG.

    Raises
    ------
    DataFileError : markers are missing, the TR is another one, or triggers and rows
        do not match in number.
    AmbiguousStream : more than one marker, or more than one run, could be meant.
    """
    pairing = pairing or Pairing()
    known_tr_s = pairing.tr_s or bold.tr_s  # the user's word goes over a header's
    every = pairing.marker.every
    marker = find_volume_marker(
        eeg.markers,
        tr_s=known_tr_s,
        choice=pairing.marker,
        notes=eeg.recording.notes,
    )
    found_tr_s = marker.interval_s * every
    _check_tr(marker, found_tr_s, known_tr_s)
    runs = trigger_runs(marker.times_s, known_tr_s or found_tr_s, every=every)
    number = select_run(runs, pairing.run, said=marker.text)
    pairs = pair_rows(runs[number - 1], eeg, bold, pairing)
    scan = _Scan(marker, number, len(runs), runs[number - 1])
    _check_covered(eeg, scan.run.onsets_s[pairs.volume])
    return _alignment(eeg, bold, pairing, scan=scan, pairs=pairs)


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """The triggers of one scan."""

    marker: VolumeMarker
    number: int
    n_runs: int
    run: TriggerRun


def _alignment(
    eeg: EegRecording,
    bold: BoldSeries,
    pairing: Pairing,
    *,
    scan: _Scan,
    pairs: Pairs,
) -> Alignment:
    known_tr_s = pairing.tr_s or bold.tr_s
    tr_s = known_tr_s or scan.marker.interval_s * pairing.marker.every
    tr_measured_s, off_ms = _regularity(scan.run)
    drift_ppm = None if known_tr_s is None else 1e6 * (tr_measured_s / tr_s - 1)
    sd_ms = float(off_ms.std())
    return Alignment(
        marker=scan.marker,
        every=pairing.marker.every,
        run=scan.number,
        n_runs=scan.n_runs,
        tr_s=tr_s,
        tr_measured_s=tr_measured_s,
        tr_from=_tr_from(bold, pairing),
        rois=bold.rois,
        volume=pairs.volume,
        onsets_s=scan.run.onsets_s[pairs.volume],
        found=scan.run.found[pairs.volume],
        bold=pairs.of(bold.values),
        confounds={k: pairs.of(v[:, None])[:, 0] for k, v in bold.confounds.items()},
        n_double=scan.run.n_double,
        jitter_sd_ms=sd_ms,
        jitter_max_ms=float(np.abs(off_ms).max()),
        drift_ppm=drift_ppm,
        warnings=(
            *_tr_warnings(bold, pairing, scan.marker),
            *_warnings(scan.run, pairs, sd_ms, drift_ppm),
        ),
        notes=(*eeg.recording.notes, *bold.notes, *pairs.notes),
    )


def alignment_lines(alignment: Alignment) -> list[str]:
    """Return what the user is told of an alignment, line by line."""
    a = alignment
    drift = "TR not given" if a.drift_ppm is None else f"drift {a.drift_ppm:+.0f} ppm"
    lines = [
        f"volume marker {a.marker.text}, TR {a.tr_s:.4g} s (from: {a.tr_from}; "
        f"measured {a.tr_measured_s:.5f} s, {drift})",
        f"{len(a)} volumes paired: {a.n_found} triggers found, {a.n_filled} filled, "
        f"{a.n_missed} missed, {a.n_double} doubled; {a.n_without_row} without BOLD",
        f"jitter {a.jitter_sd_ms:.2f} ms (sd), at most {a.jitter_max_ms:.2f} ms",
    ]
    return [*lines, *(f"warning: {w}" for w in a.warnings), *a.notes]


def _tr_warnings(
    bold: BoldSeries, pairing: Pairing, marker: VolumeMarker
) -> Sequence[str]:
    """Return what is said where --tr, which the triggers keep, is not the file's."""
    given, told = pairing.tr_s, bold.tr_s
    if given is None or told is None or abs(given / told - 1) <= TR_TOLERANCE:
        return ()
    every_s = marker.interval_s * pairing.marker.every
    return (
        f"--tr is {given:g} s and {bold.name} says {told:.4g} s: the triggers come "
        f"every {every_s:.4g} s, so --tr is taken. Is it the BOLD of this run?",
    )


def _tr_from(bold: BoldSeries, pairing: Pairing) -> str:
    if pairing.tr_s:
        return "given"
    return "BOLD file" if bold.tr_s else "triggers"


def _check_tr(marker: VolumeMarker, found_s: float, known_s: float | None) -> None:
    if len(marker.times_s) < 2:
        raise DataFileError(
            f"the marker {marker.text} comes {len(marker.times_s)} times, expected one "
            "for each volume. Name the volume marker with --trigger."
        )
    if known_s is not None and abs(found_s / known_s - 1) > TR_TOLERANCE:
        raise DataFileError(
            f"the triggers {marker.text} come every {found_s:.4g} s, expected the TR "
            f"of {known_s:.4g} s within {100 * TR_TOLERANCE:g} %. Is it the BOLD of "
            "this run, or are these slice triggers (--trigger-every)? If the triggers "
            f"are right: --tr {found_s:.4g}."
        )


def _regularity(run: TriggerRun) -> tuple[float, FloatArray]:
    """Return the measured TR, and each trigger's distance from its line in ms."""
    number = np.flatnonzero(run.found)
    times_s = run.onsets_s[number]
    if len(number) < 2:
        return float("nan"), np.zeros(1)
    slope_s, start_s = np.polyfit(number, times_s - times_s[0], 1)
    off_s = times_s - times_s[0] - (start_s + slope_s * number)
    return float(slope_s), 1e3 * off_s


def _check_covered(eeg: EegRecording, onsets_s: FloatArray) -> None:
    """Refuse volumes that were scanned while no EEG was recorded."""
    late = int((onsets_s > eeg.last_s).sum())
    early = int((onsets_s < eeg.first_s).sum())
    if late or early:
        which = f"{late} volumes after its end" if late else ""
        which += " and " if late and early else ""
        which += f"{early} volumes before its start" if early else ""
        raise DataFileError(
            f"{eeg.name} is shorter than the BOLD: {which}, expected EEG for every "
            f"volume. Leave them out on both sides: --dummy-volumes {early} "
            f"--drop-volumes {early} --spare-triggers {late} --drop-last-volumes "
            f"{late} (added to what you gave)."
        )


def _warnings(
    run: TriggerRun, pairs: Pairs, sd_ms: float, drift_ppm: float | None
) -> Sequence[str]:
    told = []
    if n_missing := int((~run.found[pairs.volume]).sum()):
        told.append(f"{n_missing} triggers are missing within the run")
    if run.n_double:
        told.append(f"{run.n_double} triggers came twice and were ignored")
    if sd_ms > JITTER_WARN_MS:
        told.append(f"triggers jitter by {sd_ms:.1f} ms (sd); below 1 is usual")
    if drift_ppm is not None and abs(drift_ppm) > DRIFT_WARN_PPM:
        told.append(f"the measured TR is {drift_ppm:+.0f} ppm off the given one")
    return told
