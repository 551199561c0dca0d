"""Which of the fitted models is kept, and at which horizon. Pure.

Each candidate whose out-of-fold R is looked at before choosing is a chance to be lucky,
so the verdict shares its alpha among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rtbold.bundle.store import Bundle
from rtbold.calibration.evaluate.nulls import random_phases
from rtbold.calibration.evaluate.scores import Declared, OutOfFold, combined, score
from rtbold.calibration.fit.folds import FoldedScan, furthest_horizon
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.result import Choice, Kept, TargetScore
from rtbold.calibration.settings import CalibrationSettings

_SURROGATES_N: Final = 999
_NO_ENCODER: Final = (
    "from nothing there is no encoder to read, only band power: this is the subject's "
    "ridge"
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Everything that was fitted out of fold."""

    settings: CalibrationSettings
    declared: Declared
    base: Bundle | None
    folded: Mapping[int, FoldedScan]
    scan: CalibrationScan


def choose(candidates: Candidates) -> Choice:
    """Return what is kept, with the reasons."""
    settings = candidates.settings
    asked = settings.horizon
    first = asked if asked is not None else min(candidates.folded)
    kept, n_models, reasons = _model(candidates, first)
    scores = {h: _score(candidates, h, kept) for h in candidates.folded}
    if asked is not None:
        return Choice(kept, asked, scores, n_models, tuple(reasons))
    chosen = furthest_horizon({h: s.r for h, s in scores.items()})
    reasons.append(
        f"horizon {chosen}: the furthest within 0.02 of the best R of the target"
    )
    return Choice(kept, chosen, scores, n_models * len(scores), tuple(reasons))


def out_of_fold_of(folded: FoldedScan, name: str, scan: CalibrationScan) -> OutOfFold:
    """Return one series on the scan's grid of volumes, as it is scored."""
    n = len(scan.bold)
    return OutOfFold(
        folded.on_grid(name, scan.volume, n),
        folded.on_grid("scored", scan.volume, n),
        scan.rois,
    )


def _model(candidates: Candidates, horizon: int) -> tuple[Kept, int, list[str]]:
    """Return the series that is kept, the number of candidates, and why."""
    settings, base = candidates.settings, candidates.base
    if settings.strategy == "ridge":
        return "ridge_live", 1, ["the subject's ridge, as asked"]
    if base is None and settings.strategy == "head":
        return "ridge_live", 1, [_NO_ENCODER]
    if base is None or not base.card.origin.simulated_lineage:
        return "network", 1, []
    ours = _score(candidates, horizon, "network").r
    nothing = _score(candidates, horizon, "ridge_live").r
    better = ours > nothing
    reason = (
        f"base '{base.card.name}', of simulated data, "
        + ("beats" if better else "was not kept: it does not beat")
        + " starting from nothing (the subject's ridge): R of the target out of fold "
        f"{ours:.3f} against {nothing:.3f}"
    )
    return "network" if better else "ridge_live", 2, [reason]


def _score(candidates: Candidates, horizon: int, name: Kept) -> TargetScore:
    scan = candidates.scan
    series = out_of_fold_of(candidates.folded[horizon], name, scan)
    target = combined(series, candidates.declared.column(scan.rois))
    phases = random_phases(len(scan.bold), n_surrogates=_SURROGATES_N, seed=0)
    found = score(target, phases, seed=candidates.settings.seed)
    return TargetScore(float(found.r[0]), float(found.low[0]), float(found.high[0]))
