"""What one lane of the ROI plot draws: rows of the history, cut and scaled. Pure."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.history import HistoryView
from rtbold.messages import FloatArray
from rtbold.publish import Truth, TruthScore

MEASURED_N: Final = 150  # newest volumes that set the measurement's scale, as for R
ENOUGH_MEASURED_N: Final = 10
FIRST_LIMIT: Final = 1.0  # model units: predictions are z-scored targets, shrunken
# The last is for numbers whose decade is found too small by rounding.
STEPS: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0)

BoolArray = NDArray[np.bool_]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class RoiTrace:
    """One ROI, or the target; nan where there is nothing, also between two runs."""

    t_s: FloatArray  # (n,), time of the BOLD, LSL clock
    value: FloatArray  # (n,), model units; so are all that follow
    low: FloatArray  # 95 %
    high: FloatArray
    low_80: FloatArray
    high_80: FloatArray
    measured: FloatArray  # (n,), brought to the mean and spread of the prediction
    degraded: BoolArray  # (n,)

    def limits(self) -> Span | None:
        """Return the lowest and the highest number that is drawn; None: nothing is."""
        drawn = (self.value, self.low, self.high, self.measured)
        every = np.concatenate([part[np.isfinite(part)] for part in drawn])
        if not len(every):
            return None
        return float(every.min()), float(every.max())


def target_trace(view: HistoryView, column: int | None, span_s: Span) -> RoiTrace:
    """Return what is fed back, and the measurement of its ROI.

    Parameters
    ----------
    column : of the target among the ROIs; None: it is a contrast of several.
    span_s : two times of the LSL clock; one row beyond each is kept, so that lines go
        on to the edge.
    """
    columns = (
        view.target, view.target_low, view.target_high, view.target_low_80,
        view.target_high_80,
    )  # fmt: skip
    measured = np.full(len(view), np.nan)
    if column is not None:
        measured = scaled_measured(view.target, view.measured[:, column].astype(float))
    return _trace(view, (*columns, measured), view.target_status, span_s)


def roi_trace(view: HistoryView, column: int, span_s: Span) -> RoiTrace:
    """Return the ROI in `column`; `span_s` as for the target."""
    of_roi = (view.values, view.low, view.high, view.low_80, view.high_80)
    columns = tuple(part[:, column].astype(float) for part in of_roi)
    measured = view.measured[:, column].astype(float)
    scaled = scaled_measured(columns[0], measured)
    return _trace(view, (*columns, scaled), view.status, span_s)


def scaled_measured(value: FloatArray, measured: FloatArray) -> FloatArray:
    """Return `measured`, (n,), shifted and stretched onto `value`'s mean and spread.

    The scanner's unit has no fixed relation to the model's. The newest `MEASURED_N`
    volumes with both set the scale; with fewer than `ENOUGH_MEASURED_N`: all nan.
    """
    both = np.flatnonzero(np.isfinite(value) & np.isfinite(measured))[-MEASURED_N:]
    if len(both) < ENOUGH_MEASURED_N:
        return np.full(len(measured), np.nan)
    spread = float(measured[both].std())
    if spread == 0:
        return np.full(len(measured), np.nan)
    scale = float(value[both].std()) / spread
    shifted: FloatArray = scale * (measured - measured[both].mean())
    return shifted + float(value[both].mean())


def _trace(
    view: HistoryView,
    columns: tuple[FloatArray, ...],
    status: NDArray[np.str_],
    span_s: Span,
) -> RoiTrace:
    rows = _rows_between(view.bold_time, *span_s)
    breaks = np.flatnonzero(np.diff(view.run[rows])) + 1
    t_s = np.insert(view.bold_time[rows], breaks, np.nan)
    value, low, high, low_80, high_80, measured = (
        np.insert(part[rows], breaks, np.nan) for part in columns
    )
    return RoiTrace(
        t_s=t_s,
        value=value,
        low=low,
        high=high,
        low_80=low_80,
        high_80=high_80,
        measured=measured,
        degraded=np.insert(status[rows] == "degraded", breaks, False),
    )


def _rows_between(t_s: FloatArray, first_s: float, last_s: float) -> slice:
    inside = np.flatnonzero((t_s >= first_s) & (t_s <= last_s))
    if not len(inside):
        return slice(0, 0)
    return slice(max(0, int(inside[0]) - 1), int(inside[-1]) + 2)


def stretches(known: BoolArray) -> list[slice]:
    """Return the runs of True in `known`, (n,), as slices."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], known.view(np.int8), [0]))))
    pairs = edges.reshape(-1, 2).tolist()
    return [slice(first, end) for first, end in pairs]


def stable_range(shown: Span | None, limits: Span | None) -> Span:
    """Return the range to show: it grows in steps and never shrinks by itself.

    Parameters
    ----------
    shown : the range until now; None: choose afresh.
    limits : of what is drawn; None: nothing is.
    """
    low, high = shown or (-FIRST_LIMIT, FIRST_LIMIT)
    if limits is None:
        return low, high
    return min(low, -_step_above(-limits[0])), max(high, _step_above(limits[1]))


def _step_above(value: float) -> float:
    """Return the smallest of 1, 1.5, 2 ... times a power of ten that is not below."""
    if value <= FIRST_LIMIT:
        return FIRST_LIMIT
    decade = 10.0 ** math.floor(math.log10(value))
    return next(decade * step for step in STEPS if decade * step >= value)


def score_words(truth: Truth | None, name: str) -> str:
    """Return the rolling R of `name` in words; empty: nobody measures it."""
    score = None if truth is None else _score_of(truth, name)
    if truth is None or score is None:
        return ""
    if score.r is None:
        return (
            f"R: not enough: {score.n_eff:.0f} of {truth.enough_n_eff:.0f} "
            "independent volumes"
        )
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f" ({signed(score.low)} to {signed(score.high)})"
    return (
        f"R {signed(score.r)}{interval}, causal, so far; "
        f"n {score.n_eff:.0f} of {score.n}"
    )


def _score_of(truth: Truth, name: str) -> TruthScore | None:
    if name == truth.target and truth.target_score is not None:
        return truth.target_score
    if name in truth.rois and len(truth.scores) == len(truth.rois):
        return truth.scores[truth.rois.index(name)]
    return None


def signed(value: float | None) -> str:
    """Return a number with its sign and about three digits; a dash for None."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    digits = 2 if abs(value) < 99.995 else 0
    text = f"{abs(value):.{digits}f}" if abs(value) < 1e6 else f"{abs(value):.2g}"
    is_zero = float(text) == 0
    sign = "" if is_zero else "+" if value > 0 else "\u2212"
    return f"{sign}{text}"


def trigger_step_ms(view: HistoryView, tr_s: float) -> float | None:
    """Return by how much the newest trigger came later than the TR after the last."""
    known = np.flatnonzero(np.isfinite(view.t_trigger))[-2:]
    if len(known) < 2 or view.run[known[0]] != view.run[known[1]]:
        return None
    n_volumes = int(np.diff(view.volume_index[known])[0])
    step_s = float(np.diff(view.t_trigger[known])[0])
    return 1000 * (step_s - n_volumes * tr_s)
