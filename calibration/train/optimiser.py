"""How the weights move: AdamW, rates by layer, and the rate of every step. Pure.

The cosine is that of the published recipe (the helper of LaBraM's and NeuroBOLT's
code: linear from 0 over the warm-up, then a cosine per step to the last rate). The one
cycle is Smith and Topin's as torch has it, momentum too; both are functions of the step
alone, so that a resumed run needs no state of theirs.
"""

import math
from collections import defaultdict
from typing import Final, NamedTuple

import torch
from torch import nn

from rtbold.calibration.fit.tuned import TrainingSettings, groups
from rtbold.calibration.train.recipe import TrainingPart

BETA_2: Final = 0.999
BETA_1: Final = 0.9
# torch's OneCycleLR: where it starts and ends, relative to the peak, and its momentum
_START_SHARE: Final = 1 / 25
_END_SHARE: Final = 1 / 25 / 1e4
_MOMENTUM: Final = (0.85, 0.95)


class Pace(NamedTuple):
    """What one step learns with."""

    rate: float  # of a layer at the full rate
    beta_1: float


def optimiser_of(network: nn.Module, training: TrainingPart) -> torch.optim.AdamW:
    """Return AdamW: no decay of vectors and embeddings of place, rates by layer.

    Each group keeps its share of the rate as ``share``; `set_pace` gives it the rate.
    """
    settings = TrainingSettings(
        learning_rate=1.0,
        weight_decay=training.weight_decay,
        layer_decay=training.layer_decay,
    )
    alike: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for group in groups(network, settings):  # one a tensor, which would be slow
        key = float(group["lr"]), float(group["weight_decay"])  # type: ignore[arg-type]  # of a dict of objects
        alike[key] += group["params"]  # type: ignore[arg-type]  # of a dict of objects
    return torch.optim.AdamW(
        [
            {"params": params, "share": share, "weight_decay": decay}
            for (share, decay), params in alike.items()
        ],
        lr=training.learning_rate,
        betas=(BETA_1, BETA_2),
        fused=True,
    )


def set_pace(optimiser: torch.optim.Optimizer, pace: Pace) -> None:
    """Give every group its rate for the next step."""
    for group in optimiser.param_groups:
        group["lr"] = pace.rate * group["share"]
        group["betas"] = (pace.beta_1, BETA_2)


def pace_at(step: int, total: int, training: TrainingPart) -> Pace:
    """Return what step `step` of `total`, from 0, learns with."""
    warmup = total / training.epochs * training.warmup_epochs
    if training.schedule == "one-cycle":
        return _one_cycle(step, total, warmup, training.learning_rate)
    return Pace(_cosine(step, total, round(warmup), training), BETA_1)


def _cosine(step: int, total: int, warmup: int, training: TrainingPart) -> float:
    peak, end = training.learning_rate, training.end_rate
    if step < warmup:
        return peak * step / max(warmup - 1, 1)
    share = (step - warmup) / max(total - warmup, 1)
    return end + 0.5 * (peak - end) * (1 + math.cos(math.pi * share))


def _one_cycle(step: int, total: int, warmup: float, peak: float) -> Pace:
    low, high = _MOMENTUM
    top = warmup - 1.0  # where the peak is
    if step <= top:
        share = step / top if top > 0 else 1.0
        rate = _between(_START_SHARE * peak, peak, share)
        return Pace(rate, _between(high, low, share))
    share = min((step - top) / max(total - 1 - top, 1e-9), 1.0)
    return Pace(_between(peak, _END_SHARE * peak, share), _between(low, high, share))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
