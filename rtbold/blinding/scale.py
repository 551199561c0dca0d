"""The fed-back target as one number, and back: what arms compute with. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rtbold.bundle import Card
from rtbold.errors import ConfigError
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
        """Return the scale of a ROI or of the card's contrast.

        Raises
        ------
        ConfigError : the card has no such target, or no baseline of it.
        """
        contrast = card.contrast
        if contrast is not None and contrast.name == target:
            return cls._checked(
                card, contrast.weights, mean_sd=(contrast.mean, contrast.sd)
            )
        if target not in card.rois:
            raise ConfigError(
                f"bundle {card.name!r} has no ROI {target!r}, expected one of "
                f"{', '.join(card.rois)}. A control condition needs it."
            )
        roi = card.rois.index(target)
        mean = card.baseline.mean[roi : roi + 1]
        sd = card.baseline.sd[roi : roi + 1]
        if not mean or not sd:
            raise _no_baseline(card, target)
        return cls._checked(card, {target: 1.0}, mean_sd=(mean[0], sd[0]))

    @classmethod
    def _checked(
        cls, card: Card, weights: Mapping[str, float], *, mean_sd: tuple[float, float]
    ) -> "TargetScale":
        mean, sd = mean_sd
        centre = np.array(card.baseline.mean, np.float64)
        if (
            len(centre) != len(card.rois)
            or not np.isfinite([mean, sd, *centre]).all()
            or sd <= 0
        ):
            raise _no_baseline(card, " + ".join(weights))
        row = np.array([weights.get(roi, 0.0) for roi in card.rois])
        return cls(row, centre, mean, sd)

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
