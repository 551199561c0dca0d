"""What was predicted and what was measured, volume by volume: the past of both. Pure.

Both go through the same causal low-pass before they are compared, so that its delay
touches their correlation as little as it can.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.autocorrelation import BoolArray
from rtbold.messages import FloatArray
from rtbold.rolling_r import RollingR, rolling_r
from rtbold.volume_filter import MAX_HELD, CausalLowpass, zero_phase

WINDOW_VOLUMES: Final = 150  # of the rolling R: five minutes at a TR of 2.1 s
KEPT_VOLUMES: Final = 5000  # for the score after the run: three hours at 2.1 s
ENOUGH_FOR_UNITS: Final = 60  # volumes, to put a measurement into model units


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One volume; nan where there is nothing."""

    volume: int
    predicted: FloatArray  # (columns,), model units
    measured: FloatArray  # (columns,), the scanner's unit


class PairHistory:
    """The pairs of a session, low-passed and as they came.

    Parameters
    ----------
    lowpass_hz : cut-off of the target; None: not filtered.
    tr_s : of the volumes.
    """

    def __init__(self, lowpass_hz: float | None, tr_s: float) -> None:
        self._lowpass_hz = lowpass_hz
        self._tr_s = tr_s
        self._of_predicted = CausalLowpass(lowpass_hz, tr_s)
        self._of_measured = CausalLowpass(lowpass_hz, tr_s)
        self._newest = -1
        self._window: deque[Pair] = deque(maxlen=WINDOW_VOLUMES)  # filtered
        self._kept: deque[Pair] = deque(maxlen=KEPT_VOLUMES)  # as they came

    def begin_run(self) -> None:
        """Start the filters anew; volumes are counted from 0 again."""
        self._newest = -1
        self._of_predicted.restart()
        self._of_measured.restart()

    def forget(self) -> None:
        """Forget all pairs: their columns are others now."""
        self.begin_run()
        self._window.clear()
        self._kept.clear()

    def add(self, pair: Pair) -> Pair:
        """Take the next volume of the run; return it low-passed."""
        n_missed = pair.volume - self._newest - 1 if self._newest >= 0 else 0
        nothing = np.full(len(pair.measured), np.nan)
        for _ in range(min(n_missed, MAX_HELD + 1)):
            self._of_predicted(nothing)
            self._of_measured(nothing)
        self._newest = pair.volume
        filtered = Pair(
            pair.volume,
            self._of_predicted(pair.predicted),
            self._of_measured(pair.measured),
        )
        self._kept.append(pair)
        self._window.append(filtered)
        return filtered

    def rolling(self, n_columns: int) -> RollingR:
        """Return R over the newest volumes, (columns,)."""
        return rolling_r(*_on_grid(self._window, n_columns))

    def newest_in_units(self) -> Pair | None:
        """Return the newest pair, filtered, with the measurement in model units.

        A session's scanner gain is not the calibration's, so the measurement is
        standardised by its own last volumes; None before there are 60 of them.
        """
        if len(self._window) < ENOUGH_FOR_UNITS:
            return None
        past = np.array([pair.measured for pair in self._window])
        enough = np.isfinite(past).sum(axis=0) >= ENOUGH_FOR_UNITS
        if not enough.any():
            return None
        past[:, ~enough] = 0.0
        mean, sd = np.nanmean(past, axis=0), np.nanstd(past, axis=0)
        newest = self._window[-1]
        scale = np.where(enough & (sd > 0), sd, np.nan)
        return Pair(newest.volume, newest.predicted, (newest.measured - mean) / scale)

    def after_run(self, n_columns: int) -> RollingR | None:
        """Return R of the newest run with the measurement filtered as the target.

        Forwards and backwards: it sees the future of each volume, so it is a score
        after the run and nothing for a session. None if the run was too short.
        """
        predicted, measured = _on_grid(_last_run(self._kept), n_columns)
        there: BoolArray = np.all(np.isfinite(measured), axis=1)
        if not there.any():
            return None
        grid = np.arange(len(measured))
        bridged = [np.interp(grid, grid[there], m[there]) for m in measured.T]
        target = zero_phase(np.stack(bridged, axis=1), self._lowpass_hz, self._tr_s)
        if target is None:
            return None
        return rolling_r(predicted, np.where(there[:, None], target, np.nan))


def _last_run(pairs: Sequence[Pair]) -> list[Pair]:
    rows = list(pairs)
    steps = [k for k in range(1, len(rows)) if rows[k].volume <= rows[k - 1].volume]
    return rows[steps[-1] :] if steps else rows


def _on_grid(pairs: Sequence[Pair], n_columns: int) -> tuple[FloatArray, FloatArray]:
    """Return (volumes, columns) twice; nan where volumes are missing.

    A step back or a long hole takes one empty volume, for it is no neighbour.
    """
    nothing = np.full(n_columns, np.nan)
    predicted: list[FloatArray] = []
    measured: list[FloatArray] = []
    for k, pair in enumerate(pairs):
        step = pair.volume - pairs[k - 1].volume if k else 1
        n_missing = step - 1 if 1 <= step <= MAX_HELD + 1 else 1
        predicted += [nothing] * n_missing + [pair.predicted]
        measured += [nothing] * n_missing + [pair.measured]
    if not predicted:
        return np.empty((0, n_columns)), np.empty((0, n_columns))
    return np.array(predicted), np.array(measured)
