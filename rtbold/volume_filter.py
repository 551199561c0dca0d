"""Low-pass of a series that comes volume by volume: causal in a session. Pure."""

from typing import Final

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi, sosfiltfilt

from rtbold.messages import FloatArray

CAUSAL_ORDER: Final = 2
TARGET_ORDER: Final = 5  # of the zero-phase target, as in training
MAX_HELD: Final = 2  # missing volumes in a row that are bridged
SETTLING_CYCLES: Final = 0.6  # of the cut-off's period, until a start has worn off
LEAST_ZERO_PHASE: Final = 20  # volumes; the padding alone needs 18


class CausalLowpass:
    """Butterworth of order 2 over the volumes of one run, one volume a call.

    A missing volume holds the last value for the filter and gives nan; after more than
    `MAX_HELD` in a row, the filter starts anew and gives nan until it has settled.

    Parameters
    ----------
    cutoff_hz : None, or above what the TR can carry: nothing is filtered.
    tr_s : of the volumes.
    """

    def __init__(self, cutoff_hz: float | None, tr_s: float) -> None:
        self._sos = None
        self._settling_n = 0
        if cutoff_hz is not None and cutoff_hz < 0.5 / tr_s:
            self._sos = butter(CAUSAL_ORDER, cutoff_hz, fs=1 / tr_s, output="sos")
            self._settling_n = int(np.ceil(SETTLING_CYCLES / (cutoff_hz * tr_s)))
        self.restart()

    def restart(self) -> None:
        """Forget everything: another run begins."""
        self._state: FloatArray | None = None
        self._last: FloatArray | None = None
        self._n_missing = self._n_since_start = 0

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the filtered volume, (columns,); nan where it cannot be told.

        Parameters
        ----------
        values : (columns,); nan: missing. A volume all of whose columns are nan is a
            missing volume.
        """
        here = np.isfinite(values)
        if not here.any():
            self._n_missing += 1
            if self._n_missing > MAX_HELD or self._last is None:
                self.restart()
            else:
                self._filtered(self._last)
            return np.full(len(values), np.nan)
        self._n_missing = 0
        before = values if self._last is None else self._last
        filtered = self._filtered(np.where(here, values, before))
        settled = self._n_since_start > self._settling_n
        return np.where(here & settled, filtered, np.nan)

    def _filtered(self, values: FloatArray) -> FloatArray:
        self._last = values
        self._n_since_start += 1
        if self._sos is None:
            return values
        steady: FloatArray = sosfilt_zi(self._sos)[:, :, None] * values
        if self._state is None:
            self._state = steady
        # A column that comes for the first time starts as if it had always been so.
        self._state = np.where(np.isfinite(self._state), self._state, steady)
        filtered, self._state = sosfilt(self._sos, values[None], axis=0, zi=self._state)
        row: FloatArray = filtered[0]
        return row


def zero_phase(
    series: FloatArray, cutoff_hz: float | None, tr_s: float
) -> FloatArray | None:
    """Return a whole run low-passed forwards and backwards, as targets are made.

    It sees the future of each volume: for scores after a run, never for a session.
    None: the run is too short.

    Parameters
    ----------
    series : (volumes, columns) of one run without holes.
    """
    if len(series) < LEAST_ZERO_PHASE:
        return None
    if cutoff_hz is None or cutoff_hz >= 0.5 / tr_s:
        return series
    sos = butter(TARGET_ORDER, cutoff_hz, fs=1 / tr_s, output="sos")
    filtered: FloatArray = sosfiltfilt(sos, series, axis=0)
    return filtered
