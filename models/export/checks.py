"""What whoever writes a bundle puts beside the weights: windows to check engines on."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rtbold import bundle as file
from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES, Float32Array
from rtbold.models.spectral import run_by_products

SYNTHETIC_UV = 30.0
_HIGHPASS_HZ = 0.5  # as the live chain's; pink noise has no power limit below
_LOWPASS_HZ = 80.0


def check_file(
    model: nn.Module,
    eeg_uv: Float32Array,
    *,
    channels: Sequence[str] = (),
    rois: Sequence[str] = (),
) -> bytes:
    """Return ``check.npz``: these windows and the answers of `model` in torch.

    Put it into the bundle as ``rtbold.bundle.check_windows.CHECK_NAME`` and say on the
    card where the windows come from (``Card.check``). A recorded window is a piece of
    somebody's EEG; so is the bundle then.

    Parameters
    ----------
    model : as it trains, float32; it is called in evaluation mode.
    eeg_uv : (n, channels, 3200) microvolt, as the live chain makes them; n about 16.
    channels, rois : the card's names in its order; they show what was exchanged.

    Raises
    ------
    ConfigError : fewer than two windows, another shape, or values that are not finite.
    """
    was_training = model.training
    model.eval()
    try:
        return file.pack(
            eeg_uv,
            lambda window: _answer(model, window),
            channels=channels,
            rois=rois,
        )
    finally:
        model.train(was_training)


def _answer(model: nn.Module, window: Float32Array) -> Float32Array:
    with torch.inference_mode():
        bold: Float32Array = model(torch.from_numpy(window.copy())).numpy()
    return bold


def synthetic_windows(n_channels: int, *, n: int = 16, seed: int = 0) -> Float32Array:
    """Return windows of pink noise, for a bundle whose makers gave no EEG.

    Each channel has its own noise, 0.5 to 80 Hz, of 30 uV rms times a factor between
    one half and two that differs by window and channel, so that answers differ too.

    Returns
    -------
    (n, n_channels, 3200) microvolt; the mean of each window and channel removed.
    """
    rng = np.random.default_rng(seed)
    hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / MODEL_RATE_HZ)
    passed = (hz >= _HIGHPASS_HZ) & (hz <= _LOWPASS_HZ)
    gain = np.where(passed, np.maximum(hz, _HIGHPASS_HZ) ** -0.5, 0.0)
    white = rng.standard_normal((n, n_channels, WINDOW_SAMPLES))
    pink = np.fft.irfft(np.fft.rfft(white) * gain, WINDOW_SAMPLES)
    pink /= pink.std(axis=2, keepdims=True)
    factor = 2.0 ** rng.uniform(-1, 1, (n, n_channels, 1))
    windows: Float32Array = (SYNTHETIC_UV * factor * pink).astype(np.float32)
    return windows


# Arithmetic that one window costs, counted from the operators that run.


def flops_per_window(model: nn.Module, n_channels: int) -> int:
    """Return the floating-point operations of one window, a multiply-add being two.

    Counted are matrix products, convolutions and attention, which are nearly all; not
    the element-wise rest. Spectra count as the products that exported models run.
    """
    model = copy.deepcopy(model).eval()
    run_by_products(model)
    window = torch.zeros(1, n_channels, WINDOW_SAMPLES)
    counter = FlopCounterMode(display=False)
    # The fused CPU attention has no count; its plain form has the same products.
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        model(window)
    return int(counter.get_total_flops())


def parameter_count(model: nn.Module) -> int:
    """Return how many numbers are learned."""
    return sum(parameter.numel() for parameter in model.parameters())
