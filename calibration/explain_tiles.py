"""Windows cut into tiles of one channel, one second and one band.

``rtbold.calibration.explain`` asks what a tile does to a prediction by taking it from
another window of the same recording. Silence would be no neutral choice: a model of log
power has never seen it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES
from rtbold.models.bandpower_ridge import BANDS_HZ

# Every bin of the spectrum is in one band, so that the bands sum to the window. Below
# and above the named ones the live filters leave little.
BANDS: Final[dict[str, tuple[float, float]]] = {
    "slow": (0.0, 1.0),
    **BANDS_HZ,
    "high": (80.0, MODEL_RATE_HZ / 2),
}
TILE_SAMPLES: Final = 200
N_TIMES: Final = WINDOW_SAMPLES // TILE_SAMPLES
POWER_FLOOR_UV2: Final = 1e-6  # a flat channel has a logarithm too

Network = Callable[[Tensor], Tensor]  # (batch, channels, 3200) -> (batch, rois)


@dataclass(frozen=True, slots=True, eq=False)
class BandSignals:
    """Windows split into bands; the bands of a window sum to it."""

    parts_uv: Tensor  # (windows, bands, channels, samples)
    log_power: Tensor  # (windows, channels, times, bands), ln of uV^2, tile by tile


def split(eeg_uv: Tensor) -> BandSignals:
    """Split windows (windows, channels, 3200) into bands, without delay."""
    weights = time_weights()
    means = (weights / weights.sum(dim=1, keepdim=True)).T  # (s, t)
    masks = torch.stack([_one_sided(*edges_hz) for edges_hz in BANDS.values()])
    parts, powers = [], []
    for window_uv in eeg_uv:  # one by one: the spectra need 30 times its memory
        analytic = _analytic(window_uv, masks)  # (band, c, s)
        parts.append(analytic.real)
        # Of the envelope: a slow wave keeps its power where it crosses zero
        power_uv2 = analytic.abs().square() / 2 @ means  # (band, c, t)
        powers.append(torch.log(power_uv2 + POWER_FLOOR_UV2).permute(1, 2, 0))
    return BandSignals(torch.stack(parts), torch.stack(powers))


def _analytic(window_uv: Tensor, masks: Tensor) -> Tensor:
    """Return the analytic signal (bands, channels, samples) of a mirrored window.

    Mirrored, because its two ends would otherwise meet in a jump that fills all bands.
    """
    mirrored = torch.cat([window_uv, window_uv.flip(-1)], dim=-1)  # (c, 2 s)
    spectrum = torch.fft.fft(mirrored)
    analytic: Tensor = torch.fft.ifft(spectrum * masks[:, None])  # (band, c, 2 s)
    return analytic[..., : window_uv.shape[-1]]


def _one_sided(low_hz: float, high_hz: float) -> Tensor:
    """Return the weights of a band's bins, (6400,)."""
    n = 2 * WINDOW_SAMPLES
    nyquist_hz = MODEL_RATE_HZ / 2
    hz = torch.arange(n, dtype=torch.float64) * (MODEL_RATE_HZ / n)
    inside = (hz >= low_hz) & (hz < high_hz)
    inside |= (hz == nyquist_hz) & (high_hz == nyquist_hz)
    once = (hz == 0) | (hz == nyquist_hz)  # bins that have no negative twin
    weights: Tensor = torch.where(inside, torch.where(once, 1.0, 2.0), 0.0)
    return weights.float()


def time_weights() -> Tensor:
    """Return (times, samples): how much of each sample is each tile's; sums to 1.

    Tiles cross-fade between their centres: a hard cut would be a click in all bands.
    """
    sample = torch.arange(WINDOW_SAMPLES, dtype=torch.float64) + 0.5
    place = (sample / TILE_SAMPLES - 0.5).clamp(0, N_TIMES - 1)
    distance = (place - torch.arange(N_TIMES)[:, None]).abs().clamp(max=1)
    weights: Tensor = torch.cos(distance * torch.pi / 2) ** 2
    return weights.float()


@dataclass(frozen=True, eq=False)
class Mixer:
    """A network as a function of which tiles of a window are there.

    Presence 1 is the window's own tile, 0 the partner's, between them a mixture.

    Parameters
    ----------
    remove_mean : of each channel, as the card says.
    """

    network: Network
    remove_mean: bool
    weights: Tensor = field(default_factory=time_weights)

    def __call__(self, presence: Tensor, own_uv: Tensor, partner_uv: Tensor) -> Tensor:
        """Predict (pairs, rois) from presence (pairs, channels, times, bands).

        Parameters
        ----------
        own_uv, partner_uv : (pairs, bands, channels, samples).
        """
        share = torch.einsum("nctb,ts->nbcs", presence, self.weights)
        eeg_uv = (partner_uv + share * (own_uv - partner_uv)).sum(dim=1)  # (n, c, s)
        if self.remove_mean:
            eeg_uv = eeg_uv - eeg_uv.mean(dim=-1, keepdim=True)
        return self.network(eeg_uv)
