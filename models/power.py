"""Power spectra of short pieces, in a form that trains fast and exports anywhere."""

import math
from collections.abc import Sequence

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


class HalvedSpectra(nn.Module):
    """Power spectra of pieces of n, 2 n, 4 n, ... samples; each from its halves.

    For export: of a piece [a, b] the even bins are the sums of those of a and b, which
    are there already, and the odd ones a product of a - b with half as many samples
    (one step of Cooley and Tukey, 1965). Four lengths take 0.3 times the products.

    Parameters
    ----------
    scales_samples : each is twice the one before it.

    Attributes
    ----------
    order : per scale, which bin stands where: those of the scale before, then the odd.
    """

    def __init__(self, scales_samples: Sequence[int]) -> None:
        super().__init__()
        n = scales_samples[0]
        bins = list(range(n // 2 + 1))
        self.order = [torch.tensor(bins)]
        products = [_waves(n, bins, n)]
        for n in scales_samples[1:]:
            odd = list(range(1, n // 2, 2))
            bins = [2 * k for k in bins] + odd
            self.order.append(torch.tensor(bins))
            products.append(_waves(n // 2, odd, n))
        self.n_samples = [scales_samples[0], *(n // 2 for n in scales_samples[1:])]
        for i, values in enumerate(products):
            self.register_buffer(f"waves_{i}", values.float(), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return per scale the power (b, c, pieces, bins) of (b, c, samples)."""
        powers: list[Tensor] = []
        real, imaginary = x, x  # of the scale before; none before the first
        for i, n in enumerate(self.n_samples):
            pieces = torch.unflatten(x, 2, (-1, n))
            if i:
                first, second = _halves(pieces)
                pieces = first - second
            parts = pieces @ self.get_buffer(f"waves_{i}")
            new_real, new_imaginary = parts.chunk(2, dim=-1)
            if i:
                new_real = torch.cat([_summed(real), new_real], dim=-1)
                new_imaginary = torch.cat([_summed(imaginary), new_imaginary], dim=-1)
            real, imaginary = new_real, new_imaginary
            powers.append(real**2 + imaginary**2)
        return powers


def _waves(n_samples: int, bins: Sequence[int], n: int) -> Tensor:
    """Return cosines and sines (samples, 2 bins) of the bins of a piece of n."""
    sample = torch.arange(n_samples, dtype=torch.float64)[:, None]
    k = torch.tensor(bins, dtype=torch.float64)
    phase = 2 * math.pi * torch.remainder(sample * k, n) / n
    return torch.cat([phase.cos(), phase.sin()], dim=1)


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the second of each pair of pieces; (b, c, w, n)."""
    pairs = torch.unflatten(x, 2, (-1, 2))  # (b, c, w / 2, 2, n)
    return pairs[:, :, :, 0], pairs[:, :, :, 1]


def _summed(x: Tensor) -> Tensor:
    first, second = _halves(x)
    return first + second
