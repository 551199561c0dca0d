"""What an inference engine is to the loop."""

from typing import Protocol

from rtbold.messages import Float32Array


class Engine(Protocol):
    """Run one compiled bundle; called once per TR from one thread."""

    name: str  # "openvino", "torch", "ridge", "tensorrt"
    precision: str  # "f32", "bf16", "f16", "int8"

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Predict BOLD from windows.

        Parameters
        ----------
        eeg_uv : (batch, channels, 3200), microvolt, mean of each window removed.

        Returns
        -------
        (batch, rois), model units; a fresh array.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...
