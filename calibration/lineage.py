"""Which scans a model has learned from, and whether the one at hand is among them.

A scan is known by marks of its samples, not by its files. A mark is a hash of the order
in which the changes from volume to volume of one series rank, over 20 or 24 of them.
Units, scale, offset, slow drift, file formats and rounding hardly move ranks; a part of
a scan holds the marks of that part; each channel and each ROI has marks of its own
(docs/decisions/0016-a-scan-is-known-by-its-samples.md).
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy import fft, signal

from rtbold.bundle import Card, Lineage, SeenScan
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.errors import ConfigError
from rtbold.files import stamps
from rtbold.messages import Float32Array, FloatArray

EEG_CHANGES_N: Final = 20  # from volume to volume, in one mark
BOLD_CHANGES_N: Final = 24  # more, because BOLD is smoother
PER_SERIES_N: Final = 8  # marks that a card keeps of a channel or ROI
MOST_N: Final = 2048  # marks that a card keeps of one scan's EEG, or BOLD
TRAINING_N: Final = 64  # the same, of one scan among many that a network is trained on
SEEN_N: Final = 2  # marks in common that make two scans the same one
BAND_HZ: Final = (1.0, 30.0)  # every recording and every cleaning has these

_MARK_BYTES: Final = 6  # eight characters on the card
# Of a window's changes; below it is a ramp, a slow wave or a dead series, which many
# scans could share.
_LEAST_TURNS: Final = 0.25
_LEAST_DISTINCT: Final = 0.75

Marks = tuple[tuple[bytes, ...], ...]  # of each series, in time


class Shared(NamedTuple):
    """How many marks of one earlier scan are in this one, and of how many."""

    eeg: int
    n_eeg: int
    bold: int
    n_bold: int

    @property
    def seen(self) -> tuple[str, ...]:
        """What of this scan came before; a single mark may be chance."""
        found = (("EEG", self.eeg), ("BOLD", self.bold))
        return tuple(name for name, n in found if n >= SEEN_N)


@dataclass(frozen=True, slots=True)
class ScanMarks:
    """All marks of one scan."""

    eeg: Marks = ()  # of each channel
    bold: Marks = ()  # of each ROI

    def on_card(self, most_n: int = MOST_N) -> SeenScan:
        """Return the part that a card carries."""
        return SeenScan(
            eeg=_written(_chosen(self.eeg, most_n)),
            bold=_written(_chosen(self.bold, most_n)),
        )

    def shared_with(self, earlier: SeenScan) -> Shared:
        """Return how much of an earlier scan is in this one."""
        eeg, bold = _read(earlier.eeg), _read(earlier.bold)
        return Shared(
            len(eeg & _all(self.eeg)), len(eeg), len(bold & _all(self.bold)), len(bold)
        )


def same_scan(one: SeenScan, other: SeenScan) -> tuple[str, ...]:
    """Return which of EEG and BOLD two scans have in common, by their marks."""
    pairs = (("EEG", one.eeg, other.eeg), ("BOLD", one.bold, other.bold))
    return tuple(name for name, a, b in pairs if len(_read(a) & _read(b)) >= SEEN_N)


def marks_of(series: FloatArray, changes_n: int) -> Marks:
    """Return the marks of each column of (volumes, series), nan where unknown.

    Parameters
    ----------
    changes_n : from volume to volume, whose ranks are one mark.
    """
    known = np.where(np.isfinite(series), series, np.nan)
    columns = known.astype(np.float32).T
    return tuple(tuple(_marks_of_one(column, changes_n)) for column in columns)


def scan_marks(power: FloatArray, bold: FloatArray) -> ScanMarks:
    """Return the marks of a scan.

    Parameters
    ----------
    power : (volumes, channels), of `volume_power`.
    bold : (volumes, rois), as measured.
    """
    return ScanMarks(marks_of(power, EEG_CHANGES_N), marks_of(bold, BOLD_CHANGES_N))


def volume_power(
    eeg_uv: Float32Array,
    first: np.ndarray,
    rate_hz: float,
    *,
    tr_s: float,
    rows: Sequence[int] | None = None,
) -> FloatArray:
    """Return (volumes, channels), log power from 1 to 30 Hz during each volume.

    Parameters
    ----------
    first : (volumes,), sample at each volume's onset; below 0: not known.
    rows : channels; None: all.
    """
    chosen = np.arange(len(eeg_uv)) if rows is None else np.asarray(rows, int)
    n = round(tr_s * rate_hz)
    taper = signal.windows.hann(n)  # an onset that is rounded moves little
    hz = fft.rfftfreq(n, 1 / rate_hz)
    band = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    power = np.full((len(first), len(chosen)), np.nan)
    for volume, start in enumerate(first):
        if start < 0 or start + n > eeg_uv.shape[1]:
            continue
        # A volume at a time: a whole recording in double precision is gigabytes
        block = eeg_uv[chosen, start : start + n].astype(np.float64)
        block[~np.isfinite(block).all(axis=1)] = np.nan
        spectrum = fft.rfft(_without_trend(block) * taper)[:, band]
        power[volume] = (np.abs(spectrum) ** 2).sum(axis=1)
    with np.errstate(divide="ignore"):  # a dead channel: no mark comes of it
        logged: FloatArray = np.log(power)
    return logged


def marks_of_scan(eeg: EegRecording, alignment: Alignment) -> ScanMarks:
    """Return the marks of a scan as it was recorded: no reference, no conditioning."""
    recording = eeg.recording
    rows = [i for i, c in enumerate(recording.channels) if c.kind == "eeg"]
    onsets_s = alignment.onsets_s
    at = np.searchsorted(stamps(recording), np.nan_to_num(onsets_s) - 1e-9)
    power = volume_power(
        recording.data_uv,
        np.where(np.isfinite(onsets_s), at, -1),
        recording.rate_hz,
        tr_s=alignment.tr_s,
        rows=rows,
    )
    return scan_marks(power, alignment.bold)


def refuse_seen(base: Card | None, marks: ScanMarks) -> None:
    """Refuse a base that has learned from the EEG or the BOLD of this scan.

    Raises
    ------
    ConfigError : says which of both, why it matters, and what to do.
    """
    if base is None or base.lineage is None:
        return
    for earlier in base.lineage.scans:
        shared = marks.shared_with(earlier)
        if shared.seen:
            raise ConfigError(
                _refusal(base, " and ".join(shared.seen), _shared_text(shared))
            )


def refuse_same_data(base: Card | None, data_sha256: str) -> None:
    """Refuse an older base, without marks, that was fitted on exactly these data.

    Raises
    ------
    ConfigError : as in `refuse_seen`.
    """
    if base is not None and base.training_data_sha256 == data_sha256:
        hashed = f"training data of hash {data_sha256[:12]}"
        raise ConfigError(_refusal(base, "EEG and BOLD", hashed))


def not_checked(base: Card | None, *, simulated: bool) -> str:
    """Return why it cannot be known that a base has not seen a scan; empty: it can.

    Parameters
    ----------
    simulated : whether the scan is. A base of simulated data alone has seen no other.
    """
    if base is None or (base.lineage is not None and base.lineage.complete):
        return ""
    if base.origin.kind == "simulated" and not simulated:
        return ""
    which = "does not list" if base.lineage is None else "lists only a part of"
    return (
        f"base '{base.name}' {which} the scans that it learned from, so it cannot be "
        "checked whether this scan is among them; if it is, R and verdict mean nothing"
    )


def lineage_after(base: Card | None, own: SeenScan) -> Lineage:
    """Return the lineage of weights that began as a base's and learned from a scan.

    Parameters
    ----------
    base : None: nothing of a base is in the weights.
    """
    before = Lineage(complete=True) if base is None else base.lineage or Lineage()
    scans = dict.fromkeys((*before.scans, own))
    return Lineage(scans=tuple(scans), complete=before.complete and _whole(own))


def lineage_of_training(scans: Iterable[SeenScan | None]) -> Lineage:
    """Return the lineage of a network that was trained on many scans.

    Parameters
    ----------
    scans : None: made before scans had marks.
    """
    found = list(scans)
    known = [scan for scan in found if scan is not None]
    complete = len(known) == len(found) and all(map(_whole, known))
    return Lineage(scans=tuple(known), complete=complete)


def _whole(scan: SeenScan) -> bool:
    return bool(scan.eeg and scan.bold)


def _refusal(base: Card, what: str, known_by: str) -> str:
    return (
        f"base '{base.name}' has learned from the {what} of this scan already "
        f"({known_by}). Expected a base that has seen neither: weights that "
        "remember a scan predict it in every fold, so that EEG and BOLD that have "
        "nothing to do with each other look like a signal. Calibrate with what that "
        "model itself began from (--base), from nothing (--base nothing), or on a scan "
        "that it has not seen."
    )


def _shared_text(shared: Shared) -> str:
    return (
        f"{shared.eeg} of {shared.n_eeg} marks of an earlier EEG, {shared.bold} of "
        f"{shared.n_bold} of its BOLD"
    )


def _without_trend(block: FloatArray) -> FloatArray:
    """Return (channels, samples) without mean and slope."""
    centred: FloatArray = block - block.mean(axis=1, keepdims=True)
    t = np.arange(block.shape[1]) - (block.shape[1] - 1) / 2
    slope = centred @ t / (t @ t)
    flat: FloatArray = centred - slope[:, None] * t
    return flat


def _marks_of_one(column: Float32Array, changes_n: int) -> list[bytes]:
    changes = np.diff(column.astype(np.float64))
    if len(changes) < changes_n:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(changes, changes_n)
    order = np.argsort(windows[_telling(windows)], axis=1, kind="stable")
    return [
        hashlib.blake2b(row.tobytes(), digest_size=_MARK_BYTES).digest()
        for row in order.astype(np.uint8)
    ]


def _telling(windows: FloatArray) -> np.ndarray:
    """Return which windows are of this scan and could hardly be of another."""
    finite = np.isfinite(windows).all(axis=1)
    with np.errstate(invalid="ignore"):
        rising = np.diff(windows, axis=1) > 0
        values = (np.diff(np.sort(windows, axis=1), axis=1) > 0).sum(axis=1) + 1
    turns = (rising[:, 1:] != rising[:, :-1]).sum(axis=1)
    n = windows.shape[1]
    enough = (turns >= _LEAST_TURNS * n) & (values >= _LEAST_DISTINCT * n)
    return np.asarray(finite & enough)


def _chosen(marks: Marks, most_n: int) -> list[bytes]:
    """Return the lowest marks of each series, then the lowest of all.

    Which hashes are lowest does not depend on where a scan was cut, so they are spread
    over time and over series alike.
    """
    lowest = {mark for one in marks for mark in sorted(set(one))[:PER_SERIES_N]}
    return sorted(lowest)[:most_n]


def _all(marks: Marks) -> set[bytes]:
    return {mark for one in marks for mark in one}


def _written(marks: Sequence[bytes]) -> str:
    return base64.b64encode(b"".join(marks)).decode("ascii")


def _read(text: str) -> set[bytes]:
    joined = base64.b64decode(text)
    starts = range(0, len(joined), _MARK_BYTES)
    return {joined[start : start + _MARK_BYTES] for start in starts}
