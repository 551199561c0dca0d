"""The 64 regions of DiFuMo, and where the twin puts their dipoles.

``difumo64.csv`` holds labels, Yeo networks and centres of mass. The maps are
bilateral, so most centres sit near x = 0: fine for a list, wrong for a dipole.
``difumo64_sources_approx.csv`` therefore places one dipole per hemisphere; its x values
are anatomical approximations, good to about 8 mm, and no measurement.
"""

import csv
from dataclasses import dataclass
from importlib.resources import files


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
