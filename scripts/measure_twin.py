"""Measure the twin: ridge, oracle, ceiling on simulated subjects (docs/data/twin.md).

    python scripts/measure_twin.py --level hard

Everything printed is about SIMULATED data. Training seeds fit, validation seeds score;
test seeds are never touched here.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from rtbold.sim.haemodynamics import filtered_target
from rtbold.sim.noise import standardised
from rtbold.sim.seeds import TRAIN_SEEDS, VALIDATION_SEEDS
from rtbold.sim.settings import LEVEL_NAMES, TwinSettings
from rtbold.sim.twin import TwinRecording, simulate

Array = NDArray[np.float64]
WINDOW = 3200
SEGMENT = 400
BANDS_HZ = ((1, 4), (4, 8), (8, 13), (13, 30), (30, 45))
PENALTIES = 10.0 ** np.arange(1, 7)
SKIP_VOLUMES = 8  # the first 16 s have no whole window
GAP_VOLUMES = 10  # 20 s between training and test within a subject


def band_power(recording: TwinRecording) -> Array:
    """Return (volumes, features): log power by channel, 2 s lag and band, z-scored.

    The z-score runs over the whole session, which a live loop cannot do: it flatters
    the linear model a little.
    """
    eeg = recording.eeg_uv - recording.eeg_uv.mean(axis=0)
    ends = np.ceil(recording.volume_onsets_s[SKIP_VOLUMES:] * 200.0).astype(int)
    windows = np.stack([eeg[:, end - WINDOW : end] for end in ends])
    pieces = windows.reshape(*windows.shape[:2], -1, SEGMENT) * np.hanning(SEGMENT)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    freqs_hz = np.fft.rfftfreq(SEGMENT, 1 / 200.0)
    bands = [
        power[..., (freqs_hz >= low) & (freqs_hz < high)].mean(axis=-1)
        for low, high in BANDS_HZ
    ]
    features = np.log(np.stack(bands, axis=-1) + 1e-6).reshape(len(ends), -1)
    return standardised(features.T).T


def lagged_drive(recording: TwinRecording, roi: int) -> Array:
    """Return (volumes, lags) of one region's true drive over the same 16 s."""
    lags_s = np.arange(0.0, 16.0, 1.0)
    times_s = recording.volume_onsets_s[SKIP_VOLUMES:, None] - lags_s
    return np.interp(times_s, recording.drive_t_s, recording.drive[roi])


def target_of(recording: TwinRecording) -> Array:
    """Return the z-scored filtered target, without the first volumes."""
    filtered = filtered_target(recording.bold, recording.settings.tr_s)
    return standardised(filtered[SKIP_VOLUMES:].T).T


def ridge_path(x: Array, y: Array) -> list[Array]:
    """Return the weights for each penalty."""
    values, vectors = np.linalg.eigh(x.T @ x)
    projected = vectors.T @ (x.T @ y)
    return [vectors @ (projected / (values[:, None] + p)) for p in PENALTIES]


def correlations(predicted: Array, target: Array) -> Array:
    """Return R per column; 0 where a prediction does not vary."""
    return (standardised(predicted.T) * standardised(target.T)).mean(axis=1)


def across(xs: list[Array], ys: list[Array], n_train: int) -> tuple[Array, Array]:
    """Fit on the first subjects; return R (subjects, rois) and the same, shuffled.

    The penalty is chosen on the last quarter of the training subjects.
    """
    n_inner = n_train - max(1, n_train // 4)
    inner = ridge_path(np.concatenate(xs[:n_inner]), np.concatenate(ys[:n_inner]))
    scores = [
        np.mean(
            [correlations(xs[i] @ w, ys[i]).mean() for i in range(n_inner, n_train)]
        )
        for w in inner
    ]
    best = int(np.argmax(scores))
    x, y = np.concatenate(xs[:n_train]), np.concatenate(ys[:n_train])
    weights = ridge_path(x, y)[best]
    unseen = range(n_train, len(xs))
    true = [correlations(xs[i] @ weights, ys[i]) for i in unseen]
    others = [unseen[(k + 1) % len(unseen)] for k in range(len(unseen))]
    shuffled = [
        correlations(xs[i] @ weights, ys[j])
        for i, j in zip(unseen, others, strict=True)
    ]
    return np.array(true), np.array(shuffled)


def within(x: Array, y: Array) -> float:
    """Fit on the first 80 % of a session, score on its end, 20 s apart."""
    n_fit = int(0.8 * len(x))
    n_inner = int(0.8 * n_fit)
    inner = ridge_path(x[: n_inner - GAP_VOLUMES], y[: n_inner - GAP_VOLUMES])
    held = slice(n_inner, n_fit - GAP_VOLUMES)
    best = int(np.argmax([correlations(x[held] @ w, y[held]).mean() for w in inner]))
    weights = ridge_path(x[: n_fit - GAP_VOLUMES], y[: n_fit - GAP_VOLUMES])[best]
    return float(correlations(x[n_fit:] @ weights, y[n_fit:]).mean())


def oracle(recordings: list[TwinRecording], ys: list[Array], n_train: int) -> float:
    """Ridge on the region's own true drive, fitted across subjects."""
    scores = []
    for roi in range(ys[0].shape[1]):
        xs = [lagged_drive(r, roi) for r in recordings]
        rows = [y[:, [roi]] for y in ys]
        scores.append(across(xs, rows, n_train)[0].mean())
    return float(np.mean(scores))


def ceiling(recordings: list[TwinRecording], ys: list[Array]) -> float:
    """R of the noise-free neural BOLD with the measured one, both filtered."""
    scores = []
    for recording, y in zip(recordings, ys, strict=True):
        clean = filtered_target(recording.bold_truth, recording.settings.tr_s)
        scores.append(correlations(clean[SKIP_VOLUMES:], y).mean())
    return float(np.mean(scores))


def main() -> None:
    """Measure one level and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=LEVEL_NAMES, default="hard")
    parser.add_argument("--train", type=int, default=8)
    parser.add_argument("--unseen", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    started_s = time.perf_counter()
    seeds = [*TRAIN_SEEDS[: arguments.train], *VALIDATION_SEEDS[: arguments.unseen]]
    recordings = [
        simulate(
            TwinSettings(
                seed=seed, level=arguments.level, duration_s=60 * arguments.minutes
            )
        )
        for seed in seeds
    ]
    ys = [target_of(r) for r in recordings]
    xs = [band_power(r) for r in recordings]
    unseen = slice(arguments.train, None)
    true, shuffled = across(xs, ys, arguments.train)
    names = recordings[0].roi_names
    declared = [names.index(n) for n in recordings[0].declared_rois]
    print(f"SIMULATED, level {arguments.level}; mean R over {len(names)} ROIs")
    print(f"  train {arguments.train} subjects, unseen {arguments.unseen}")
    print("  mean predictor, constant EEG   0 (a constant has no R)")
    print(f"  shuffled pairing               {shuffled.mean():.3f}")
    within_r = np.mean([within(x, y) for x, y in zip(xs, ys, strict=True)])
    print(f"  ridge within subject           {within_r:.3f}")
    print(f"  ridge across subjects          {true.mean():.3f}")
    if declared:
        print(f"  ridge across, declared ROIs    {true[:, declared].mean():.3f}")
    oracle_r = oracle(recordings, ys, arguments.train)
    ceiling_r = ceiling(recordings[unseen], ys[unseen])
    print(f"  oracle on the true drive       {oracle_r:.3f}")
    print(f"  noise ceiling                  {ceiling_r:.3f}")
    best = np.argsort(-true.mean(axis=0))
    print("  best ROIs:", [(names[i], round(true[:, i].mean(), 2)) for i in best[:5]])
    print("  worst ROIs:", [(names[i], round(true[:, i].mean(), 2)) for i in best[-5:]])
    print(f"  took {time.perf_counter() - started_s:.0f} s")


if __name__ == "__main__":
    main()
