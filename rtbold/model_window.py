"""From conditioned stream channels to what the model sees."""

import numpy as np

from rtbold.messages import Float32Array, FloatArray


def model_channels(matrix: FloatArray, samples_uv: Float32Array) -> FloatArray:
    """Return the model's channels, (model channels, n), float64.

    Parameters
    ----------
    matrix : (model channels, stream channels), of the spatial plan.
    samples_uv : (stream channels, n), conditioned.
    """
    # einsum and not matmul: its sums do not depend on the number of threads
    mixed_uv: FloatArray = np.einsum("mc,cs->ms", matrix, samples_uv.astype(np.float64))
    return mixed_uv


def model_window(
    matrix: FloatArray, samples_uv: Float32Array, *, remove_mean: bool
) -> Float32Array:
    """Return one window for the engine, (model channels, 3200), float32.

    Bad channels are interpolated by `matrix`; the last step removes each channel's
    mean over the window, where the card says so.
    """
    window_uv = model_channels(matrix, samples_uv)
    if remove_mean:
        window_uv -= window_uv.mean(axis=1, keepdims=True)
    return window_uv.astype(np.float32)
