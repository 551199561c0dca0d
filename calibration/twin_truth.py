"""What could be reached on the twin: the noise ceiling and the oracle.

Both look at what no model may see, the true neural drive; they only put the scores of
the models in their place.
"""

from collections.abc import Sequence

import numpy as np

from rtbold.calibration.score import pearson_r
from rtbold.calibration.train.dataset import Scan, filtered_target
from rtbold.calibration.twin_data import TwinScans
from rtbold.messages import FloatArray
from rtbold.sim.twin import TwinRecording

LAGS_S = np.arange(0.0, 16.0, 1.0)  # within the window that a model sees


def ceiling_and_oracle(
    twin: TwinScans, fit_seeds: Sequence[int], test_seeds: Sequence[int]
) -> tuple[float, float]:
    """Return the mean R over ROIs and test subjects of ceiling and oracle.

    Ceiling: BOLD without noise, body and drift, filtered alike, against the measured
    target. Oracle: the true drive at lags 0 to 15 s, weighted by least squares on
    `fit_seeds`, one set of weights per ROI for all subjects.
    """
    weights = _oracle_weights(twin, fit_seeds)
    ceilings, oracles = [], []
    for seed in test_seeds:
        recording, scan = twin.recording(seed), twin.read(seed)
        truth = filtered_target(
            recording.bold_truth, twin.card.tr_s, twin.card.normalisation.lowpass_hz
        )
        ceilings.append(pearson_r(truth[-len(scan) :], scan.bold).mean())
        lagged = _lagged_drive(recording, scan)  # (rois, volumes, lags)
        guess = np.einsum("rvl,rl->vr", lagged, weights)
        oracles.append(pearson_r(guess, scan.bold).mean())
    return float(np.mean(ceilings)), float(np.mean(oracles))


def _oracle_weights(twin: TwinScans, seeds: Sequence[int]) -> FloatArray:
    n_rois, n_lags = len(twin.card.rois), len(LAGS_S)
    gram = np.zeros((n_rois, n_lags, n_lags))
    product = np.zeros((n_rois, n_lags))
    for seed in seeds:
        scan = twin.read(seed)
        x = _lagged_drive(twin.recording(seed), scan)
        y = scan.bold - scan.bold.mean(axis=0)
        gram += x.transpose(0, 2, 1) @ x
        product += np.einsum("rvl,vr->rl", x, y)
    penalty = 1e-3 * np.trace(gram, axis1=1, axis2=2)[:, None, None]
    lags = np.eye(n_lags) / n_lags
    weights: FloatArray = np.linalg.solve(gram + penalty * lags, product[..., None])
    return weights[..., 0]


def _lagged_drive(recording: TwinRecording, scan: Scan) -> FloatArray:
    times_s = scan.onsets_s[:, None] - LAGS_S
    lagged = np.stack(
        [np.interp(times_s, recording.drive_t_s, row) for row in recording.drive]
    )
    centred: FloatArray = lagged - lagged.mean(axis=1, keepdims=True)
    return centred
