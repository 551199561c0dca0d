"""Check windows made worse: louder, fainter, with noise, muscle, blinks and drift.

A reduced precision may be right on the EEG that it was judged on and wrong beyond it:
int8 clips what is outside its ranges, and says nothing. So it is judged on these, too.
Nobody stored torch's answers to them; the float32 engine gives them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES, Float32Array

GAINS = (0.25, 0.5, 2.0, 4.0)
NOISE_UV = (1.0, 2.0, 5.0)  # sd, white, on every channel
MUSCLE_UV = (10.0, 20.0)  # sd, white, on a temporal pair
SLOW_UV = 100.0
BLINK_S, BLINK_EVERY_S = 0.3, 4.0
# The first pair of which a bundle has both, else its first two channels.
TEMPORAL = (("T7", "T8"), ("T3", "T4"), ("FT9", "FT10"), ("TP9", "TP10"), ("C3", "C4"))
FRONTAL = (("FP1", "FP2"), ("AF7", "AF8"), ("F7", "F8"), ("F3", "F4"))


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """Windows that were all made worse in one way."""

    name: str  # "gain 2", "noise 5 uV", ...
    eeg_uv: Float32Array  # (n, channels, 3200)


def disturbed(eeg_uv: Float32Array, channels: tuple[str, ...]) -> Iterator[Disturbed]:
    """Yield the windows once per disturbance; the same bits each time.

    Their reference is not taken again: whatever the input is, an engine must answer
    what float32 answers.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200) microvolt.
    """
    noise = np.random.default_rng(0).standard_normal(eeg_uv.shape, dtype=np.float32)
    temporal, frontal = _pair(channels, TEMPORAL), _pair(channels, FRONTAL)
    for gain in GAINS:
        yield Disturbed(f"gain {gain:g}", eeg_uv * np.float32(gain))
    for sd_uv in NOISE_UV:
        yield Disturbed(f"noise {sd_uv:g} uV", eeg_uv + np.float32(sd_uv) * noise)
    for sd_uv in MUSCLE_UV:
        added_uv = np.float32(sd_uv) * noise * temporal
        yield Disturbed(f"muscle {sd_uv:g} uV", eeg_uv + added_uv)
    yield Disturbed(f"blinks {SLOW_UV:g} uV", eeg_uv + frontal * _blinks_uv())
    yield Disturbed(f"drift {SLOW_UV:g} uV", eeg_uv + temporal * _drift_uv())


def range_windows(eeg_uv: Float32Array, channels: tuple[str, ...]) -> Float32Array:
    """Return what the ranges of int8 come from: every second window in all its forms.

    The other half is left to judge by.
    """
    worse = (one.eeg_uv[::2] for one in disturbed(eeg_uv, channels))
    return np.concatenate([eeg_uv[::2], *worse])


def _pair(
    channels: tuple[str, ...], pairs: tuple[tuple[str, str], ...]
) -> Float32Array:
    """Return 1 for two channels and 0 for the others, (channels, 1)."""
    upper = [name.upper() for name in channels]
    found = next((pair for pair in pairs if set(pair) <= set(upper)), upper[:2])
    return np.array([[name in found] for name in upper], dtype=np.float32)


def _blinks_uv() -> Float32Array:
    """Return half a sine of 0.3 s every 4 s, mean removed, (3200,)."""
    since_s = np.arange(WINDOW_SAMPLES) / MODEL_RATE_HZ % BLINK_EVERY_S
    wave = np.where(since_s < BLINK_S, np.sin(np.pi * since_s / BLINK_S), 0.0)
    blinks_uv: Float32Array = (SLOW_UV * (wave - wave.mean())).astype(np.float32)
    return blinks_uv


def _drift_uv() -> Float32Array:
    """Return one period of a cosine, (3200,)."""
    turn = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    drift_uv: Float32Array = (SLOW_UV * np.cos(turn)).astype(np.float32)
    return drift_uv
