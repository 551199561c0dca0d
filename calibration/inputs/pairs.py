"""Which row of BOLD belongs to which volume of a run of triggers."""

from dataclasses import dataclass, field

import numpy as np

from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.calibration.inputs.runs import TriggerRun
from rtbold.calibration.inputs.triggers import MarkerChoice
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import FloatArray

SAME_TIME = 0.1  # of a TR: a stamp this near to a trigger is the volume's
_NO_ROW = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the user says of EEG and BOLD; the defaults: both hold the same volumes."""

    tr_s: float | None = None  # None: the BOLD's header, else the triggers' interval
    marker: MarkerChoice = field(default_factory=MarkerChoice)
    run: int | None = None  # from 1; of several trains of triggers in one EEG file
    dummy_volumes: int = 0  # first triggers of the run: no row belongs to them
    spare_triggers: int = 0  # last triggers of the run: no row belongs to them
    drop_volumes: int = 0  # first rows of BOLD: left out
    drop_last_volumes: int = 0  # last rows of BOLD: left out

    def __post_init__(self) -> None:
        """Refuse counts below zero."""
        for option in ("dummy_volumes", "spare_triggers", "drop_volumes",
                       "drop_last_volumes"):  # fmt: skip
            if (n := getattr(self, option)) < 0:
                raise ConfigError(
                    f"--{option.replace('_', '-')} is {n}, expected 0 or more."
                )


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
    local_s = run.onsets_s[known] + eeg.offset_s
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
