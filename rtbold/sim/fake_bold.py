"""Predicted and measured BOLD of a feed that has neither EEG, model nor scanner."""

from typing import Final

import numpy as np

from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.noise import generator, power_law

LOOP_VOLUMES: Final = 2048  # then the waves begin again, without a step
PER_VOLUME_HZ: Final = (0.017, 0.19)  # band of the waves, per volume: 8 to 90 mHz
WAVE_SD: Final = 0.6
R_RANGE: Final = (0.05, 0.55)  # of the ROIs; the target has the upper end
SCANNER_MEAN: Final = 800.0
SCANNER_SD: Final = 6.0


def target_wave(seed: int) -> tuple[float, ...]:
    """Return the target's slow wave, volume by volume, between -1 and 1."""
    return tuple(float(value) for value in np.tanh(0.8 * _waves(seed, 1)[0]))


class FakeBold:
    """Values of all ROIs by volume, and what a scanner would have measured.

    Parameters
    ----------
    n_rois : of the model.
    target : number of the ROI whose value the script tells.
    """

    def __init__(self, n_rois: int, target: int, *, seed: int) -> None:
        self._seed = seed
        self._target = target
        self._waves = WAVE_SD * _waves(seed, n_rois)  # (rois, volumes)
        self._waves[target] = target_wave(seed)
        self._r = generator(seed, "fake R").uniform(*R_RANGE, n_rois)  # (rois,)
        self._r[target] = R_RANGE[1]

    def predicted(self, volume: int, target: float | None) -> FloatArray:
        """Return (rois,), model units; `target` None: as its wave has it."""
        values: FloatArray = self._waves[:, volume % LOOP_VOLUMES].astype(np.float64)
        if target is not None:
            values[self._target] = target
        return values

    def measured(self, volume: int, target: float | None) -> FloatArray:
        """Return (rois,), the scanner's unit: the prediction, and noise of its own."""
        rng = generator(self._seed, f"fake scanner noise {volume}")
        noise = rng.standard_normal(len(self._r))
        signal = self._r * self.predicted(volume, target) / WAVE_SD
        return SCANNER_MEAN + SCANNER_SD * (signal + np.sqrt(1 - self._r**2) * noise)


def _waves(seed: int, n_rows: int) -> Float32Array:
    """Return (rows, volumes) of slow noise, unit variance."""
    rng = generator(seed, f"fake waves of {n_rows}")
    shape = (n_rows, LOOP_VOLUMES)
    return power_law(rng, shape, rate_hz=1.0, band_hz=PER_VOLUME_HZ, exponent=0.5)
