"""Volumes of a made-up session, for what takes predictions one by one."""

import numpy as np

from rtbold.bundle.card import Baseline, Card, Origin
from rtbold.messages import BoldPrediction, Tick
from rtbold.protocol.events import BlockNow

TR_S = 2.0
ROIS = ("Putamen", "Caudate", "Insula left", "Insula right", "LH_Default_PFC_1")


def card(**changes):
    n = len(changes.get("rois", ROIS))
    fields = {
        "name": "b", "architecture": "none", "channels": ("Cz",), "reference": "Pz",
        "tr_s": TR_S, "rois": ROIS, "scanner": "unknown",
        "baseline": Baseline(mean=(0.0,) * n, sd=(1.0,) * n, n=100, n_eff=30.0),
        "origin": Origin(kind="subject", simulated_lineage=False),
    }  # fmt: skip
    return Card(**{**fields, **changes})


def prediction(value, index, *, status="ok", reasons=(), n_rois=5):
    """Return volume `index`, with `value` in every ROI; None: it has none."""
    usable = value is not None and status in ("ok", "degraded")
    given = np.full(n_rois, value, np.float32) if usable else None
    if value is None and status in ("ok", "degraded"):
        status, reasons = "invalid", ("gap",)
    t_s = 100.0 + TR_S * (index or 0)
    return BoldPrediction(
        tick=Tick(index, t_s, True), t_start_s=t_s - 16.0, t_end_s=t_s,
        bold_time_s=t_s, status=status, reasons=reasons, values=given,
        next_due_s=t_s + TR_S,
    )  # fmt: skip


def block(task, i=0, n=1, **changes):
    """Return where volume `i` of a block of `n` lies."""
    fields = {
        "run": 1, "attempt": 1, "run_type": "training", "block": 1, "name": task,
        "task": task, "direction": "up" if task == "regulate" else None,
        "feedback": "continuous" if task == "regulate" else "none",
        "volume_in_block": i, "n_volumes": n, "last_of_block": i == n - 1,
    }  # fmt: skip
    return BlockNow(**{**fields, **changes})


def blocks(*of):
    """Yield the volumes of blocks, each (task, number of volumes)."""
    for number, (task, n) in enumerate(of, 1):
        for i in range(n):
            yield block(task, i, n, block=number, name=f"{task} {number}")
