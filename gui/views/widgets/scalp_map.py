"""Band power on the head, relative to the channels' median. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.views.widgets.assets import electrode_place
from rtbold.gui.views.widgets.head_geometry import on_sphere
from rtbold.gui.views.widgets.spline import spline_matrix

FloatArray = NDArray[np.float64]

SIDE: Final = 72  # pixels of the map, before it is scaled up smoothly
LIMITS_DB: Final = (3.0, 6.0, 10.0, 15.0, 20.0, 30.0)
FEWEST: Final = 4  # channels; of fewer a map would say nothing
CALM: Final = 10  # looks at a smaller limit before the scale follows


def relative_db(power_uv2: FloatArray) -> FloatArray:
    """Return (channels,) dB against the channels' median; nan where there is none."""
    there = np.isfinite(power_uv2) & (power_uv2 > 0)
    found = np.full(power_uv2.shape, np.nan)
    if there.any():
        found[there] = 10 * np.log10(power_uv2[there] / np.median(power_uv2[there]))
    return found


class ScalpMap:
    """Interpolates between electrodes; its matrix is made when the channels change."""

    def __init__(self) -> None:
        self._labels: tuple[str, ...] = ()
        self._there: bytes = b""
        self._matrix: FloatArray | None = None
        self.places: dict[
            str, tuple[float, float]
        ] = {}  # of the channels that are used

    def image(self, labels: Sequence[str], values: FloatArray) -> FloatArray | None:
        """Return (side, side) values, row 0 at the nose; None if there is too little.

        Parameters
        ----------
        labels : of the channels.
        values : (channels,), nan where there is none. Between the electrodes nothing is
            higher or lower than at the highest and lowest of them.
        """
        places = [electrode_place(label) for label in labels]
        used = np.array([at is not None for at in places], bool) & np.isfinite(values)
        if used.sum() < FEWEST:
            self.places = {}
            return None
        if (tuple(labels), used.tobytes()) != (self._labels, self._there):
            self._labels, self._there = tuple(labels), used.tobytes()
            kept = zip(labels, places, used, strict=True)
            self.places = {
                label: at for label, at, use in kept if use and at is not None
            }
            chosen = [at for at, use in zip(places, used, strict=True) if use]
            self._matrix = spline_matrix(on_sphere(np.array(chosen)), _grid())
        assert self._matrix is not None
        good = values[used]
        between = np.clip(self._matrix @ good, good.min(), good.max())
        return np.asarray(between.reshape(SIDE, SIDE))


class CalmLimit:
    """The end of a colour scale: grows at once, shrinks after some quiet."""

    def __init__(self) -> None:
        self.limit_db = LIMITS_DB[0]
        self._quiet = 0

    def take(self, values_db: FloatArray) -> float:
        """Return the limit after another look; values that are nan do not count."""
        most = float(np.nanmax(np.abs(values_db), initial=0.0))
        needed = next((db for db in LIMITS_DB if db >= most), LIMITS_DB[-1])
        self._quiet = self._quiet + 1 if needed < self.limit_db else 0
        if needed > self.limit_db or self._quiet >= CALM:
            self.limit_db, self._quiet = needed, 0
        return self.limit_db


def _grid() -> FloatArray:
    """Return (pixels, 3) places of the map's pixels on the sphere."""
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(at, -at)
    return on_sphere(np.column_stack([x.ravel(), y.ravel()]))
