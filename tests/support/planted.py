"""A scan whose BOLD follows the loudness of two electrodes, and tiny networks."""

import numpy as np

CHANNELS = ("FP1", "CZ", "O2", "C3")
ROIS = ("front", "back")
TR_S = 2.0
SMALLEST = {
    "dim": 8,
    "heads": 2,
    "branches": "spectral",
    "spectral_depth": 2,
    "spectral_heads": 2,
    "spectral_steps": 8,
    "magnitude": "log",
    "head": "axes",
}


def material(n=300, seed=0):
    """Return windows of white noise whose loudness is slow and seen by BOLD."""
    from rtbold.calibration.fit.protocol import Material

    rng = np.random.default_rng(seed)
    slow = np.zeros((n + 8, 4))
    for i in range(1, n + 8):
        slow[i] = 0.8 * slow[i - 1] + rng.standard_normal(4)
    slow /= slow.std(axis=0)
    eeg = 20 * rng.standard_normal((4, (n + 8) * 400)).astype(np.float32)
    eeg *= np.repeat(np.exp(0.5 * slow), 400, axis=0).T.astype(np.float32)
    onsets_s = (np.arange(n) + 8) * TR_S
    windows = np.stack([eeg[:, i * 400 : i * 400 + 3200] for i in range(n)])
    bold = np.stack([slow[7:-1, 0], slow[5:-3, 2]], axis=1)[:n]
    return Material(windows, onsets_s, np.arange(n) + 8), bold


def measured(onsets_s, bold):
    """Return what `targets` takes."""
    from rtbold.calibration.fit.target import MeasuredScan

    return MeasuredScan(100 + bold, onsets_s, ROIS)


def tiny_base(name="smallest"):
    """Return a fresh base of a variant of `architectures`, or of the smallest size."""
    import torch
    from architectures import VARIANTS

    from rtbold.calibration.fit.base import Base
    from rtbold.models.registry import build

    torch.manual_seed(0)
    architecture, options = VARIANTS.get(name, ("neurobolt", SMALLEST))
    network = build(architecture, options, channels=CHANNELS, n_rois=len(ROIS)).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    return Base(network, None, None, ROIS, (False,) * len(ROIS))
