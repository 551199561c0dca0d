"""The reference engine: the architecture itself, with ``weights.safetensors``.

The other engines are checked against this one. It needs the extra ``calibration``.
"""

import numpy as np

from rtbold.bundle import Bundle
from rtbold.distribution import pip_install
from rtbold.engine.protocol import check_finite, check_windows
from rtbold.errors import BundleError, EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

try:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
except ImportError as _error:
    raise EngineError(
        "engine 'torch' needs torch and safetensors, which are not installed; "
        f"{pip_install('calibration')}, or use --engine openvino"
    ) from _error

from rtbold.models import build

WEIGHTS_FILE = "weights.safetensors"


class TorchEngine:
    """Float32 eager PyTorch on the CPU."""

    name = "torch"
    precision = "f32"

    def __init__(self, bundle: Bundle, *, n_threads: int) -> None:
        self._card = bundle.card
        self._model = load_network(bundle)
        torch.set_num_threads(n_threads)  # of the process: torch has no other way
        n_channels = len(bundle.card.channels)
        self(np.zeros((1, n_channels, WINDOW_SAMPLES), dtype=np.float32))

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Predict (batch, rois) from (batch, channels, 3200) microvolt."""
        check_windows(eeg_uv, self._card)
        try:
            with torch.inference_mode():
                # A copy: torch warns about arrays that it may not write to.
                bold: Float32Array = self._model(torch.tensor(eeg_uv)).numpy()
        except RuntimeError as error:
            raise EngineError(
                f"torch failed on this window: {error}. If it goes on, restart the "
                "session, or try --engine openvino."
            ) from error
        return check_finite(bold.copy(), self.name)

    def close(self) -> None:
        """Free the weights."""
        del self._model


def load_network(bundle: Bundle) -> torch.nn.Module:
    """Return a verified bundle's architecture with its weights, ready to infer.

    Raises
    ------
    BundleError : there are no weights, or they do not fit the architecture.
    """
    card = bundle.card
    model = build(
        card.architecture,
        card.architecture_config,
        channels=card.channels,
        n_rois=len(card.rois),
    )
    try:
        model.load_state_dict(load_file(bundle.file(WEIGHTS_FILE)))
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{WEIGHTS_FILE} of bundle '{card.name}' does not fit its architecture "
            f"'{card.architecture}': {str(error).splitlines()[0]}; export it again"
        ) from error
    return model.eval()
