"""Measure what can be read on a simulated level; everything it prints is SIMULATED.

    python scripts/measure_levels.py across field --train 16 --test 6
    python scripts/measure_levels.py within foreign --test 5

Development seeds only. `across` fits the band-power ridge on some subjects and scores
it on others; `within` fits it on each subject by itself, four blocks 36 s apart. The
shipped network stands beside, with --pipeline: windows then come from the live pipeline
as training has them. Else they are cut from the EEG (average reference, 0.5 Hz causal
high-pass).
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from scipy.signal import butter, sosfilt
from torch import nn

from rtbold.bundle import load
from rtbold.calibration.train.dataset import as_recording, conditioned
from rtbold.calibration.train.ridge import RidgeFit, Table, fit_ridge
from rtbold.engine import load_network
from rtbold.messages import FloatArray
from rtbold.models import BandPowerRidge, BandPowerRidgeConfig
from rtbold.sim import SimulatedRecording, read_rois, simulate
from rtbold.sim.settings import (
    FIELD_TRAIN_SEEDS,
    FIELD_VALIDATION_SEEDS,
    FOREIGN,
    FOREIGN_DEVELOPMENT_SEEDS,
    TRAIN_SEEDS,
    VALIDATION_SEEDS,
    simulation_settings,
)
from rtbold.sim.twin import source_amplitudes
from rtbold.truth import lowpassed, pearson_r

CUTOFF_HZ = 0.15
GAP_S, N_BLOCKS = 36.0, 4
NETWORKS = ("DefaultB", "ContA")  # of the contrast


Pairs = Sequence[tuple[FloatArray, FloatArray]]  # predicted, measured
From = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Subject:
    """One scan: what is read of its EEG, and what was measured."""

    features: FloatArray  # (volumes, features)
    network: FloatArray | None  # (volumes, rois), the shipped one's predictions
    target: FloatArray  # (volumes, rois)
    arousal: FloatArray  # (volumes, lags)
    sources: FloatArray  # (volumes, rois, rhythms * lags), if nothing were mixed
    onsets_s: FloatArray


def main() -> None:
    """Print the figures of one level."""
    options = parse()
    torch.set_num_threads(1)
    (across if options.how == "across" else within)(options)


def across(options: argparse.Namespace) -> None:
    """Print what transfers to subjects that the ridge has not seen."""
    train_seeds, test_seeds = {
        "field": (FIELD_TRAIN_SEEDS, FIELD_VALIDATION_SEEDS),
        FOREIGN: (FOREIGN_DEVELOPMENT_SEEDS[100:], FOREIGN_DEVELOPMENT_SEEDS),
    }.get(options.level, (TRAIN_SEEDS, VALIDATION_SEEDS))
    train = [subject(options, seed) for seed in train_seeds[: options.train]]
    test = [subject(options, seed) for seed in test_seeds[: options.test]]
    raw, clean = (fitted(train, f) for f in (whole, without_global))
    guess = [predicted(raw, one.features) for one in test]
    say("ridge, raw", mean_r(guess, [one.target for one in test]))
    say("ridge, raw, arousal out of both", mean_r(
        [without(g, one.arousal) for g, one in zip(guess, test, strict=True)],
        [without(one.target, one.arousal) for one in test],
    ))  # fmt: skip
    clean_targets = [without_global(one.target) for one in test]
    say("ridge fitted on raw, scored without global signal",
        mean_r([without_global(g) for g in guess], clean_targets))  # fmt: skip
    own = [predicted(clean, one.features) for one in test]
    say("ridge fitted and scored without global signal", mean_r(own, clean_targets))
    for name, seen in (("seen subjects", train), ("unseen subjects", test)):
        pairs = [(contrast(predicted(raw, one.features)), contrast(one.target))
                 for one in seen]  # fmt: skip
        say(f"contrast {NETWORKS[0]} - {NETWORKS[1]}, {name}", r_of(pairs))
    say("contrast, fitted on itself, unseen", contrast_fit(train, test))
    sources(train, test)
    network(test)


def within(options: argparse.Namespace) -> None:
    """Print what each subject's own ridge reads of it."""
    seeds = {"field": FIELD_VALIDATION_SEEDS, FOREIGN: FOREIGN_DEVELOPMENT_SEEDS}.get(
        options.level, VALIDATION_SEEDS
    )
    people = [subject(options, seed) for seed in seeds[: options.test]]
    for name, target in (("raw", whole), ("without global signal", without_global)):
        say(f"own ridge, {name}", [own_ridge(one, target) for one in people])
    network(people)


def own_ridge(one: Subject, target: From) -> float:
    """Return the mean R of a subject's blocks, each by a ridge on the others."""
    y = target(one.target)
    r = []
    edges = np.linspace(0, len(y), N_BLOCKS + 1).astype(int)
    for first, last in pairwise(edges):
        start_s, end_s = one.onsets_s[first] - GAP_S, one.onsets_s[last - 1] + GAP_S
        before, after = one.onsets_s < start_s, one.onsets_s > end_s
        parts = [part for part in (before, after) if part.sum() > 20]
        halves = [h for part in parts for h in np.array_split(np.flatnonzero(part), 2)]
        table = Table([one.features[h] for h in halves], [y[h] for h in halves])
        guess = predicted(fit_ridge(table), one.features[first:last])
        r.append(pearson_r(guess, y[first:last]).mean())
    return float(np.mean(r))


def sources(train: Sequence[Subject], test: Sequence[Subject]) -> None:
    """Print the bound of perfect unmixing: each region by its own rhythms."""
    r = np.zeros((len(test), train[0].target.shape[1]))
    for roi in range(r.shape[1]):
        rows = Table([s.sources[:, roi] for s in train],
                     [s.target[:, roi : roi + 1] for s in train])  # fmt: skip
        fit = fit_ridge(rows)
        for i, one in enumerate(test):
            guess = predicted(fit, one.sources[:, roi])
            r[i, roi] = pearson_r(guess, one.target[:, roi : roi + 1])[0]
    say("bound, own region's rhythms unmixed", r.mean(axis=1))


def network(people: Sequence[Subject]) -> None:
    """Print what the shipped network reads."""
    if any(one.network is None for one in people):
        return
    guess = [one.network for one in people]
    say("shipped network", mean_r(guess, [one.target for one in people]))
    say("shipped network, without global signal", mean_r(
        [without_global(g) for g in guess],
        [without_global(one.target) for one in people],
    ))  # fmt: skip


def subject(options: argparse.Namespace, seed: int) -> Subject:
    """Make a scan and read it."""
    card = load("demo").card
    settings = simulation_settings(
        seed, options.level, session=options.session,
        duration_s=60 * options.minutes, channels=card.channels,
    )  # fmt: skip
    made = simulate(settings)
    windows, onsets_s = (piped if options.pipeline else cut)(made)
    lowpass = lowpassed(made.bold, settings.tr_s, CUTOFF_HZ)
    rows = np.searchsorted(made.volume_onsets_s, onsets_s - 1e-6)
    model = BandPowerRidge(
        BandPowerRidgeConfig(channels=card.channels, n_rois=64, unmixing="laplacian")
    ).eval()
    lags_s = onsets_s[:, None] - np.arange(1.0, 16.0, 2.0)
    unmixed = source_amplitudes(settings)
    if seed % 1000 < 3:
        marginals(made, windows)
    return Subject(
        features=run(model.features, windows),
        network=run(shipped(), windows) if options.pipeline else None,
        target=lowpass[rows] - lowpass[rows].mean(axis=0),
        arousal=np.interp(onsets_s[:, None] - np.arange(0.0, 20.0, 2.0),
                          made.drive_t_s, made.arousal),
        sources=unmixed.at(lags_s).transpose(2, 0, 1, 3).reshape(len(rows), 64, -1),
        onsets_s=onsets_s,
    )  # fmt: skip


def cut(made: SimulatedRecording) -> tuple[FloatArray, FloatArray]:
    """Return windows and their onsets, without the live pipeline."""
    eeg = made.eeg_uv - made.eeg_uv.mean(axis=0)
    eeg = sosfilt(butter(2, 0.5, "high", fs=200, output="sos"), eeg, axis=1)
    last = np.ceil(made.volume_onsets_s * 200 - 1e-6).astype(int)
    keep = last >= 3200
    windows = np.stack([eeg[:, at - 3200 : at] for at in last[keep]])
    windows -= windows.mean(axis=2, keepdims=True)
    return windows.astype(np.float32), made.volume_onsets_s[keep]


def piped(made: SimulatedRecording) -> tuple[FloatArray, FloatArray]:
    """Return windows and their onsets as the live loop has them."""
    scan = conditioned(as_recording(made), load("demo").card)
    return scan.windows_uv(), scan.onsets_s


@cache
def shipped() -> nn.Module:
    """Return the network of the demo bundle."""
    return load_network(load("demo")).eval()


def run(
    model: Callable[[torch.Tensor], torch.Tensor], windows: FloatArray
) -> FloatArray:
    """Return a model's answers."""
    with torch.inference_mode():
        parts = [model(torch.from_numpy(windows[i : i + 64]))
                 for i in range(0, len(windows), 64)]  # fmt: skip
    return torch.cat(parts).numpy().astype(np.float64)


def marginals(made: SimulatedRecording, windows: FloatArray) -> None:
    """Print what EEG and BOLD look like."""
    power = np.mean(
        np.abs(np.fft.rfft(windows * np.hanning(3200), axis=2)) ** 2, (0, 1)
    )
    hz = np.fft.rfftfreq(3200, 1 / 200)
    fit = ((hz >= 2) & (hz <= 6)) | ((hz >= 14) & (hz <= 45))
    slope = -np.polyfit(np.log(hz[fit]), np.log(power[fit]), 1)[0]
    pieces = windows[:, :, :3200].reshape(len(windows), -1, 8, 400)
    rms = np.median(np.sqrt(np.mean(pieces**2, axis=3)))
    bands = []
    for low, high in ((1, 4), (4, 8), (8, 13), (13, 30), (30, 80)):
        share = power[(hz >= low) & (hz < high)].sum() / power[hz >= 0.5].sum()
        bands.append(f"{np.sqrt(share * np.mean(windows**2)):.1f}")
    kept = np.mean([pearson_r(c[1:, None], c[:-1, None])[0] for c in made.bold.T])
    fc = np.corrcoef(made.bold.T)[np.triu_indices(64, 1)].mean()
    print(f"  {made.settings.title}: EEG {rms:.1f} uV, slope {slope:.2f}, bands "
          f"{' '.join(bands)} uV; BOLD lag-1 {kept:.2f}, mean FC {fc:.2f}")  # fmt: skip


def fitted(train: Sequence[Subject], target: From) -> RidgeFit:
    """Return the ridge on some subjects."""
    return fit_ridge(
        Table([s.features for s in train], [target(s.target) for s in train])
    )


def predicted(fit: RidgeFit, features: FloatArray) -> FloatArray:
    """Return a ridge's answers."""
    return (features - fit.mean) / fit.scale @ fit.weights + fit.bias


def contrast_fit(train: Sequence[Subject], test: Sequence[Subject]) -> list[float]:
    """Return R of a ridge on the contrast alone."""
    fit = fit_ridge(
        Table([s.features for s in train], [contrast(s.target) for s in train])
    )
    return r_of([(predicted(fit, s.features), contrast(s.target)) for s in test])


def contrast(rows: FloatArray) -> FloatArray:
    """Return the mean of one network less that of another, (volumes, 1)."""
    of = np.array([roi.network for roi in read_rois()])
    one, other = (rows[:, of == name].mean(axis=1) for name in NETWORKS)
    return (one - other)[:, None]


def whole(target: FloatArray) -> FloatArray:
    """Return the target as it is."""
    return target


def without_global(target: FloatArray) -> FloatArray:
    """Return the target without the mean over regions, by regression."""
    return without(target, target.mean(axis=1, keepdims=True))


def without(target: FloatArray, regressors: FloatArray) -> FloatArray:
    """Return what regressors leave of a target."""
    x = np.column_stack([np.ones(len(target)), regressors])
    return target - x @ np.linalg.lstsq(x, target, rcond=None)[0]


def mean_r(guess: Sequence[FloatArray], target: Sequence[FloatArray]) -> list[float]:
    """Return the mean R over regions of each subject."""
    return [float(pearson_r(g, t).mean()) for g, t in zip(guess, target, strict=True)]


def r_of(pairs: Pairs) -> list[float]:
    """Return the mean R over columns of each pair."""
    return mean_r([guess for guess, _ in pairs], [target for _, target in pairs])


def say(what: str, r: Sequence[float]) -> None:
    """Print a mean over subjects and its standard error."""
    error = np.std(r, ddof=1) / np.sqrt(len(r))
    print(f"SIMULATED  {np.mean(r):+.3f} +- {error:.3f}  {what}", flush=True)


def parse() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("how", choices=("across", "within"))
    parser.add_argument("level")
    parser.add_argument("--train", type=int, default=16)
    parser.add_argument("--test", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--session", type=int, default=1)
    parser.add_argument("--pipeline", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
