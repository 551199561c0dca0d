"""The twin's lead field: how much of each source each electrode sees."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LeadField:
    """MNE's sphere model for the DiFuMo sources; see docs/explanation/twin.md."""

    labels: tuple[str, ...]
    positions_m: FloatArray  # (electrodes, 3), head coordinates
    roi_of_source: FloatArray  # (sources,), index into atlas.read_rois()
    gain: FloatArray  # (electrodes, sources, 3), relative to the largest

    def rows(self, labels: tuple[str, ...]) -> list[int]:
        """Return the row of each electrode; refuse one that is not in the cap."""
        by_name = {label.upper(): row for row, label in enumerate(self.labels)}
        missing = [label for label in labels if label.upper() not in by_name]
        if missing:
            raise ConfigError(
                f"the twin has no electrode {', '.join(missing)}; "
                f"it has {' '.join(self.labels)}"
            )
        return [by_name[label.upper()] for label in labels]


@cache
def read_leadfield() -> LeadField:
    """Return the lead field that ships with rtbold."""
    with (
        (files("rtbold.sim") / "leadfield.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as archive,
    ):
        gain = archive["gain_v_per_am"].astype(np.float64)
        return LeadField(
            labels=tuple(str(label) for label in archive["labels"]),
            positions_m=archive["positions_m"].astype(np.float64),
            roi_of_source=archive["roi_of_source"].astype(np.int64),
            gain=gain / np.abs(gain).max(),
        )


def oriented(
    field: LeadField, rng: np.random.Generator, *, jitter: float
) -> FloatArray:
    """Return (electrodes, sources): each dipole near its best seen direction.

    Parameters
    ----------
    jitter : sd of what is added to each component of the unit direction; the folding of
        a cortex differs from person to person.
    """
    _, _, directions = np.linalg.svd(field.gain.transpose(1, 0, 2))
    best = directions[:, 0]  # (sources, 3), the direction of largest gain
    seen = np.einsum("esd,sd->es", field.gain, best)
    best *= np.sign(seen.sum(axis=0))[:, None]  # the nearest electrodes see it positive
    best += jitter * rng.standard_normal(best.shape)
    best /= np.linalg.norm(best, axis=1, keepdims=True)
    return np.asarray(np.einsum("esd,sd->es", field.gain, best))
