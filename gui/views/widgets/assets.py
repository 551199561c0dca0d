"""What heads and brains are drawn from: the tables in gui/assets, and the outline.

The tables are copies, as the dashboard reads no file of other packages: of
rtbold/electrodes.csv and of DiFuMo's 64 regions (Dadi et al. 2020, NeuroImage
221:117126; left-right places are approximate, 8 mm). scripts/make_gui_assets.py of
commit a267d53 made them.

The outlines, rtbold/brain_outline.csv, are points from the shadow of ICBM152 2009a
nonlinear symmetric (Fonov et al. 2011, NeuroImage 54:313). Copyright of the template:
(C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological
Institute, McGill University; its licence permits to use, copy, modify and distribute it
for any purpose without fee, with this notice.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["right", "back", "top"]
FloatArray = NDArray[np.float64]


def electrode_place(label: str) -> tuple[float, float] | None:
    """Return x and y of an electrode on the head's disc; None if it is not known."""
    return _electrodes().get(label.strip().casefold())


def roi_dots(roi: str) -> FloatArray | None:
    """Return (dots, 3) mm, one dot for each hemisphere; None if it is not known."""
    # One spelling: the atlas writes a typographic apostrophe.
    return _roi_dots().get(roi.strip().replace("\u2019", "'").casefold())


@cache
def brain_outline(side: Side) -> FloatArray:
    """Return (points, 2) mm of the brain's outline seen from `side`."""
    rows = (
        row for row in _rows("rtbold", "brain_outline.csv") if row["seen_from"] == side
    )
    return np.array([(float(row["a_mm"]), float(row["b_mm"])) for row in rows])


@cache
def _electrodes() -> dict[str, tuple[float, float]]:
    rows = _rows("rtbold.gui", "assets/electrodes.csv")
    return {row["label"].casefold(): (float(row["x"]), float(row["y"])) for row in rows}


@cache
def _roi_dots() -> dict[str, FloatArray]:
    found: dict[str, list[tuple[float, ...]]] = {}
    for row in _rows("rtbold.gui", "assets/roi_centres.csv"):
        place_mm = tuple(float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm"))
        found.setdefault(row["name"].casefold(), []).append(place_mm)
    return {name: np.array(places) for name, places in found.items()}


def _rows(package: str, name: str) -> list[dict[str, str]]:
    place = files(package) / name
    return list(csv.DictReader(place.read_text(encoding="utf-8").splitlines()))
