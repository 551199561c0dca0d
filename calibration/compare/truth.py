"""What could be reached on simulated scans: ceiling, oracle, perfectly unmixed sources.

They look at what no model may see, the simulation itself, and only put the scores of
the models in their place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rtbold.calibration.compare.material import Fold, Part, standard
from rtbold.calibration.compare.scores import Rows
from rtbold.calibration.compare.unmixed import UnmixedFit, columns_of, fit_unmixed
from rtbold.calibration.train.dataset import TwinScans
from rtbold.messages import FloatArray
from rtbold.sim import TwinRecording, simulate
from rtbold.truth import lowpassed, pearson_r

if TYPE_CHECKING:
    from rtbold.calibration.datasets.cache import PreparedScan

CEILING: Final = "noise ceiling"
ORACLE: Final = "oracle, true drive"
BOUND: Final = "perfectly unmixed sources"
MEANING: Final = {
    CEILING: "simulated BOLD without noise, body and drift, filtered as the target is",
    ORACLE: "the true neural drive of each ROI at lags of 0 to 15 s; no decoder of EEG "
    "can reach it",
    BOUND: "ridge on the true amplitude of every rhythm in every source, at lags of 1 "
    "to 15 s: what band power could give if the EEG were unmixed perfectly, as far as "
    "the training scans of this split can teach it",
}
LAGS_S: Final = np.arange(0.0, 16.0, 1.0)  # within the window that a model sees
ORACLE_SCANS_N: Final = 8  # to learn the weights from: 16 numbers a ROI
BOUND_SCANS_N: Final = 40
_PENALTY: Final = 1e-3  # of the mean power of a lag


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Where the windows of a scan end, and what they are scored against."""

    onsets_s: FloatArray  # (windows,), from the recording's first sample
    target: FloatArray  # (windows, rois)


class Truth:
    """The references of one fold; simulated again, because a cache holds no truth."""

    def __init__(self, fold: Fold, *, lowpass_hz: float | None) -> None:
        self._fold = fold
        self._lowpass_hz = lowpass_hz
        self._weights: dict[str, FloatArray] = {}
        self._bounds: dict[str, UnmixedFit] = {}

    def predict(self, scan: "PreparedScan", rows: Rows) -> dict[str, FloatArray]:
        """Return name -> (rows, rois) in sd of the target; empty: nothing is known.

        ROIs that the simulation does not have are nan.
        """
        if scan.twin is None:
            return {}
        recording = simulate(scan.twin)
        columns = columns_of(recording.roi_names, scan.rois)
        found = {
            CEILING: ceiling(recording, scan.scan.onsets_s, self._lowpass_hz)[rows],
            ORACLE: self._oracle(recording, scan)[rows],
        }
        if all(column is None for column in columns):
            return {}
        spread = {name: _spread(v, columns) for name, v in found.items()}
        return spread | {BOUND: self._bound(scan)[rows]}

    def _oracle(self, recording: TwinRecording, scan: "PreparedScan") -> FloatArray:
        lessons = self._lessons(scan, ORACLE_SCANS_N)
        key = lessons[0].scan.name if len(lessons) == 1 else ""
        if key not in self._weights:
            learned = [_lesson(part) for part in lessons]
            self._weights[key] = oracle_weights(learned)
        lagged = lagged_drive(recording, np.asarray(scan.scan.onsets_s))
        guess: FloatArray = np.einsum("rvl,rl->vr", lagged, self._weights[key])
        return guess

    def _bound(self, scan: "PreparedScan") -> FloatArray:
        lessons = self._lessons(scan, BOUND_SCANS_N)
        key = lessons[0].scan.name if len(lessons) == 1 else ""
        if key not in self._bounds:
            self._bounds[key] = fit_unmixed(lessons)
        return self._bounds[key].predict(scan)

    def _lessons(self, scan: "PreparedScan", most: int) -> list[Part]:
        """Return some simulated scans to learn from, those that validate among them."""
        known = [p for p in self._fold.lessons(scan) if p.scan.twin is not None]
        chosen = [p for p in known if len(p.validation) and not len(p.train)]
        return [p for p in known if len(p.train)][:most] + chosen[:most]


def ceiling_and_oracle(
    twin: TwinScans, fit_seeds: Sequence[int], test_seeds: Sequence[int]
) -> tuple[float, float]:
    """Return the mean R over ROIs and test subjects of ceiling and oracle.

    Parameters
    ----------
    fit_seeds : whose scans the oracle's weights are learned from.
    """
    lowpass_hz = twin.card.normalisation.lowpass_hz
    learned = []
    for seed in fit_seeds:
        scan = twin.read(seed)
        learned.append((twin.recording(seed), scan.onsets_s, scan.bold))
    weights = oracle_weights(learned)
    ceilings, oracles = [], []
    for seed in test_seeds:
        recording, scan = twin.recording(seed), twin.read(seed)
        highest = ceiling(recording, scan.onsets_s, lowpass_hz)
        ceilings.append(pearson_r(highest, scan.bold).mean())
        lagged = lagged_drive(recording, scan.onsets_s)
        guess = np.einsum("rvl,rl->vr", lagged, weights)
        oracles.append(pearson_r(guess, scan.bold).mean())
    return float(np.mean(ceilings)), float(np.mean(oracles))


def ceiling(
    recording: TwinRecording, onsets_s: FloatArray, lowpass_hz: float | None
) -> FloatArray:
    """Return noise-free BOLD at some volumes, filtered as targets are, in its sd."""
    tr_s = recording.settings.tr_s
    truth = lowpassed(recording.bold_truth, tr_s, lowpass_hz)
    rows = np.searchsorted(recording.volume_onsets_s, np.asarray(onsets_s) - tr_s / 2)
    left = truth[rows] - truth[rows].mean(axis=0)
    sd = left.std(axis=0)
    units: FloatArray = left / np.where(sd > 0, sd, 1.0)
    return units


def oracle_weights(
    lessons: Sequence[tuple[TwinRecording, FloatArray, FloatArray]],
) -> FloatArray:
    """Return (rois, lags): one set of weights per ROI for all scans, least squares.

    Parameters
    ----------
    lessons : per scan its simulation, the onsets of its volumes, and the target
        (volumes, rois of the simulation); a ROI that is not in the target is nan.
    """
    n_rois, n_lags = len(lessons[0][0].drive), len(LAGS_S)
    gram, product = np.zeros((n_rois, n_lags, n_lags)), np.zeros((n_rois, n_lags))
    for recording, onsets_s, target in lessons:
        x = lagged_drive(recording, onsets_s)
        y = np.nan_to_num(target - target.mean(axis=0))
        gram += x.transpose(0, 2, 1) @ x
        product += np.einsum("rvl,vr->rl", x, y)
    penalty = _PENALTY * np.trace(gram, axis1=1, axis2=2)[:, None, None]
    lags = np.eye(n_lags) / n_lags
    weights: FloatArray = np.linalg.solve(gram + penalty * lags, product[..., None])
    return weights[..., 0]


def lagged_drive(recording: TwinRecording, onsets_s: FloatArray) -> FloatArray:
    """Return (rois, volumes, lags), the true drive before each volume, centred."""
    times_s = onsets_s[:, None] - LAGS_S
    lagged = np.stack(
        [np.interp(times_s, recording.drive_t_s, row) for row in recording.drive]
    )
    centred: FloatArray = lagged - lagged.mean(axis=1, keepdims=True)
    return centred


def _lesson(part: Part) -> tuple[TwinRecording, FloatArray, FloatArray]:
    scan, rows = part.scan, np.concatenate([part.train, part.validation])
    if scan.twin is None:
        raise ValueError(f"{scan.name} is not simulated")
    recording = simulate(scan.twin)
    y = standard(scan)[rows]
    target = np.full((len(rows), len(recording.roi_names)), np.nan)
    for place, column in enumerate(columns_of(recording.roi_names, scan.rois)):
        if column is not None:
            target[:, column] = y[:, place]
    return recording, np.asarray(scan.scan.onsets_s)[rows], target


def _spread(values: FloatArray, columns: Sequence[int | None]) -> FloatArray:
    """Return the columns of a scan's ROIs, nan where there is none."""
    out = np.full((len(values), len(columns)), np.nan)
    for place, column in enumerate(columns):
        if column is not None:
            out[:, place] = values[:, column]
    return out
