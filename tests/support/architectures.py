"""Every architecture at a size that a test can train, with the options it has."""

import json

import numpy as np

CHANNELS = ("FP1", "CZ", "O2", "FTT9h")
TINY = {"dim": 16, "heads": 2, "depth": 1}
TINY_NEUROBOLT = {**TINY, "spectral_depth": 1, "spectral_heads": 2}
VARIANTS = {
    "neurobolt published form": ("neurobolt", TINY_NEUROBOLT),
    "neurobolt log, tokens, laplacian": (
        "neurobolt",
        {
            **TINY_NEUROBOLT,
            "magnitude": "log",
            "head": "tokens",
            "unmixing": "laplacian",
            "spectral_steps": 8,
        },
    ),
    "neurobolt spectral, linformer": (
        "neurobolt",
        {**TINY_NEUROBOLT, "attention": "linformer", "branches": "spectral"},
    ),
    "neurobolt axes": ("neurobolt", {**TINY_NEUROBOLT, "head": "axes"}),
    "neurobolt spatiotemporal": (
        "neurobolt",
        {**TINY_NEUROBOLT, "branches": "spatiotemporal"},
    ),
    "neurobolt ensemble": ("neurobolt_ensemble", TINY_NEUROBOLT),
    "neurobolt ensemble with every option": (
        "neurobolt_ensemble",
        {
            **TINY_NEUROBOLT,
            "attention": "linformer",
            "magnitude": "log",
            "head": "tokens",
            "unmixing": "laplacian",
            "spectral_steps": 8,
        },
    ),
    "labram": ("labram", TINY),
    "biot": ("biot", TINY),
    "biot at a fixed scale": ("biot", {**TINY, "normalisation": "fixed"}),
    "beira": ("beira", {"spatial_filters": 3, "filter_samples": 11, "width": 4}),
    "siren": ("siren", {"sine_layers": 2, "sine_units": 6, "width": 4}),
    "band-power network": ("bandpower_net", {"width": 8, "kept": 2, "lags": 3}),
    "band-power network on potentials": (
        "bandpower_net",
        {"width": 8, "kept": 2, "lags": 3, "unmixing": "none"},
    ),
    "efp": ("efp", {"electrode": "CZ"}),
    "ridge": ("bandpower_ridge", {}),
    "ridge on the laplacian": ("bandpower_ridge", {"unmixing": "laplacian"}),
    "ridge on both": ("bandpower_ridge", {"unmixing": "both"}),
    "stacked on biot": (
        "stacked",
        {"base": "biot", "base_options": json.dumps(TINY)},
    ),
    "stacked on a ridge": (
        "stacked",
        {"base": "bandpower_ridge", "base_options": '{"unmixing": "laplacian"}'},
    ),
}
# Parameters that an option leaves without work.
IDLE = {
    "neurobolt log, tokens, laplacian": {"fc_norm.weight", "fc_norm.bias"},
    "neurobolt axes": {"fc_norm.weight", "fc_norm.bias"},
    "neurobolt ensemble with every option": {
        f"members.{i}.fc_norm.{leaf}" for i in range(3) for leaf in ("weight", "bias")
    },
}


def made(name, n_rois=3):
    """Return a fresh model of the variant, always with the same weights."""
    import torch

    from rtbold.models.registry import build

    architecture, options = VARIANTS[name]
    torch.manual_seed(0)
    return build(architecture, options, channels=CHANNELS, n_rois=n_rois)


def windows(n=2, n_channels=4):
    """Return (n, channels, 3200) float32 microvolt of white noise."""
    noise = np.random.default_rng(0).standard_normal((n, n_channels, 3200))
    return (20 * noise).astype(np.float32)
