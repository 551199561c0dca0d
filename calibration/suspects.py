"""What else could explain a prediction: everything that the verdict controls for.

Artefacts and vigilance are read from the EEG windows themselves; the global signal,
motion, heart rate and respiration come from the tables that were given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.calibration.controls import control_predictions, time_features
from rtbold.calibration.evaluate.eeg_nuisances import NuisanceSettings, window_nuisances
from rtbold.calibration.evaluate.nuisances import Nuisances
from rtbold.calibration.fit.split import IntArray, Part
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.messages import FloatArray

GLOBAL: Final = "global_signal"
ENOUGH_ROIS_N: Final = 20  # whose mean stands in for the global signal
_BATCH: Final = 32
_EXPECTED: Final = {
    "motion": ("framewise_displacement", "fd", "trans", "rot", "rmsd", "dvars"),
    "heart rate": ("heart",),
    "respiration": ("resp",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Out-of-fold series that stand beside the predictions: rows are the windows."""

    measured: FloatArray  # (windows, rois), as scored
    folds: Sequence[Part]
    onsets_s: FloatArray


def suspects(
    scan: CalibrationScan,
    channels: Sequence[str],
    beside: Beside,
    *,
    slices_per_tr: int | None = None,
) -> Nuisances:
    """Return the nuisances on the scan's grid of volumes; says what is not known."""
    settings = NuisanceSettings(tuple(channels), scan.tr_s, slices_per_tr)
    batches = (
        scan.windows[start : start + _BATCH] for start in range(0, len(scan), _BATCH)
    )
    found = window_nuisances(batches, settings)
    artefacts, vigilance = found.summaries()
    artefact_features, vigilance_features = found.features()
    place = _Grid(scan.volume, len(scan.bold))
    given = {k: v for k, v in scan.confounds.items() if k != GLOBAL}
    controls = [
        place(_control(features, beside))
        for features in (
            artefact_features,
            vigilance_features,
            time_features(beside.onsets_s),
        )
    ]
    global_signal, unknown = _global_signal(scan)
    return Nuisances(
        artefacts={k: place(v) for k, v in artefacts.items()}
        | {k: v[:, None] for k, v in given.items()},
        vigilance={k: place(v) for k, v in vigilance.items()},
        global_signal=global_signal,
        artefact_control=controls[0],
        vigilance_control=controls[1],
        time_control=controls[2],
        not_known=(*unknown, *_not_given(given, slices_per_tr)),
    )


class _Grid:
    """Puts rows of windows on the scan's volumes; nan where there is no window."""

    def __init__(self, volume: IntArray, n_volumes: int) -> None:
        self._volume, self._n_volumes = volume, n_volumes

    def __call__(self, rows: FloatArray) -> FloatArray:
        grid = np.full((self._n_volumes, rows.shape[1]), np.nan)
        grid[self._volume] = rows
        return grid


def _control(features: FloatArray, beside: Beside) -> FloatArray:
    known = np.asarray(np.isfinite(beside.measured).all(axis=1))
    measured = np.where(known[:, None], beside.measured, 0.0)
    out = control_predictions(
        features, measured, folds=beside.folds, onsets_s=beside.onsets_s
    )
    return np.where(known[:, None], out, np.nan)


def _global_signal(
    scan: CalibrationScan,
) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Return the measured one; the mean over many ROIs stands in for it."""
    if GLOBAL in scan.confounds:
        return scan.confounds[GLOBAL], ()
    if len(scan.rois) < ENOUGH_ROIS_N:
        return None, ("global signal",)
    sd = np.nanstd(scan.bold, axis=0)
    mean: FloatArray = (scan.bold / sd).mean(axis=1)
    return mean, (f"global signal (the mean of {len(scan.rois)} ROIs stands for it)",)


def _not_given(
    given: Mapping[str, FloatArray], slices_per_tr: int | None
) -> tuple[str, ...]:
    missing = [
        name
        for name, starts in _EXPECTED.items()
        if not any(key.startswith(starts) for key in given)
    ]
    return (*missing, *(() if slices_per_tr else ("comb at slice rate",)))
