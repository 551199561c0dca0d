"""The 64 regions of DiFuMo, where the twin puts their dipoles, and its lead field.

``difumo64.csv`` holds labels, Yeo networks and centres of mass. The maps are
bilateral, so most centres sit near x = 0: fine for a list, wrong for a dipole.
``difumo64_sources_approx.csv`` therefore places one dipole per hemisphere; its x values
are anatomical approximations, good to about 8 mm, and no measurement.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import FloatArray


@dataclass(frozen=True, slots=True)
class Roi:
    """One region of the twin's brain."""

    name: str
    network: str  # Yeo's 17 networks, or "No network found"
    kind: str  # cortex, cerebellum, subcortical, non-brain
    sources_mni_mm: tuple[tuple[float, float, float], ...]  # none if non-brain
    centre_mni_mm: tuple[float, float, float]  # of mass; of both sides together


def read_rois() -> tuple[Roi, ...]:
    """Return the 64 regions in DiFuMo's order."""
    labels = _rows("difumo64.csv")
    sources = _rows("difumo64_sources_approx.csv")
    return tuple(
        _roi(label, source) for label, source in zip(labels, sources, strict=True)
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("rtbold.sim") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _roi(label: dict[str, str], source: dict[str, str]) -> Roi:
    y_mm, z_mm = float(source["y_mni"]), float(source["z_mni"])
    # Non-brain components (sinus, ventricles) have no x, and so no dipole.
    xs_mm = [float(x) for x in source["x_sources_mni_approx"].split()]
    return Roi(
        # One spelling: the atlas writes a typographic apostrophe.
        name=label["label"].replace("\u2019", "'"),
        network=label["yeo7"],
        kind=source["kind"],
        sources_mni_mm=tuple((x_mm, y_mm, z_mm) for x_mm in xs_mm),
        centre_mni_mm=(float(label["x_mni"]), y_mm, z_mm),
    )


# The twin's lead field: how much of each source each electrode sees.


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
