"""The fed-back target as one number, and back: what arms compute with. Pure."""

from dataclasses import dataclass

import numpy as np

from rtbold.bundle import Card
from rtbold.errors import ConfigError
from rtbold.feedback import choose_target
from rtbold.messages import Float32Array, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TargetScale:
    """A weighted sum of ROIs against the card's baseline.

    Arms exchange z: the model units of two persons, or of two ROIs, differ.
    """

    weights: FloatArray  # (rois,)
    centre: FloatArray  # (rois,), baseline mean of each ROI, model units
    mean: float  # of the sum
    sd: float

    @classmethod
    def of(cls, card: Card, target: str) -> "TargetScale":
        """Return the scale of a target as `--target` names it.

        The sd of a contrast that was not calibrated is that of independent ROIs: it
        scales what arms exchange, and is told to nobody.

        Raises
        ------
        ConfigError : the card has no such target, or no baseline of it.
        """
        found, baseline = choose_target(card, target), card.baseline
        weights = np.array([found.weights.get(roi, 0.0) for roi in card.rois])
        centre = np.array(baseline.mean, np.float64)
        sds = np.array(baseline.sd, np.float64)
        if centre.shape != weights.shape or sds.shape != weights.shape:
            raise _no_baseline(card, target)
        mean, sd = float(weights @ centre), float(np.hypot.reduce(weights * sds))
        if card.contrast is not None and found.is_of_card(card):
            mean, sd = card.contrast.mean, card.contrast.sd
        if not (np.isfinite([mean, sd, *centre]).all() and sd > 0):
            raise _no_baseline(card, target)
        return cls(weights, centre, mean, sd)

    def score(self, values: Float32Array) -> float:
        """Return z of values (rois,), model units."""
        return (float(self.weights @ values.astype(np.float64)) - self.mean) / self.sd

    def values_at(self, z: float) -> Float32Array:
        """Return the values (rois,) nearest to the baseline whose target has this z."""
        wanted = self.mean + self.sd * z - float(self.weights @ self.centre)
        share = self.weights / float(self.weights @ self.weights)
        return (self.centre + share * wanted).astype(np.float32)


def _no_baseline(card: Card, target: str) -> ConfigError:
    return ConfigError(
        f"bundle {card.name!r} has no baseline of {target!r}, so that a control "
        "condition cannot be put on its scale. Calibrate it: rtbold calibrate."
    )
