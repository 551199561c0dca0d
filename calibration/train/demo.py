"""The pieces of the demo recipe (``scripts/train_demo.py``): card, models, scores."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn

from rtbold import bundle
from rtbold.bundle import (
    CHECK_NAME,
    Baseline,
    Card,
    Check,
    Cleaning,
    LikenessReference,
    Origin,
    Scores,
)
from rtbold.calibration.evaluate.ood import (
    FeatureScale,
    head_inputs,
    lines_of,
    ood_reference,
    statistics_of,
)
from rtbold.calibration.evaluate.scores import (
    mean_r,
    other_scan_r,
    per_roi,
    r_of_scans,
    shuffled_r,
)
from rtbold.calibration.train.dataset import Scan, in_batches
from rtbold.calibration.train.fit import Split
from rtbold.calibration.train.ridge import (
    RidgeFit,
    features_table,
    fit_linear,
    fit_ridge,
)
from rtbold.messages import Float32Array
from rtbold.models import (
    PRESETS,
    BandPowerRidge,
    BandPowerRidgeConfig,
    NeuroBolt,
    NeuroBoltConfig,
    Unmixing,
    check_file,
    name_of,
    options_of,
    to_onnx,
    to_safetensors,
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


def fit_ridge_model(
    train: Split, unmixing: Unmixing
) -> tuple[BandPowerRidge, RidgeFit]:
    """Return the fitted linear model as a module that exports like a network."""
    config = BandPowerRidgeConfig(
        channels=CHANNELS, n_rois=train.targets[0].shape[1], unmixing=unmixing
    )
    model = BandPowerRidge(config)
    return model, fit_linear(model, train)


def refit_head(network: NeuroBolt, parts: tuple[Split, Split]) -> RidgeFit:
    """Solve the trained network's linear head in closed form, in place.

    Gradient steps leave the head short of its optimum; the penalty is chosen by the
    validation scans, because the features were learned from the training scans.
    """
    network.eval()
    train, validation = (features_table(network.features, part) for part in parts)
    fitted = fit_ridge(train, validation=validation)
    weight = fitted.weights / fitted.scale[:, None]  # (features, rois)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight.T))
        network.head.bias.copy_(torch.from_numpy(fitted.bias - fitted.mean @ weight))
    return fitted


def out_of_sample_baseline(predicted: Sequence[Float32Array]) -> Baseline:
    """Return mean and sd of predictions on scans that the fit did not see."""
    everything = np.concatenate(predicted).astype(np.float64)
    return Baseline(
        mean=tuple(everything.mean(axis=0).tolist()),
        sd=tuple(everything.std(axis=0).tolist()),
        n=len(everything),
    )


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


def ood_of_subjects(
    scans: Sequence[Scan], model: nn.Module
) -> tuple[LikenessReference, FeatureScale]:
    """Return what training EEG looks like; each subject by the scale of the others."""
    statistics, features, lines, group = [], [], [], []
    for number, scan in enumerate(scans):
        statistics += statistics_of(in_batches(scan))
        features.append(head_inputs(model, in_batches(scan)))
        tr_s = float(np.median(np.diff(scan.onsets_s)))
        lines += lines_of(in_batches(scan), tr_s=tr_s)
        group += [number] * len(scan)
    table = np.concatenate(features)
    reference = ood_reference(
        statistics, group=np.array(group), features=table, lines=lines
    )
    return reference, FeatureScale.of(table)


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


def write_bundle(
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
        architecture=name_of(model),
        architecture_config=options_of(model.config),
        created=created,
        note="SIMULATED data only; says nothing about real brains.",
        check=Check(windows="simulated", n=len(check_uv)),
    )
    watch = None if scale is None else (scale.mean, scale.sd)
    contents = {
        CHECK_NAME: check_file(model, check_uv, channels=card.channels, rois=card.rois),
        "model.onnx": to_onnx(model, len(card.channels), watch=watch),
        "weights.safetensors": to_safetensors(
            model, card.lineage, simulated=card.origin.simulated_lineage
        ),
    }
    return bundle.write(folder, card, contents, replace=True)
