"""The check windows that a bundle carries, ``check.npz``: what every engine must give.

Windows are stored as 16-bit counts of a step, so that the file stays small. The answers
beside them are the reference engine's to the windows as they come back from the file,
so rounding is no part of any deviation.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtbold.bundle.card import Card
from rtbold.bundle.store import Bundle
from rtbold.errors import BundleError, ConfigError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

CHECK_NAME = "check.npz"
STEP_UV = 0.01  # far below the noise of an amplifier
MOST_BYTES = 500_000_000  # unpacked; a hostile archive is not to fill the memory
_MOST_COUNTS = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True, eq=False)
class CheckSet:
    """Windows and the reference engine's answers to them."""

    eeg_uv: Float32Array  # (n, channels, 3200)
    bold: Float32Array  # (n, rois), model units

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.eeg_uv)

    def some(self, n: int) -> "CheckSet":
        """Return at most `n` of the windows, spread over all of them."""
        if n >= len(self):
            return self
        chosen = spread(len(self), n)
        return CheckSet(self.eeg_uv[chosen], self.bold[chosen])


def spread(n_all: int, n: int) -> np.ndarray:
    """Return at most `n` of the places 0 to n_all - 1, evenly spread, (n,)."""
    return np.linspace(0, n_all - 1, min(n, n_all)).round().astype(int)


def pack(
    eeg_uv: Float32Array, reference: Callable[[Float32Array], Float32Array]
) -> bytes:
    """Return ``check.npz`` for these windows.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200) microvolt, two or more windows, all finite.
    reference : (1, channels, 3200) -> (1, rois); asked for the rounded windows.

    Raises
    ------
    ConfigError : fewer than two windows, another shape, or values that are not finite.
    """
    if eeg_uv.ndim != 3 or eeg_uv.shape[2] != WINDOW_SAMPLES or len(eeg_uv) < 2:
        raise ConfigError(
            f"check windows have shape {eeg_uv.shape}, expected (n, channels, "
            f"{WINDOW_SAMPLES}) with two or more windows"
        )
    if not np.isfinite(eeg_uv).all():
        raise ConfigError(
            "check windows hold values that are not finite; choose others"
        )
    largest_uv = np.abs(eeg_uv).max(axis=(1, 2))
    step_uv = np.maximum(STEP_UV, largest_uv / _MOST_COUNTS).astype(np.float32)
    counts = np.rint(eeg_uv / step_uv[:, None, None])
    counts = np.clip(counts, -_MOST_COUNTS, _MOST_COUNTS).astype(np.int16)
    rounded_uv = _windows(counts, step_uv)
    bold = np.concatenate([reference(window[None]) for window in rounded_uv])
    file = io.BytesIO()
    np.savez_compressed(
        file, counts=counts, step_uv=step_uv, bold=bold.astype(np.float32)
    )
    return file.getvalue()


def read_check(bundle: Bundle) -> CheckSet | None:
    """Return the check windows of a bundle; None if it carries none.

    Raises
    ------
    BundleError : the file is not what a bundle's check windows are.
    """
    if CHECK_NAME not in {entry.path for entry in bundle.card.files}:
        return None
    return unpack(bundle.file(CHECK_NAME).read_bytes(), bundle.card)


def unpack(data: bytes, card: Card) -> CheckSet:
    """Return the windows and answers of ``check.npz``.

    Raises
    ------
    BundleError : unreadable, too large, or of another shape than the card's model.
    """
    try:
        unpacked = sum(
            entry.file_size for entry in zipfile.ZipFile(io.BytesIO(data)).infolist()
        )
        if unpacked > MOST_BYTES:
            raise ValueError(f"{unpacked} bytes unpacked, at most {MOST_BYTES}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            counts, step_uv = arrays["counts"], arrays["step_uv"]
            bold = arrays["bold"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _broken(card, str(error)) from error
    n = len(counts) if counts.ndim else 0
    expected: dict[str, tuple[object, tuple[int, ...]]] = {
        "counts": (np.int16, (n, len(card.channels), WINDOW_SAMPLES)),
        "step_uv": (np.float32, (n,)),
        "bold": (np.float32, (n, len(card.rois))),
    }
    found = {"counts": counts, "step_uv": step_uv, "bold": bold}
    for name, (kind, shape) in expected.items():
        if found[name].dtype != kind or found[name].shape != shape or n < 2:
            what = f"{name} is {found[name].dtype} {found[name].shape}"
            raise _broken(card, f"{what}, expected {shape}, two or more windows")
    if not (np.isfinite(step_uv).all() and np.isfinite(bold).all()):
        raise _broken(card, "it holds values that are not finite")
    return CheckSet(_windows(counts, step_uv), bold)


def _windows(counts: np.ndarray, step_uv: np.ndarray) -> Float32Array:
    windows: Float32Array = counts.astype(np.float32) * step_uv[:, None, None]
    return windows


def _broken(card: Card, what: str) -> BundleError:
    return BundleError(
        f"{CHECK_NAME} of bundle '{card.name}' cannot be used: {what}; make the bundle "
        "again with this version of rtbold"
    )
