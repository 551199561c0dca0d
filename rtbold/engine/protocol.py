"""What an inference engine is to the loop."""

from typing import Protocol

import msgspec

from rtbold.messages import Float32Array


class Engine(Protocol):
    """Run one compiled bundle; called once per TR from one thread."""

    name: str  # "openvino", "torch", "tensorrt"
    precision: str  # "f32", "tf32", "bf16", "f16", "int8"

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


class EngineUsed(msgspec.Struct, frozen=True, kw_only=True):
    """What ran, as a recording keeps it: a replay is bit-identical only with the same.

    The same machine is needed too; nobody can write that down.
    """

    name: str
    precision: str
    n_threads: int
    file_sha256: str = ""  # of the model's file, where the engine has one

    def __str__(self) -> str:
        """Return it as a person reads it."""
        threads = f", {self.n_threads} CPU threads" if self.n_threads > 1 else ""
        return f"{self.name} {self.precision}{threads}"
