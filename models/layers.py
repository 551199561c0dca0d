"""Layers that more than one architecture is made of."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.polynomial.legendre import legval
from torch import Tensor, nn

from rtbold.electrodes import positions
from rtbold.messages import FloatArray


class DropPath(nn.Module):
    """Drop a whole residual branch per sample (stochastic depth, Huang et al. 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return x, or zeros for a random share `p` of the batch while training."""
        if not self.training or self.p == 0.0:
            return x
        keep = torch.rand(x.shape[0], *([1] * (x.ndim - 1)), device=x.device) >= self.p
        return x * keep / (1.0 - self.p)


class TokenSummary(nn.Module):
    """Keep every token in few numbers, instead of the mean over tokens.

    (batch, tokens, dim) -> (batch, tokens * width): which channel and second said it
    stays readable for the linear head.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.squeeze = nn.Linear(dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the flattened summary of all tokens."""
        x = self.squeeze(self.norm(tokens))  # (b, token, width)
        out: Tensor = self.dropout(x.flatten(1))  # (b, token * width)
        return out


# The surface Laplacian by spherical splines (Perrin et al. 1989, corrected 1990).
#
# A fixed, linear sharpening of the scalp's potential that undoes part of what the skull
# blurs. Learned unmixing starts from it: an electrode mostly means what lies below.

STIFFNESS = 4
N_TERMS = 60
REGULARISATION = 1e-5


def surface_laplacian(channels: Sequence[str]) -> FloatArray:
    """Return (channels, channels); each row has unit norm and does not see a constant.

    Unit norm, because the scale of a current density is no use to a network.
    """
    xyz = positions(channels)
    cosine = np.clip(xyz @ xyz.T, -1.0, 1.0)
    n = np.arange(1.0, N_TERMS)
    series = np.zeros(N_TERMS)
    series[1:] = (2 * n + 1) / (n * (n + 1)) ** STIFFNESS / (4 * np.pi)
    potential = legval(cosine, series)
    series[1:] *= n * (n + 1)
    density = legval(cosine, series)
    inverse = np.linalg.inv(potential + REGULARISATION * np.eye(len(channels)))
    sums = inverse.sum(axis=1)
    coefficients = inverse - np.outer(sums, sums) / sums.sum()
    laplacian: FloatArray = density @ coefficients
    laplacian /= np.linalg.norm(laplacian, axis=1, keepdims=True)
    return laplacian


# What the linear models share: frozen scaling of features and one linear map.


class LinearModel(nn.Module):
    """``bold = head((features - mean) / scale)``, fitted in closed form.

    `mean` and `scale` come from the training windows and stay as they are: a live loop
    cannot scale by a scan that is not over yet.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_rois: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.head = nn.Linear(n_features, n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the map is fitted on, (b, features)."""
        raise NotImplementedError

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        features = (self.features(eeg_uv) - self.mean) / self.scale  # (b, features)
        out: Tensor = self.head(features)
        return out


# Power spectra of short pieces, in a form that trains fast and exports anywhere.


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
