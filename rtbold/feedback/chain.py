"""From a prediction to the value that feedback is made of, volume by volume. Pure.

Weighted sum, outlier drawn in, smoothing, normalisation, range: each is causal, and all
their state is in the chain, so that a recorded session gives the same numbers again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from rtbold.bundle import Card
from rtbold.config import FeedbackSettings as FeedbackSettings, NormaliseName
from rtbold.errors import ConfigError
from rtbold.feedback.baseline import (
    ENOUGH_BASELINE_N,
    FLOAT32_MAX,
    BlockBaseline,
    CardBaseline,
    Reference,
    RunningBaseline,
)
from rtbold.feedback.smoothing import Sample, Smoother
from rtbold.feedback.target import Target, choose_target
from rtbold.messages import BoldPrediction, Float32Array, Reason, Status
from rtbold.predict import LaterFact, StatusReasons, checked_status, with_facts
from rtbold.protocol import BlockNow

NO_BASELINE: Final = "none yet"
Stage = Literal["smooth", "winsorise", "percentile", "range", "reward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """The baseline that a value is held against."""

    baseline: str
    n: int
    n_eff: float | None = None
    method: NormaliseName = "zscore"
    n_winsorised: int | None = None  # outliers drawn in; None: nobody looks for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a participant may be shown for one volume; None unless usable."""

    target: str
    value: float | None  # model units, smoothed
    z: float | None  # (value - mean) / sd of the baseline
    norm: Norm
    status: Status
    reasons: tuple[Reason, ...]
    clipped: bool = False  # it lies beyond the range: the range's end is shown
    percentile: float | None = None  # of the baseline, if that is how it is normalised
    outlier: bool = False  # this volume's was drawn in
    shown: float | None = None  # 0 to 1; None: nothing, or there is no range
    limited: bool = False  # bounds or the largest step have changed what is shown
    reward: bool | None = None  # None: nothing is rewarded here
    reward_threshold: float | None = None
    condition: str | None = None  # opaque code of the protocol
    stages: frozenset[Stage] = frozenset()  # that it went through: the same all session

    @property
    def usable(self) -> bool:
        """Whether there may be a value at all."""
        return self.status in ("ok", "degraded")


class _Baseline(Protocol):
    @property
    def reference(self) -> Reference | None: ...
    def take(self, sample: Sample | None, now: BlockNow | None) -> None: ...
    def finish(self) -> None: ...


class FeedbackChain:
    """Takes each prediction once, in order; returns what is fed back of it.

    Status is never better than the prediction's. A simulated model on a real stream,
    one that nobody approved, a value that is not finite, or muscles that stay tense
    where the target leans on them, makes it invalid; without a baseline it is warm-up;
    a short one makes it degraded.

    Parameters
    ----------
    settings : how; `settings.target` names what, None: the card's.
    card : of the bundle.
    withheld : the model was not found fit, and no approval was given: nothing is fed
        back.
    carried : the baseline of an earlier run, where one is measured.

    Raises
    ------
    ConfigError : the target cannot be read, or the card has no baseline for it.
    """

    def __init__(
        self,
        settings: FeedbackSettings,
        card: Card,
        *,
        withheld: bool = False,
        carried: Reference | None = None,
    ) -> None:
        self.settings = settings
        self.target = choose_target(card, settings.target)
        self._weights = _by_number(card, self.target)
        self._withheld = withheld
        self._leans = _leans(card, self.target)
        self._smooth = Smoother(settings)
        self._baseline = _baseline(settings, card, self.target, carried)
        self._carried = carried
        self._before = norm_before(settings, card)
        self._stages = _stages(settings)
        self._block = _BlockMean()

    def push(self, prediction: BoldPrediction, now: BlockNow | None) -> Feedback:
        """Return the feedback for one prediction.

        Parameters
        ----------
        now : where its volume lies in the protocol; None: there is none, or not yet.
        """
        known = checked_status(prediction)
        if prediction.long_tense and self._leans:
            known = with_facts(known, "muscle_fed_back")
        raw = self._raw(known, prediction)
        known = with_facts(known, *_of_raw(known, raw))
        reference = self._baseline.reference
        value, outlier = self._smoothed(raw, prediction, reference)
        status = self._status(known, value, reference)
        feedback = self._feedback(status, value, reference, outlier=outlier, now=now)
        sample = None if raw is None else _sample(raw, prediction)
        self._baseline.take(sample, now)
        return feedback

    @property
    def measured(self) -> Reference | None:
        """The baseline that was measured here, for runs that follow; None: none was."""
        found = self._baseline.reference
        measures = self.settings.baseline != "card"
        return found if measures and found is not self._carried else None

    def finish(self) -> None:
        """Take word that no volume follows: a baseline block may end with the run."""
        self._baseline.finish()

    def _raw(self, known: StatusReasons, prediction: BoldPrediction) -> float | None:
        """Return the weighted sum; None: there is none that could be sent."""
        if not known.usable or prediction.values is None:
            return None
        value = _weighted(prediction.values, self._weights)
        return value if abs(value) <= FLOAT32_MAX else None  # nan is neither

    def _smoothed(
        self,
        raw: float | None,
        prediction: BoldPrediction,
        reference: Reference | None,
    ) -> tuple[float | None, bool]:
        """Return the value, and whether an outlier was drawn in to it."""
        if raw is None:
            self._smooth.void()
            return None, False
        limit_sd, drawn = self.settings.winsorise_sd, raw
        if limit_sd is not None and reference is not None:
            drawn = reference.drawn_in(raw, limit_sd)
        return self._smooth(_sample(drawn, prediction)), drawn != raw

    def _status(
        self, known: StatusReasons, value: float | None, reference: Reference | None
    ) -> StatusReasons:
        facts = list[LaterFact]()
        if "simulated_model" in known.reasons:
            facts.append("simulated_fed_back")
        if self._withheld:
            facts.append("unapproved")
        if known.usable and value is None:
            facts.append("smoothing")
        if reference is None:
            facts.append("baseline_missing")
        elif reference.n < ENOUGH_BASELINE_N:
            facts.append("baseline_short")
        if value is not None and reference is not None:
            if not abs(reference.z(value)) <= FLOAT32_MAX:
                facts.append("not_finite")
        return with_facts(known, *facts)

    def _feedback(
        self,
        status: StatusReasons,
        value: float | None,
        reference: Reference | None,
        *,
        outlier: bool,
        now: BlockNow | None,
    ) -> Feedback:
        usable = status.usable and value is not None and reference is not None
        level = percentile = z = None
        if usable and value is not None and reference is not None:
            level = z = reference.z(value)
            if self.settings.normalise == "percentile":
                level = percentile = reference.percentile(value)
        shown, clipped = self._shown(self._block(level, now))
        return Feedback(
            target=self.target.name,
            value=value if usable else None,
            z=z,
            norm=self._norm(reference),
            status=status.status,
            reasons=status.reasons,
            clipped=clipped,
            percentile=percentile,
            outlier=outlier and usable,
            shown=shown,
            condition=None if now is None else now.condition,
            stages=self._stages,
        )

    def _shown(self, level: float | None) -> tuple[float | None, bool]:
        """Return where in the range a level lies, and whether it lies beyond."""
        low, high = self.settings.low, self.settings.high
        if level is None or low is None or high is None:
            return None, False
        share = (level - low) / (high - low)
        return min(max(share, 0.0), 1.0), not 0.0 <= share <= 1.0

    def _norm(self, reference: Reference | None) -> Norm:
        if reference is None:
            return self._before
        return Norm(
            baseline=reference.name,
            n=reference.n,
            n_eff=reference.n_eff,
            method=self.settings.normalise,
            n_winsorised=self._n_winsorised(reference),
        )

    def _n_winsorised(self, reference: Reference) -> int | None:
        looked = self.settings.winsorise_sd is not None
        return reference.n_winsorised if looked else None


class _BlockMean:
    """What of a block's levels is shown, and when: each, or their mean at its end."""

    def __init__(self) -> None:
        self._of: tuple[int, int, int] | None = None
        self._levels: list[float] = []

    def __call__(self, level: float | None, now: BlockNow | None) -> float | None:
        if now is None:
            return level
        if (of := (now.run, now.attempt, now.block)) != self._of:
            self._of, self._levels = of, []
        if now.feedback != "block_end":
            return level if now.shows_feedback else None
        if level is not None:
            self._levels.append(level)
        enough = 2 * len(self._levels) >= now.n_volumes
        if level is None or not now.shows_feedback or not enough:
            return None
        return math.fsum(self._levels) / len(self._levels)


def _baseline(
    settings: FeedbackSettings, card: Card, target: Target, carried: Reference | None
) -> _Baseline:
    match settings.baseline:
        case "block":
            return BlockBaseline(settings, carried)
        case "running":
            return RunningBaseline(settings, carried)
    found = CardBaseline(card, target)
    alone = target.roi_of(card) is not None or target.is_of_card(card)
    if found.reference is None and not alone:
        raise ConfigError(
            f"target {target.name!r} has no baseline on the card of bundle "
            f"{card.name!r}: the sd of a contrast does not follow from those of its "
            "ROIs. Calibrate with this target, or measure one: baseline = 'block' or "
            "'running' in the table [feedback]."
        )
    return found


def norm_before(settings: FeedbackSettings, card: Card) -> Norm:
    """Return what is said of the baseline before any volume."""
    whole = card.baseline
    n_out = None if settings.winsorise_sd is None else 0
    if settings.baseline == "card":
        return Norm(
            baseline=whole.name, n=whole.n, n_eff=whole.n_eff, n_winsorised=n_out
        )
    method = settings.normalise
    return Norm(baseline=NO_BASELINE, n=0, method=method, n_winsorised=n_out)


def _stages(settings: FeedbackSettings) -> frozenset[Stage]:
    has: dict[Stage, bool] = {
        "smooth": settings.smooth != "none",
        "winsorise": settings.winsorise_sd is not None,
        "percentile": settings.normalise == "percentile",
        "range": settings.has_range,
        "reward": settings.reward is not None,
    }
    return frozenset(stage for stage, there in has.items() if there)


def _leans(card: Card, target: Target) -> bool:
    """Return whether the target's prediction, or a part of it, leans on tension."""
    leaning = () if card.muscle is None else card.muscle.leans_on
    return any(name in leaning for name in (target.name, *target.weights))


def _by_number(card: Card, target: Target) -> dict[int, float]:
    return {card.rois.index(roi): weight for roi, weight in target.weights.items()}


def _weighted(values: Float32Array, weights: Mapping[int, float]) -> float:
    return float(sum(weight * float(values[roi]) for roi, weight in weights.items()))


def _of_raw(known: StatusReasons, raw: float | None) -> tuple[LaterFact, ...]:
    return ("not_finite",) if known.usable and raw is None else ()


def _sample(value: float, prediction: BoldPrediction) -> Sample:
    return Sample(
        value=value,
        t_s=prediction.tick.t_trigger_s,
        next_due_s=prediction.next_due_s,
    )
