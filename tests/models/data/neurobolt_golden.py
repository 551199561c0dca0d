# ruff: noqa: E501, I001, RUF021  (kept as it was when the values were drawn)
"""Weights drawn from each tensor's own name, and EEG windows from a seed.

neurobolt_golden.json holds what the published code (soupeeli/NeuroBOLT b51b966, eval mode, one ROI,
the 26 published channels in order) answered for them: three windows, one value each. The 294 names and
shapes are in neurobolt_checkpoint_keys.json; `index` and `positional_encoding` are not drawn.
The published code gets the windows divided by 100.
"""

import zlib
import numpy as np

VU = (
    "FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T7 T8 P7 P8 FPZ FZ CZ PZ POZ OZ FT9 FT10 TP9 TP10"
).split()


def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw one float32 tensor; norms and gains sit around 1, everything else around 0."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    x = rng.standard_normal(shape)
    if "norm" in name and name.endswith("weight") or name.endswith(".norm.weight"):
        return (1 + 0.1 * x).astype("float32")
    if "gamma" in name:
        return (0.3 + 0.1 * x).astype("float32")
    return (0.08 * x).astype("float32")


def eeg_uv(n_channels: int, n_windows: int = 3, seed: int = 7) -> np.ndarray:
    """Pink-ish EEG windows in microvolt, (windows, channels, 3200)."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((n_windows, n_channels, 3200)))
    f = np.fft.rfftfreq(3200, 1 / 200)
    spectrum *= 1 / np.sqrt(np.maximum(f, 0.5))
    x = np.fft.irfft(spectrum, 3200)
    return (30 * x / x.std()).astype("float32")
