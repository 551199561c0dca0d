"""Power spectra of short pieces, in a form that trains fast and exports anywhere."""

import math

import torch
from torch import Tensor, nn


class PowerSpectrum(nn.Module):
    """Squared magnitude of the one-sided spectrum; (..., n) -> (..., bins).

    `by_product` is for export: a product with fixed cosines and sines, which every
    engine can run (the FFT operator of ONNX cannot be relied on). It costs three times
    the rest of a small network, so training uses the FFT.

    Parameters
    ----------
    n : samples of a piece.
    bins : first and last + 1 of the bins that are kept; None for all.
    taper : (n,), or None for a rectangular window.
    """

    cosine: Tensor
    sine: Tensor
    taper: Tensor

    def __init__(
        self,
        n: int,
        *,
        bins: tuple[int, int] | None = None,
        taper: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.first, self.last = bins or (0, n // 2 + 1)
        weight = torch.ones(n, dtype=torch.float64) if taper is None else taper.double()
        k = torch.arange(self.first, self.last, dtype=torch.float64)
        sample = torch.arange(n, dtype=torch.float64)[:, None]
        # The product is reduced modulo n first: exact phases at any k.
        phase = 2 * math.pi * torch.remainder(sample * k, n) / n
        fixed = {
            "cosine": weight[:, None] * phase.cos(),
            "sine": weight[:, None] * phase.sin(),
            "taper": weight,
        }
        for name, values in fixed.items():
            self.register_buffer(name, values.float(), persistent=False)
        self.by_product = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the power in the bins that are kept."""
        if self.by_product:
            parts = x @ torch.cat([self.cosine, self.sine], dim=1)  # (..., 2 bins)
            real, imaginary = (parts**2).chunk(2, dim=-1)
            return real + imaginary
        spectrum = torch.fft.rfft(x * self.taper)[..., self.first : self.last]
        power: Tensor = spectrum.real**2 + spectrum.imag**2
        return power
