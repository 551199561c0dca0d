"""What a prediction rests on: channels, times before the volume, frequency bands.

Two windows of one recording have two predictions; the difference is attributed to the
tiles (channel, second, band) in which the windows differ, by captum (Kokhlikyan et al.
2020, arXiv 2009.07896). Integrated gradients (Sundararajan et al. 2017, arXiv
1703.01365) along the straight line between the windows add up to the difference; the
partner as baseline follows expected gradients (Erion et al. 2021, Nature Machine
Intelligence 3:620). Occlusion takes one channel, second or band from the partner and
leaves the rest. Summed over many pairs, in proportion to the difference, this gives
shares of what makes predictions differ.

It shows what the model uses, not where activity is (Haufe et al. 2014, NeuroImage
87:96): see ``docs/explanation/attribution.md``.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from rtbold.calibration.explain_methods import (
    ExplainSettings,
    Method,
    Pairs,
    Progress,
    integrated,
    occlusion,
    slope_per_doubling,
)
from rtbold.calibration.explain_tiles import (
    BANDS,
    N_TIMES,
    TILE_SAMPLES,
    Mixer,
    Network,
    split,
)
from rtbold.card import Card
from rtbold.errors import ConfigError, DataFileError, EngineError
from rtbold.messages import MODEL_RATE_HZ, WINDOW_S, Float32Array, FloatArray

MIN_WINDOWS: Final = 8
SEED: Final = 0  # of the intervals
LEAST_SD: Final = 1e-6  # model units: below it a prediction does not vary
LAGS_S: Final = tuple(
    (N_TIMES - 0.5 - i) * TILE_SAMPLES / MODEL_RATE_HZ for i in range(N_TIMES)
)


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


def attribution(
    network: Network,
    eeg_uv: Float32Array,
    *,
    card: Card,
    roi: str,
    settings: ExplainSettings | None = None,
    progress: Progress | None = None,
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
