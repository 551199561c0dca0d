"""From one prediction to the one value that feedback is made of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from rtbold.bundle import Baseline, Card
from rtbold.errors import ConfigError
from rtbold.messages import BoldPrediction, Float32Array, Reason, Status
from rtbold.predict import LaterFact, StatusReasons, checked_status, with_facts
from rtbold.publish.wire import NormPart, shortest

ENOUGH_BASELINE_N = 60  # volumes; below, mean and sd are too loose to call z ok


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """Which ROI is fed back, or the card's contrast by its name."""

    target: str

    @classmethod
    def choose(cls, card: Card, target: str | None = None) -> "FeedbackSettings":
        """Return settings for `target`, by default the card's, or its first ROI.

        Raises
        ------
        ConfigError : the bundle does not predict that ROI.
        """
        if target is None:
            return cls(card.target or card.rois[0])
        if target not in card.rois and not _is_contrast(card, target):
            raise ConfigError(
                f"--target is {target!r}, but bundle {card.name!r} predicts "
                f"{', '.join(card.rois)}. Give one of these."
            )
        return cls(target)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a participant may be shown for one volume; None unless usable."""

    target: str
    value: float | None  # model units
    z: float | None  # (value - mean) / sd of the baseline
    norm: NormPart
    clipped: bool
    status: Status
    reasons: tuple[Reason, ...]


def feedback_value(
    prediction: BoldPrediction, card: Card, settings: FeedbackSettings
) -> Feedback:
    """Return the feedback for `prediction`.

    Status is never better than the prediction's. A simulated model on a real stream,
    a value that is not finite, or muscles that stay tense where the target leans on
    them, makes it invalid; a bundle without a baseline leaves
    it in warmup; a short baseline makes it degraded.
    """
    weights, baseline = _source(card, settings.target)
    status, reasons = _status(prediction, baseline, leans=_leans(card, settings.target))
    values = prediction.values if status in ("ok", "degraded") else None
    value = None if values is None else _weighted(values, weights)
    return Feedback(
        target=settings.target,
        value=shortest(value),
        z=None if value is None else _z(value, baseline, 0),
        norm=norm_part(baseline),
        clipped=False,  # nothing is clipped before protocols set a range
        status=status,
        reasons=reasons,
    )


def _is_contrast(card: Card, target: str) -> bool:
    return card.contrast is not None and card.contrast.name == target


def _source(card: Card, target: str) -> tuple[dict[int, float], Baseline]:
    """Return the weight of each ROI that counts, and the target's own baseline."""
    whole, contrast = card.baseline, card.contrast
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    if contrast is not None and contrast.name == target:
        weights = {card.rois.index(roi): w for roi, w in contrast.weights.items()}
        mean, sd = (contrast.mean,), (contrast.sd,)
    else:
        roi = card.rois.index(target)
        weights = {roi: 1.0}
        mean, sd = whole.mean[roi : roi + 1], whole.sd[roi : roi + 1]
    return weights, msgspec.structs.replace(whole, mean=mean, sd=sd)


def _weighted(values: Float32Array, weights: Mapping[int, float]) -> float:
    return float(sum(weight * float(values[roi]) for roi, weight in weights.items()))


def _leans(card: Card, target: str) -> bool:
    """Return whether the target's prediction leans on muscle tension."""
    return card.muscle is not None and target in card.muscle.leans_on


def _status(
    prediction: BoldPrediction, baseline: Baseline, *, leans: bool
) -> StatusReasons:
    known, facts = checked_status(prediction), list[LaterFact]()
    if "simulated_model" in known.reasons:
        facts.append("simulated_fed_back")
    if prediction.long_tense and leans:
        facts.append("muscle_fed_back")
    if not has_baseline(baseline, 0):
        facts.append("baseline_missing")
    elif baseline.n < ENOUGH_BASELINE_N:
        facts.append("baseline_short")
    return with_facts(known, *facts)


def has_baseline(baseline: Baseline, roi: int) -> bool:
    """Return whether a z against `baseline` means anything for ROI number `roi`."""
    if baseline.n < 1 or min(len(baseline.mean), len(baseline.sd)) <= roi:
        return False
    sd = baseline.sd[roi]
    return bool(np.isfinite(baseline.mean[roi]) and np.isfinite(sd) and sd > 0)


def z_values(values: Float32Array, baseline: Baseline) -> tuple[float | None, ...]:
    """Return z per ROI, None where the baseline has nothing to say."""
    return tuple(
        _z(float(value), baseline, roi) if has_baseline(baseline, roi) else None
        for roi, value in enumerate(values)
    )


def norm_part(baseline: Baseline) -> NormPart:
    """Return what the wire says about `baseline`."""
    return NormPart(baseline=baseline.name, n=baseline.n, n_eff=baseline.n_eff)


def _z(value: float, baseline: Baseline, roi: int) -> float | None:
    return shortest((value - baseline.mean[roi]) / baseline.sd[roi])
