"""Predicted and measured BOLD by volume, and by nothing else. Pure, bounded.

A row is the volume whose BOLD it is: a prediction that looks ahead by h volumes stands
in the row of the volume that it is for, beside its measurement.
"""

import math
from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.received import FeedbackValue, floats
from rtbold.messages import Float32Array, FloatArray
from rtbold.publish import PredRoi, Truth

CAPACITY: Final = 2000  # volumes: more than an hour at TR 2.1 s
AHEAD_MOST: Final = 20  # volumes by which a measurement may be ahead of its prediction
SAME_ONSET_S: Final = 0.1  # both messages of a volume name the same trigger
IntArray = NDArray[np.int64]
_Source = Literal["roi", "fb"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HistoryView:
    """Rows by volume, oldest first; nan where nothing is known. Read, never write."""

    run: IntArray  # (n,), counts from 0
    volume_index: IntArray  # (n,), the volume whose BOLD this is
    bold_time: FloatArray  # (n,), LSL clock
    t_trigger: FloatArray  # (n,), of the volume at which it was predicted
    status: NDArray[np.str_]  # (n,), of the ROIs; "" where no prediction came
    target_status: NDArray[np.str_]  # (n,), of the feedback value
    target: FloatArray  # (n,), the feedback value, model units
    target_z: FloatArray
    target_low: FloatArray  # 95 %
    target_high: FloatArray
    target_low_80: FloatArray
    target_high_80: FloatArray
    values: Float32Array  # (n, rois), model units
    low: Float32Array  # (n, rois), 95 %
    high: Float32Array
    low_80: Float32Array
    high_80: Float32Array
    measured: Float32Array  # (n, rois), after the causal low-pass, the scanner's unit
    measured_raw: Float32Array  # (n, rois), as it came

    def __len__(self) -> int:
        return len(self.volume_index)


class VolumeHistory:
    """Rows of the newest volumes; a volume count that steps back is another run.

    Parameters
    ----------
    capacity : volumes that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.version = 0
        self.begin((), "")

    def begin(self, rois: tuple[str, ...], roi_hash: str) -> None:
        """Forget all rows; the columns are `rois` from now on."""
        self.rois, self.roi_hash = rois, roi_hash
        # a quarter of slack: rows move to the front only each so many volumes
        self._rows = _empty(self.capacity + max(self.capacity // 4, 1), len(rois))
        self._start = self._end = 0
        self._segment = 0  # first row from which volumes follow one by one
        self._run = 0
        self._begun_s = math.inf  # first onset of this run; LSL clock
        self._last: dict[_Source, int] = {}
        self._ahead: dict[int, Truth] = {}
        self.n_unpaired = 0  # measurements without a row
        self.version += 1

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def run(self) -> int:
        """The number of the newest run, from 0."""
        return self._run

    def view(self) -> HistoryView:
        """Return the rows; no copy. Valid until the next `take`."""
        found = {
            name: getattr(self._rows, name)[self._start : self._end] for name in _NAMES
        }
        return HistoryView(**found)

    def take_prediction(self, prediction: PredRoi) -> None:
        """Write one `pred.roi` into its row.

        Raises
        ------
        ValueError : it is of other ROIs than these.
        """
        values, n = prediction.values, len(self.rois)
        other = prediction.roi_hash not in ("", self.roi_hash)
        if other or (values is not None and len(values) != n):
            came = "no" if values is None else len(values)
            raise ValueError(
                f"a prediction came with {came} values (ROIs {prediction.roi_hash}), "
                f"expected {n} (ROIs {self.roi_hash}) as the session's hello said. It "
                "is not shown. Restart the session, and tell who made this publisher."
            )
        row = self._row_for(prediction, "roi")
        if row is None:
            return
        self._rows.status[row] = prediction.status
        for name in ("values", "low", "high", "low_80", "high_80"):
            given = getattr(prediction, name)
            if given is not None and values is not None:
                getattr(self._rows, name)[row] = floats(given)
        self._rows.bold_time[row] = prediction.bold_time

    def take_feedback(self, fb: FeedbackValue) -> None:
        """Write one `pred.fb` into its row."""
        row = self._row_for(fb, "fb")
        if row is None:
            return
        self._rows.target_status[row] = fb.status
        if not fb.usable:
            return
        self._rows.target[row] = fb.value
        for name in ("z", "low", "high", "low_80", "high_80"):
            given = getattr(fb, name)
            column = getattr(self._rows, f"target_{name}")
            column[row] = math.nan if given is None else given

    def take_truth(self, truth: Truth) -> None:
        """Write one measured volume beside its prediction, now or when that comes."""
        self.version += 1
        if self._is_of_an_earlier_run(truth):
            self.n_unpaired += 1
            return
        row = self._known_row(truth.volume_index)
        if row is not None:
            self._write_truth(row, truth)
            return
        ahead = truth.volume_index - self._newest_volume()
        if 0 < ahead <= AHEAD_MOST:
            self._ahead[truth.volume_index] = truth
        else:
            self.n_unpaired += 1

    def _write_truth(self, row: int, truth: Truth) -> None:
        places = {roi: k for k, roi in enumerate(self.rois)}
        there = [k for k, roi in enumerate(truth.rois) if roi in places]
        columns = [places[truth.rois[k]] for k in there]
        self._rows.measured_raw[row, columns] = floats(truth.values)[there]
        if truth.filtered:
            self._rows.measured[row, columns] = floats(truth.filtered)[there]

    # Rows

    def _row_for(self, of: PredRoi | FeedbackValue, source: _Source) -> int | None:
        if of.volume_index is None:
            return None
        self.version += 1
        volume = of.volume_index + of.horizon_tr
        stepped_back = volume <= self._last.get(source, volume - 1)
        if stepped_back or self._has_other_onset(volume, of.t_trigger):
            self._begin_run()
        if of.t_trigger is not None:
            self._begun_s = min(self._begun_s, of.t_trigger)
        self._last[source] = volume
        if self._end == self._segment or volume > self._newest_volume():
            self._append_up_to(volume)
        row = self._known_row(volume)
        if row is not None:
            self._rows.t_trigger[row] = _nan(of.t_trigger)
        return row

    def _has_other_onset(self, volume: int, t_trigger_s: float | None) -> bool:
        row = self._known_row(volume)
        if row is None or t_trigger_s is None:
            return False
        return abs(float(self._rows.t_trigger[row]) - t_trigger_s) > SAME_ONSET_S

    def _is_of_an_earlier_run(self, truth: Truth) -> bool:
        """Return whether a straggler comes after numbers have begun anew."""
        if truth.t_volume is None or math.isinf(self._begun_s):
            return False
        return truth.t_volume < self._begun_s - SAME_ONSET_S

    def _begin_run(self) -> None:
        self._run += 1
        self._begun_s = math.inf
        self._segment = self._end
        self._last.clear()
        self._ahead.clear()

    def _newest_volume(self) -> int:
        """Return the newest row's volume in this run; -1 before the first."""
        if self._end == self._segment:
            return -1
        return int(self._rows.volume_index[self._end - 1])

    def _known_row(self, volume: int) -> int | None:
        row = self._end - 1 - (self._newest_volume() - volume)
        return row if max(self._segment, self._start) <= row < self._end else None

    def _append_up_to(self, volume: int) -> None:
        """Add the row of `volume`, and empty ones for volumes that were skipped."""
        begun = self._end > self._segment
        n = volume - self._newest_volume() if begun else 1
        if n > self.capacity:  # nothing that is kept would be next to it
            self._segment, n = self._end, 1
        if self._end + n > len(self._rows):
            self._move_to_front(n)
        rows = slice(self._end, self._end + n)
        _blank(self._rows, rows)
        self._rows.volume_index[rows] = np.arange(volume - n + 1, volume + 1)
        self._rows.run[rows] = self._run
        self._end += n
        self._start = max(self._start, self._end - self.capacity)
        for ahead in [known for known in self._ahead if known <= volume]:
            row, truth = self._known_row(ahead), self._ahead.pop(ahead)
            if row is not None:
                self._write_truth(row, truth)

    def _move_to_front(self, n_more: int) -> None:
        """Make room for `n_more` rows in new arrays: old views stay what they were."""
        keep = max(self._start, self._end + n_more - self.capacity)
        kept, old = slice(min(keep, self._end), self._end), self._rows
        self._rows = _empty(len(old), len(self.rois))
        n_kept = kept.stop - kept.start
        for name in _NAMES:
            getattr(self._rows, name)[:n_kept] = getattr(old, name)[kept]
        self._segment = max(0, self._segment - kept.start)
        self._start, self._end = 0, n_kept


_NAMES: Final = tuple(field.name for field in fields(HistoryView))
_WORDS: Final = ("status", "target_status")
_INTEGERS: Final = ("run", "volume_index")
_BY_ROI: Final = (
    "values", "low", "high", "low_80", "high_80", "measured", "measured_raw",
)  # fmt: skip


def _empty(n: int, n_rois: int) -> HistoryView:
    columns: dict[str, NDArray[np.generic]] = {}
    for name in _NAMES:
        if name in _WORDS:
            columns[name] = np.zeros(n, "U8")
        elif name in _INTEGERS:
            columns[name] = np.zeros(n, np.int64)
        elif name in _BY_ROI:
            columns[name] = np.full((n, n_rois), np.nan, np.float32)
        else:
            columns[name] = np.full(n, np.nan)
    return HistoryView(**columns)  # type: ignore[arg-type]


def _blank(rows: HistoryView, which: slice) -> None:
    for name in _NAMES:
        if name not in _INTEGERS:
            getattr(rows, name)[which] = "" if name in _WORDS else np.nan


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


# Predicted and measured values of the target, volume by volume.


@dataclass(frozen=True, slots=True, eq=False)
class TargetPairs:
    """Volumes that have both."""

    target: str
    predicted: FloatArray  # (n,), model units
    measured: FloatArray  # (n,), after the causal low-pass, the scanner's unit


def target_pairs(history: VolumeHistory, target: str) -> TargetPairs | None:
    """Return the pairs of a target that is an ROI; None where there are none.

    A contrast of ROIs is not measured as such, so it has no pairs.
    """
    if target not in history.rois:
        return None
    view, column = history.view(), history.rois.index(target)
    predicted = np.asarray(view.values[:, column], dtype=float)
    measured = np.asarray(view.measured[:, column], dtype=float)
    both = np.isfinite(predicted) & np.isfinite(measured)
    if not both.any():
        return None
    return TargetPairs(target, predicted[both], measured[both])
