"""Checkpoints as other programs write them: tiny networks under the published names."""

import argparse
import importlib.util
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "models" / "data" / "neurobolt_golden.py"
NOT_DRAWN = ("mss_module.index", "mss_module.positional_encoding.pe")


def golden_generator():
    """Return the module that draws the golden weights and windows."""
    spec = importlib.util.spec_from_file_location("golden", GOLDEN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(network, *, prefix=""):
    """Return a state dict for `network`, each tensor drawn from its own name."""
    import torch

    tensor = golden_generator().tensor
    return {
        name: value.clone()
        if name.endswith((".pe", "index"))
        else torch.from_numpy(tensor(prefix + name, tuple(value.shape)))
        for name, value in network.state_dict().items()
    }


def tiny_neurobolt(n_rois=1, *, channels=None, seed="", **sizes):
    """Return the weights of a small NeuroBOLT, 200 wide as published."""
    from rtbold.models.montage import PUBLISHED_CHANNELS
    from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig

    config = NeuroBoltConfig(
        channels=channels or PUBLISHED_CHANNELS,
        n_rois=n_rois,
        **{"depth": 1, "spectral_depth": 1, **sizes},
    )
    return drawn(NeuroBolt(config), prefix=seed)


def save(path, state, **beside):
    """Write what the publication's training loop writes."""
    import torch

    args = argparse.Namespace(lr=3e-4, roi="x", sizes=[1, 2])
    content = {"model": state, "optimizer": {}, "epoch": 3, "args": args, **beside}
    torch.save(content, path)
    return path
