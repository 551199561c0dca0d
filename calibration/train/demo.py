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
from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.evaluate.ood import FeatureScale
from rtbold.calibration.evaluate.scores import (
    mean_r,
    other_scan_r,
    per_roi,
    r_of_scans,
    shuffled_r,
)
from rtbold.calibration.train.batches import Part
from rtbold.calibration.train.finish import write_bundle
from rtbold.calibration.train.ridge import RidgeFit, fit_linear
from rtbold.messages import Float32Array
from rtbold.models import (
    PRESETS,
    BandPowerRidge,
    BandPowerRidgeConfig,
    NeuroBoltConfig,
    Unmixing,
)
from rtbold.sim import read_rois

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
