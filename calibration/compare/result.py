"""What a comparison found: every number of its table, its files and its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import msgspec
import numpy as np

from rtbold.calibration.compare.effects import (
    Estimate,
    by_subject,
    effect,
    estimate,
    medians,
)
from rtbold.calibration.compare.scores import (
    Kind,
    ScanScore,
    Target,
    direction_agreement,
    null_of,
)
from rtbold.calibration.evaluate.nulls import p_above, p_above_max
from rtbold.messages import FloatArray

FORMAT: Final = 1
CONSTANT: Final = "constant EEG"
OTHER: Final = "another subject's EEG"
SHUFFLED: Final = "shuffled volumes"
OWN_CONTROLS: Final = (CONSTANT, OTHER, SHUFFLED)
PLAIN: Final = "R"
WITHOUT_GLOBAL: Final = "R without global signal"

Data = Literal["simulated", "measured", "partly simulated"]


class RoiSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one ROI; medians over subjects."""

    roi: str
    r: float
    r_low: float | None  # 95 % of the median, bootstrap over subjects
    r_high: float | None
    r_gsr: float
    mse: float
    p: float | None  # one-sided, against phase-randomised predictions; drift removed
    p_max: float | None  # the same over all ROIs


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How often the measured value lay inside of a model's interval."""

    level: float
    held: float


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: means over the common ROIs, subjects being the sample."""

    name: str
    kind: Kind
    meaning: str = ""
    n_subjects: int
    n_scans: int
    n_rois: int  # that it predicts
    r: Estimate
    r_gsr: Estimate  # on targets without the global signal
    mse: Estimate  # in the target's variance; 1: what the mean gets
    direction: float  # agreement at the median R; chance is 0.5
    direction_gsr: float
    p: float | None  # of the mean R, against phase-randomised predictions
    null_high: float | None  # 95 % of the null means are below
    r_without_drift: float | None  # mean; what p is of
    first_share: float | None  # of variance in the first component, median
    own_first: float | None  # share of ROIs whose own measured series fits best
    own_rank: float | None  # median place of the own ROI; 1: it fits best
    r_of_mean: Estimate  # of the mean over ROIs
    controls: dict[str, Estimate] = {}  # mean R when the model is fed something else
    rois: tuple[RoiSummary, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    simulated_weights: bool = False


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Model `a` less model `b` on the same scans; subjects are the sample."""

    a: str
    b: str
    of: str  # PLAIN or WITHOUT_GLOBAL
    n: int
    mean: float
    low: float | None
    high: float | None
    dz: float | None
    dz_low: float | None
    dz_high: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``results.json`` holds."""

    format: int = FORMAT
    data: Data
    data_set: str
    cache: str
    created: str
    split: str
    folds: tuple[int, ...]
    seed: int
    tr_s: float
    rois: tuple[str, ...]  # of the cache
    common_rois: tuple[str, ...]  # that all bundles predict: what means are over
    subjects: tuple[str, ...]
    scans: tuple[str, ...]
    models: tuple[ModelSummary, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    left_out: dict[str, str] = {}  # scan -> why the cache lacks it
    software: dict[str, str] = {}

    @property
    def label(self) -> str:
        """What stands in every table and figure; empty for measured data."""
        return {
            "simulated": "SIMULATED data",
            "partly simulated": "PARTLY SIMULATED data",
            "measured": "",
        }[self.data]

    def of_kind(self, *kinds: Kind) -> tuple[ModelSummary, ...]:
        """Return the models of some kinds, in order."""
        return tuple(model for model in self.models if model.kind in kinds)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scored:
    """One model on every scored scan."""

    scores: Sequence[ScanScore]
    meaning: str = ""
    # Name -> what was scored, and R per ROI
    controls: Mapping[str, Sequence[tuple[Target, FloatArray]]]
    coverage: Sequence[Coverage] = ()
    simulated_weights: bool = False

    @property
    def name(self) -> str:
        """The model's name."""
        return self.scores[0].predicted.model

    @property
    def kind(self) -> Kind:
        """What it is in the comparison."""
        return self.scores[0].predicted.kind

    @property
    def subjects(self) -> list[str]:
        """Subject of each score."""
        return [score.predicted.target.subject for score in self.scores]

    def per_subject(self, name: str) -> FloatArray:
        """Return (subjects, rois) of a field of the scores."""
        return by_subject(
            np.stack([getattr(score, name) for score in self.scores]), self.subjects
        )


def summarise(scored: Scored, common: np.ndarray, *, seed: int) -> ModelSummary:
    """Return one line of the table.

    Parameters
    ----------
    common : (rois,) bool, over which means are taken.
    """
    r, r_gsr, mse = (scored.per_subject(n) for n in ("r", "r_gsr", "mse"))
    scores, subjects = scored.scores, scored.subjects
    means = {
        name: estimate(over_rois(values, common), seed=seed)
        for name, values in (("r", r), ("r_gsr", r_gsr), ("mse", mse))
    }
    of_mean = np.array([score.r_of_mean for score in scores])
    nulls = group_null(scores, common, seed=seed)
    return ModelSummary(
        name=scored.name,
        kind=scored.kind,
        meaning=scored.meaning,
        n_subjects=len(r),
        n_scans=len({score.predicted.target.scan for score in scores}),
        n_rois=int(np.isfinite(r).any(axis=0).sum()),
        **means,
        direction=float(direction_agreement(means["r"].median)),
        direction_gsr=float(direction_agreement(means["r_gsr"].median)),
        p=None if nulls is None else nulls.p,
        null_high=None if nulls is None else nulls.high,
        r_without_drift=None if nulls is None else nulls.observed,
        first_share=_median([score.first_share for score in scores], subjects),
        own_first=_share_first(scores, common),
        own_rank=_median_of_known([s.own_rank[common] for s in scores]),
        r_of_mean=estimate(by_subject(of_mean, subjects), seed=seed),
        controls=_controls(scored, common, seed=seed),
        rois=_roi_summaries(scored, (r, r_gsr, mse), nulls, seed=seed),
        coverage=tuple(scored.coverage),
        simulated_weights=scored.simulated_weights,
    )


def over_rois(values: FloatArray, common: np.ndarray) -> FloatArray:
    """Return the mean of each row over the common ROIs; a reference may lack some."""
    known = common & np.isfinite(values).all(axis=0)
    mean: FloatArray = values[:, known].mean(axis=1)
    return mean


def differences(
    models: Sequence[Scored], common: np.ndarray, *, seed: int
) -> list[Difference]:
    """Return every pair of bundles, and each bundle against each baseline."""
    compared = [m for m in models if m.kind in ("bundle", "baseline")]
    found = []
    for a, b in combinations(compared, 2):
        if "bundle" not in (a.kind, b.kind):
            continue
        for of, name in ((PLAIN, "r"), (WITHOUT_GLOBAL, "r_gsr")):
            left, right = (over_rois(m.per_subject(name), common) for m in (a, b))
            result = effect(left - right, seed=seed)
            found.append(
                Difference(
                    a=a.name,
                    b=b.name,
                    of=of,
                    n=int(result["n"]),
                    mean=result["mean"],
                    **{
                        k: _known(result[k])
                        for k in ("low", "high", "dz", "dz_low", "dz_high")
                    },
                )
            )
    return found


@dataclass(frozen=True, slots=True, eq=False)
class GroupNull:
    """The mean over subjects beside what chance gives of it."""

    observed: float
    p: float
    high: float  # 95 % of the null is below
    roi_p: FloatArray  # (rois,), nan where not predicted
    roi_p_max: FloatArray


def group_null(
    scores: Sequence[ScanScore], common: np.ndarray, *, seed: int
) -> GroupNull | None:
    """Return the null of the mean R over subjects; None: a scan is too short for it.

    Every scan's predictions have their phases turned at random, the same for all ROIs;
    scans of a subject, then subjects, are averaged. Cubic drift is removed from both.
    """
    subjects = [score.predicted.target.subject for score in scores]
    scans = [score.predicted.target.scan for score in scores]
    share = {s: 1 / (len(set(subjects)) * subjects.count(s)) for s in set(subjects)}
    observed = np.zeros(len(common))
    null: FloatArray | None = None
    for place, score in enumerate(scores):
        drawn = null_of(
            score.predicted,
            seed=seed * 100_003 + place,
            # Several folds of one scan learn from each other's test volumes
            cross_fitted=scans.count(score.predicted.target.scan) > 1,
        )
        if drawn is None or score.r_without_drift is None:
            return None
        weight = share[score.predicted.target.subject]
        observed = observed + weight * score.r_without_drift
        null = weight * drawn if null is None else null + weight * drawn
    if null is None:
        return None
    means = over_rois(null, common)
    mean = float(over_rois(observed[None], common)[0])
    known = np.isfinite(observed)
    roi_p, roi_p_max = np.full(len(known), np.nan), np.full(len(known), np.nan)
    roi_p[known] = p_above(observed[known], null[:, known])
    roi_p_max[known] = p_above_max(observed[known], null[:, known])
    return GroupNull(
        observed=mean,
        p=float(p_above(np.array([mean]), means[:, None])[0]),
        high=float(np.quantile(means, 0.95)),
        roi_p=roi_p,
        roi_p_max=roi_p_max,
    )


def _roi_summaries(
    scored: Scored,
    values: tuple[FloatArray, FloatArray, FloatArray],
    nulls: GroupNull | None,
    *,
    seed: int,
) -> tuple[RoiSummary, ...]:
    rois = scored.scores[0].predicted.target.rois
    r, r_gsr, mse = values
    median, low, high = medians(r, seed=seed)
    return tuple(
        RoiSummary(
            roi=roi,
            r=float(median[place]),
            r_low=_known(low[place]),
            r_high=_known(high[place]),
            r_gsr=float(np.median(r_gsr[:, place])),
            mse=float(np.median(mse[:, place])),
            p=None if nulls is None else float(nulls.roi_p[place]),
            p_max=None if nulls is None else float(nulls.roi_p_max[place]),
        )
        for place, roi in enumerate(rois)
        if np.isfinite(r[:, place]).all()
    )


def _controls(scored: Scored, common: np.ndarray, *, seed: int) -> dict[str, Estimate]:
    return {
        name: estimate(_control_means(found, common), seed=seed)
        for name, found in scored.controls.items()
        if found
    }


def _control_means(
    found: Sequence[tuple[Target, FloatArray]], common: np.ndarray
) -> FloatArray:
    means = np.array([r[common].mean() for _, r in found])
    return by_subject(means, [target.subject for target, _ in found])


def _median(values: Sequence[float], subjects: Sequence[str]) -> float | None:
    means = by_subject(np.array(values), subjects)
    known = means[np.isfinite(means)]
    return float(np.median(known)) if len(known) else None


def _median_of_known(ranks: Sequence[FloatArray]) -> float | None:
    together = np.concatenate(ranks)
    known = together[np.isfinite(together)]
    return float(np.median(known)) if len(known) else None


def _share_first(scores: Sequence[ScanScore], common: np.ndarray) -> float | None:
    ranks = np.concatenate([score.own_rank[common] for score in scores])
    known = ranks[np.isfinite(ranks)]
    return float((known == 1).mean()) if len(known) else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
