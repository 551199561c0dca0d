"""What a prediction rests on: channels, times before the volume, frequency bands.

Two windows of one recording have two predictions; the difference is attributed to the
tiles (channel, second, band) in which the windows differ, by captum (Kokhlikyan et al.
2020, arXiv 2009.07896). Integrated gradients (Sundararajan et al. 2017, arXiv
1703.01365) along the straight line between the windows add up to the difference; the
partner as baseline follows expected gradients (Erion et al. 2021, Nature Machine
Intelligence 3:620). Occlusion takes one channel, second or band from the partner and
leaves the rest. Summed over many pairs, in proportion to the difference, this gives
shares of what makes predictions differ. Silence would be no neutral partner: a model of
log power has never seen it.

It shows what the model uses, not where activity is (Haufe et al. 2014, NeuroImage
87:96): see ``docs/explanation/attribution.md``.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

import numpy as np
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from torch import Tensor

from rtbold.bundle import Card
from rtbold.errors import ConfigError, DataFileError, EngineError
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_S,
    WINDOW_SAMPLES,
    Float32Array,
    FloatArray,
)
from rtbold.models import FEATURE_BANDS_HZ

# Every bin of the spectrum is in one band, so that the bands sum to the window. Below
# and above the named ones the live filters leave little.
BANDS: Final[dict[str, tuple[float, float]]] = {
    "slow": (0.0, 1.0),
    **FEATURE_BANDS_HZ,
    "high": (80.0, MODEL_RATE_HZ / 2),
}
TILE_SAMPLES: Final = 200
N_TIMES: Final = WINDOW_SAMPLES // TILE_SAMPLES
MIN_WINDOWS: Final = 8
SEED: Final = 0  # of the intervals
LEAST_SD: Final = 1e-6  # model units: below it a prediction does not vary
LAGS_S: Final = tuple(
    (N_TIMES - 0.5 - i) * TILE_SAMPLES / MODEL_RATE_HZ for i in range(N_TIMES)
)

Network = Callable[[Tensor], Tensor]  # (batch, channels, 3200) -> (batch, rois)
Method = Literal["integrated-gradients", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

WindowProgress = Callable[[float], None]  # called with the share that is done, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings:
    """How long to compute, and how to resample."""

    method: Method = "integrated-gradients"
    n_partners: int = 4  # of each window; occlusion takes one
    n_steps: int = 16  # of the integral
    # Mixtures per call of the network. More are no faster; of NeuroBOLT base each needs
    # 150 MB of gradients' memory.
    at_once: int = 4
    n_draws: int = 1000  # for the intervals
    block_n: int = 1  # neighbouring windows that overlap, resampled together


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Shares of the differences between predictions; negative: works against them."""

    share: FloatArray  # (groups,)
    low: FloatArray  # 95 % interval, windows resampled
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What the predictions of one ROI rest on."""

    roi: str
    method: Method
    channels: tuple[str, ...]
    bands: tuple[str, ...]
    lags_s: FloatArray  # (times,), centre of each second before the volume
    channel: Shares
    time: Shares
    band: Shares
    doubled: FloatArray  # (channels, bands), model units per doubling of power
    prediction_sd: float  # over windows, model units
    rms_error: float | None  # of sums over tiles, in prediction_sd; integrated only
    n_windows: int
    n_pairs: int


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


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Windows and partners, and how much their predictions differ."""

    parts_uv: Tensor  # (windows, bands, channels, samples)
    own: np.ndarray  # (pairs,), indices of windows
    partner: np.ndarray
    difference: FloatArray  # (pairs,), of the predictions

    @property
    def tiles(self) -> tuple[int, int, int]:
        """Shape of one window's tiles: channels, times, bands."""
        _, n_bands, n_channels, _ = self.parts_uv.shape
        return n_channels, N_TIMES, n_bands

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the bands of some pairs: own, partner."""
        for first in range(0, len(self.own), size):
            rows = slice(first, first + size)
            yield self.parts_uv[self.own[rows]], self.parts_uv[self.partner[rows]]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What channels, times and bands do to the difference of each pair."""

    channel: FloatArray  # (pairs, channels), of the prediction's difference
    time: FloatArray
    band: FloatArray


def as_method(name: str) -> Method:
    """Return `name` as a method.

    Raises
    ------
    ConfigError : it is none.
    """
    for method in get_args(Method):
        if method == name:
            return cast("Method", method)
    raise ConfigError(f"--method is {name!r}, expected one of {', '.join(METHODS)}")


def integrated(
    mixer: Mixer, pairs: Pairs, settings: ExplainSettings, progress: WindowProgress
) -> Effects:
    """Integrate the gradient along the straight line from partner to window.

    Parameters
    ----------
    mixer : of a network with one output, (pairs,).
    """
    method = IntegratedGradients(mixer)
    size = max(settings.at_once // 4, 1)
    done: list[FloatArray] = []
    for own_uv, partner_uv in pairs.batches(size):
        given = method.attribute(
            torch.ones(len(own_uv), *pairs.tiles),
            additional_forward_args=(own_uv, partner_uv),
            n_steps=settings.n_steps,
            internal_batch_size=settings.at_once,
        )
        done.append(given.detach().double().numpy())
        progress(min(len(done) * size / len(pairs.own), 1.0))
    tiles = np.concatenate(done)  # (pairs, channels, times, bands)
    return Effects(
        channel=tiles.sum(axis=(2, 3)),
        time=tiles.sum(axis=(1, 3)),
        band=tiles.sum(axis=(1, 2)),
    )


def occlusion(
    mixer: Mixer, pairs: Pairs, settings: ExplainSettings, progress: WindowProgress
) -> Effects:
    """Take one channel, one time or one band from the partner.

    Parameters
    ----------
    mixer : of a network with one output, (pairs,).
    """
    method = FeatureAblation(mixer)
    masks = [_groups(pairs.tiles, axis) for axis in range(3)]
    done: list[list[FloatArray]] = [[] for _ in masks]
    for row, (own_uv, partner_uv) in enumerate(pairs.batches(1)):
        for mask, found in zip(masks, done, strict=True):
            given = method.attribute(
                torch.ones(1, *pairs.tiles),
                baselines=0,
                additional_forward_args=(own_uv, partner_uv),
                feature_mask=mask[None],
                perturbations_per_eval=settings.at_once,
            )
            found.append(_per_group(given[0], mask))
        progress((row + 1) / len(pairs.own))
    return Effects(*(np.stack(found) for found in done))


def _groups(shape: tuple[int, int, int], axis: int) -> Tensor:
    """Return the group of each tile: its place along `axis`."""
    view = [1, 1, 1]
    view[axis] = shape[axis]
    return torch.arange(shape[axis]).reshape(view).expand(shape)


def _per_group(given: Tensor, mask: Tensor) -> FloatArray:
    """Return one value per group; captum repeats it on every tile."""
    out = torch.zeros(int(mask.max()) + 1, dtype=torch.float64)
    out[mask.flatten()] = given.detach().double().flatten()
    return out.numpy()


def slope_per_doubling(mixer: Mixer, pairs: Pairs) -> FloatArray:
    """Return how the prediction changes with power, (channels, bands).

    The derivative by the log amplitude of a band in a channel over the whole window,
    mean over windows, for a doubling of power (half a doubling of log amplitude).
    """
    slopes = []
    for parts_uv in torch.split(pairs.parts_uv, 1):
        presence = torch.ones(1, *pairs.tiles, requires_grad=True)
        bold = mixer(presence, parts_uv, torch.zeros_like(parts_uv))
        (slope,) = torch.autograd.grad(bold.sum(), presence)
        slopes.append(slope[0].sum(dim=1).double().numpy())
    mean: FloatArray = np.mean(slopes, axis=0) * math.log(2) / 2
    return mean


def attribute(
    network: Network,
    eeg_uv: Float32Array,
    *,
    card: Card,
    roi: str,
    settings: ExplainSettings | None = None,
    progress: WindowProgress | None = None,
) -> Attribution:
    """Attribute one ROI's predictions to channels, times and bands.

    Parameters
    ----------
    network : in float32, on the CPU, ready to infer; ``engine.torch.load_network``.
    eeg_uv : (windows, channels, 3200) in order of time, as the network gets them.
    card : of the bundle; names the channels and ROIs.

    Raises
    ------
    ConfigError : the card has no such ROI.
    DataFileError : fewer than `MIN_WINDOWS` windows.
    EngineError : the predictions do not vary, or are not finite.
    """
    settings = settings or ExplainSettings()
    target = roi_index(card, roi)
    if len(eeg_uv) < MIN_WINDOWS:
        raise DataFileError(
            f"there are {len(eeg_uv)} usable windows, expected at least {MIN_WINDOWS}; "
            "give a longer recording"
        )
    predicted = _predict(network, eeg_uv, target)
    sd = _spread(predicted, roi)
    pairs = _pair_up(eeg_uv, predicted, settings)
    mixer = Mixer(_of_roi(network, target), card.conditioning.remove_window_mean)
    work = occlusion if settings.method == "occlusion" else integrated
    effects = work(mixer, pairs, settings, progress or (lambda _: None))
    weights = _draws(len(eeg_uv), pairs, settings)
    error = effects.channel.sum(axis=1) - pairs.difference
    adds_up = settings.method == "integrated-gradients"
    return Attribution(
        roi=roi,
        method=settings.method,
        channels=card.channels,
        bands=tuple(BANDS),
        lags_s=np.array(LAGS_S),
        channel=_shares(effects.channel, pairs.difference, weights),
        time=_shares(effects.time, pairs.difference, weights),
        band=_shares(effects.band, pairs.difference, weights),
        doubled=slope_per_doubling(mixer, pairs),
        prediction_sd=sd,
        rms_error=float(np.sqrt(np.mean(error**2)) / sd) if adds_up else None,
        n_windows=len(eeg_uv),
        n_pairs=len(pairs.own),
    )


def roi_index(card: Card, roi: str) -> int:
    """Return the place of a ROI among the card's.

    Raises
    ------
    ConfigError : it is not there.
    """
    if roi in card.rois:
        return card.rois.index(roi)
    raise ConfigError(
        f"bundle '{card.name}' has no ROI {roi!r}, expected one of: "
        f"{', '.join(card.rois)}"
    )


def overlapping(t_end_s: FloatArray) -> int:
    """Return how many neighbouring windows, typically, share EEG: ``block_n``."""
    if len(t_end_s) < 2:
        return 1
    apart_s = max(float(np.median(np.diff(t_end_s))), 1e-3)
    return max(math.ceil(WINDOW_S / apart_s), 1)


def _of_roi(network: Network, target: int) -> Network:
    return lambda eeg_uv: network(eeg_uv)[:, target]


def _predict(network: Network, eeg_uv: Float32Array, target: int) -> FloatArray:
    with torch.no_grad():
        one_by_one = [network(torch.tensor(x[None]))[0, target] for x in eeg_uv]
    return torch.stack(one_by_one).double().numpy()


def _spread(predicted: FloatArray, roi: str) -> float:
    sd = float(predicted.std())
    if sd >= LEAST_SD:
        return sd
    raise EngineError(
        f"the predictions of {roi!r} have sd {sd:.2g} over {len(predicted)} windows, "
        "expected ones that vary: there is nothing to explain. Was the model trained, "
        "and is the recording not flat?"
    )


def _pair_up(
    eeg_uv: Float32Array, predicted: FloatArray, settings: ExplainSettings
) -> Pairs:
    """Pair each window with some that are an eighth to half the recording away."""
    n = len(eeg_uv)
    n_partners = 1 if settings.method == "occlusion" else settings.n_partners
    steps = np.linspace(n / 2 - 1, n / 8, n_partners).round().astype(int)
    own = np.concatenate([np.arange(n) for _ in np.unique(steps)])
    partner = np.concatenate([(np.arange(n) + step) % n for step in np.unique(steps)])
    return Pairs(
        parts_uv=split(torch.tensor(eeg_uv)),
        own=own,
        partner=partner,
        difference=predicted[own] - predicted[partner],
    )


def _draws(n: int, pairs: Pairs, settings: ExplainSettings) -> FloatArray:
    """Return the weights of the pairs: all alike first, then bootstrap draws.

    Windows are drawn in blocks, since neighbours overlap; a pair counts as often as
    both of its windows were drawn.
    """
    block_n = min(settings.block_n, n)
    n_blocks = -(-n // block_n)
    rng = np.random.default_rng(SEED)
    starts = rng.integers(0, n, (settings.n_draws, n_blocks, 1))
    drawn = (starts + np.arange(block_n)).reshape(settings.n_draws, -1) % n
    counts = np.stack([np.bincount(row, minlength=n) for row in drawn[:, :n]])
    weights = counts[:, pairs.own] * counts[:, pairs.partner]
    return np.concatenate([np.ones((1, len(pairs.own))), weights])


def _shares(effects: FloatArray, difference: FloatArray, weights: FloatArray) -> Shares:
    whole = weights @ difference**2
    possible = whole > 0  # a draw may have no pair at all
    share = weights @ (effects * difference[:, None])
    share = share[possible] / whole[possible, None]
    low, high = np.quantile(share[1:], (0.025, 0.975), axis=0)
    return Shares(share[0], low, high)
