"""What an inference engine is to the loop."""

from typing import Protocol

import msgspec
import numpy as np

from rtbold.bundle import Card
from rtbold.errors import EngineError
from rtbold.messages import WINDOW_SAMPLES, Float32Array


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


# What goes into an engine and what comes out of it, checked the same way for all.


def check_windows(eeg_uv: Float32Array, card: Card) -> None:
    """Refuse windows that the model was not made for.

    Raises
    ------
    EngineError : not float32, not (batch, channels, 3200), or no window at all.
    """
    expected = f"(batch, {len(card.channels)}, {WINDOW_SAMPLES})"
    if eeg_uv.dtype != np.float32:
        raise EngineError(
            f"windows are {eeg_uv.dtype}, expected float32 microvolt of shape "
            f"{expected}; convert with windows.astype(numpy.float32)"
        )
    if eeg_uv.ndim != 3 or eeg_uv.shape[1:] != (len(card.channels), WINDOW_SAMPLES):
        raise EngineError(
            f"windows have shape {eeg_uv.shape}, expected {expected}: the channels of "
            f"bundle '{card.name}' in its order, 16 s at 200 Hz"
        )
    if eeg_uv.shape[0] == 0:
        raise EngineError("there is no window in the batch, expected one or more")


def check_finite(bold: Float32Array, engine: str, *, reduced: str = "") -> Float32Array:
    """Return `bold`, or refuse it: a number that is none must never be shown.

    Parameters
    ----------
    reduced : the precision, where it is not float32.

    Raises
    ------
    EngineError : an output is NaN or infinite.
    """
    if not np.isfinite(bold).all():
        n_bad = int(np.sum(~np.isfinite(bold)))
        found = f"{n_bad} of {bold.size} values that are not finite"
        if reduced:
            raise EngineError(
                f"{engine} {reduced} answered {found}; the window is not finite, or "
                f"{reduced} cannot hold the bundle's numbers. Use --precision f32 or "
                "auto"
            )
        raise EngineError(
            f"{engine} answered {found}; the "
            "window is not finite or the bundle is broken. Check the EEG's unit and "
            "channels, then: rtbold doctor --model BUNDLE"
        )
    return bold
