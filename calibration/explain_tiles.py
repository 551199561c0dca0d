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

Network = Callable[[Tensor], Tensor]  # (batch, channels, 3200) -> (batch, rois)


def split(eeg_uv: Tensor) -> Tensor:
    """Split windows (windows, channels, 3200) into bands, without delay.

    Returns
    -------
    (windows, bands, channels, 3200); the bands of a window sum to it.
    """
    masks = _masks()
    # One by one: the spectra need many times a window's memory
    return torch.stack([_bands_of(window_uv, masks) for window_uv in eeg_uv])


def _bands_of(window_uv: Tensor, masks: Tensor) -> Tensor:
    """Return (bands, channels, samples).

    Mirrored first, because the window's two ends would otherwise meet in a jump that
    fills all bands.
    """
    mirrored = torch.cat([window_uv, window_uv.flip(-1)], dim=-1)  # (c, 2 s)
    spectrum = torch.fft.rfft(mirrored)
    parts: Tensor = torch.fft.irfft(spectrum * masks[:, None])  # (band, c, 2 s)
    return parts[..., : window_uv.shape[-1]]


def _masks() -> Tensor:
    """Return which bins are in which band, (bands, 3201)."""
    n = 2 * WINDOW_SAMPLES
    hz = torch.arange(n // 2 + 1, dtype=torch.float64) * (MODEL_RATE_HZ / n)
    inside = [(hz >= low_hz) & (hz < high_hz) for low_hz, high_hz in BANDS.values()]
    inside[-1] |= hz == MODEL_RATE_HZ / 2
    return torch.stack(inside).float()


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
