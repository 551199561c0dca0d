"""The pieces of the demo recipe (``scripts/train_demo.py``): card, models, scores."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from torch import nn

from rtbold import bundle
from rtbold.bundle import Card, Cleaning, Origin, Scores
from rtbold.calibration.evaluate.ood import FeatureScale
from rtbold.calibration.evaluate.scores import (
    mean_r,
    other_scan_r,
    per_roi,
    r_of_scans,
    shuffled_r,
)
from rtbold.calibration.train.batches import Part
from rtbold.calibration.train.dataset import (
    Scan,
    TwinScans,
)
from rtbold.calibration.train.finish import write_bundle
from rtbold.calibration.train.ridge import RidgeFit, fit_linear
from rtbold.messages import Float32Array, FloatArray
from rtbold.models import (
    PRESETS,
    BandPowerRidge,
    BandPowerRidgeConfig,
    NeuroBoltConfig,
    Unmixing,
)
from rtbold.sim import TwinRecording, read_rois
from rtbold.truth import lowpassed, pearson_r

CHANNELS = (
    "FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "T7", "C3", "CZ",
    "C4", "T8", "P7", "P3", "PZ", "P4", "P8", "O1", "O2",
)  # fmt: skip
UNMIXINGS: tuple[Unmixing, ...] = ("none", "laplacian")
CHECK_WINDOWS_PER_SCAN = 4
DATA = "simulated: twin, level hard, unseen subjects"


def roi_names() -> tuple[str, ...]:
    """Return the DiFuMo-64 names with a plain apostrophe."""
    return tuple(roi.name.replace("\u2019", "'") for roi in read_rois())


def demo_card() -> Card:
    """Return the card before anything is learned: what the model needs and answers."""
    return Card(
        name="demo",
        architecture="",
        channels=CHANNELS,
        reference="average",
        tr_s=2.1,
        rois=roi_names(),
        atlas="DiFuMo 64",
        cleaning=Cleaning(software="none", mode="none"),
        scanner="simulated",
        task="rest",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )


def small_config() -> NeuroBoltConfig:
    """Return the small preset of NeuroBOLT, for the demo's channels and ROIs."""
    return replace(PRESETS["small"], channels=CHANNELS, n_rois=len(roi_names()))


def fit_ridge_model(train: Part, unmixing: Unmixing) -> tuple[BandPowerRidge, RidgeFit]:
    """Return the fitted linear model as a module that exports like a network."""
    config = BandPowerRidgeConfig(
        channels=CHANNELS, n_rois=train.targets[0].shape[1], unmixing=unmixing
    )
    model = BandPowerRidge(config)
    return model, fit_linear(model, train)


def score(
    predicted: Sequence[Float32Array],
    measured: Sequence[Float32Array],
    rois: Sequence[str],
) -> Scores:
    """Return R on the test subjects beside the controls of the pairing."""
    r = r_of_scans(predicted, measured)
    mean = mean_r(r.mean(axis=1))
    constant = [np.repeat(p[:1], len(p), axis=0) for p in predicted]
    return Scores(
        data=DATA,
        mean_r=mean.r,
        mean_r_low=mean.low,
        mean_r_high=mean.high,
        p=mean.p,
        n_subjects=len(r),
        per_roi=per_roi(r, rois),
        controls={
            # The first window of each scan for all of its volumes.
            "constant_eeg": float(r_of_scans(constant, measured).mean()),
            "shuffled_volumes": float(shuffled_r(predicted, measured, seed=0).mean()),
            "other_subject_eeg": float(other_scan_r(predicted, measured).mean()),
            # The training mean for every volume does not vary: R is 0 by definition.
            "mean_predictor": 0.0,
        },
    )


def software() -> dict[str, str]:
    """Return the versions that a training run depends on."""
    names = ("numpy", "scipy", "torch", "onnx")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}


def check_windows(scans: Sequence[Scan]) -> Float32Array:
    """Return (n, channels, 3200) windows spread over each scan, for ``check.npz``."""
    spread = [
        np.linspace(0, len(scan) - 1, CHECK_WINDOWS_PER_SCAN).round().astype(int)
        for scan in scans
    ]
    windows = [s.windows_uv(at.tolist()) for s, at in zip(scans, spread, strict=True)]
    return np.concatenate(windows)


def write_demo(
    folder: Path,
    card: Card,
    model: nn.Module,
    *,
    check_uv: Float32Array,
    created: str,
    scale: FeatureScale | None = None,
) -> bundle.Bundle:
    """Export a trained model and write its bundle; an earlier one is replaced.

    Parameters
    ----------
    check_uv : simulated windows (n, channels, 3200), for ``check.npz``.
    created : the day, as the card has it: 2026-01-31.
    scale : of what the head reads; the graph then says how far a window is from it.
    """
    card = msgspec.structs.replace(
        card,
        created=created,
        note="SIMULATED data only; says nothing about real brains.",
    )
    return write_bundle(
        folder, card, model, check_uv=check_uv, scale=scale, replace=True
    )


# What could be reached on the twin: the noise ceiling and the oracle.
#
# Both look at what no model may see, the true neural drive; they only put the scores of
# the models in their place.

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
        truth = lowpassed(
            recording.bold_truth, twin.card.tr_s, twin.card.normalisation.lowpass_hz
        )
        rows = np.searchsorted(recording.volume_onsets_s, scan.onsets_s)
        ceilings.append(pearson_r(truth[rows], scan.bold).mean())
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
