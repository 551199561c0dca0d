"""The check windows that a bundle carries, ``check.npz``: what every engine must give.

Windows are stored as 16-bit counts of a step, so that the file stays small. The answers
beside them are the reference engine's to the windows as they come back from the file,
so rounding is no part of any deviation. The names of the channels and ROIs lie beside
them, too: a card that names them otherwise is not this model's.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rtbold.arrays import read_npz
from rtbold.bundle.card import Card
from rtbold.disk import open_file, read_file
from rtbold.errors import BundleError, ConfigError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

if TYPE_CHECKING:
    from rtbold.bundle.store import Bundle

CHECK_NAME = "check.npz"
STEP_UV = 0.01  # far below the noise of an amplifier
MOST_BYTES = 500_000_000  # unpacked; a hostile archive is not to fill the memory
_MOST_COUNTS = np.iinfo(np.int16).max
_NAMES = ("channels", "rois")
_ARRAYS = ("counts", "step_uv", "bold", *_NAMES)


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
    eeg_uv: Float32Array,
    reference: Callable[[Float32Array], Float32Array],
    *,
    channels: Sequence[str] = (),
    rois: Sequence[str] = (),
) -> bytes:
    """Return ``check.npz`` for these windows.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200) microvolt, two or more windows, all finite.
    reference : (1, channels, 3200) -> (1, rois); asked for the rounded windows.
    channels, rois : names in the order of the arrays; a card must have the same.

    Raises
    ------
    ConfigError : fewer than two windows, another shape, values that are not finite, or
        names of another number.
    """
    _check_storable(eeg_uv)
    largest_uv = np.abs(eeg_uv).max(axis=(1, 2))
    step_uv = np.maximum(STEP_UV, largest_uv / _MOST_COUNTS).astype(np.float32)
    counts = np.rint(eeg_uv / step_uv[:, None, None])
    counts = np.clip(counts, -_MOST_COUNTS, _MOST_COUNTS).astype(np.int16)
    rounded_uv = _windows(counts, step_uv)
    bold = np.concatenate([reference(window[None]) for window in rounded_uv])
    _check_number("channels", channels, eeg_uv.shape[1])
    _check_number("rois", rois, bold.shape[1])
    file = io.BytesIO()
    np.savez_compressed(
        file,
        counts=counts,
        step_uv=step_uv,
        bold=bold.astype(np.float32),
        channels=np.array(channels, dtype=np.str_),
        rois=np.array(rois, dtype=np.str_),
    )
    return file.getvalue()


def _check_storable(eeg_uv: Float32Array) -> None:
    if eeg_uv.ndim != 3 or eeg_uv.shape[2] != WINDOW_SAMPLES or len(eeg_uv) < 2:
        raise ConfigError(
            f"check windows have shape {eeg_uv.shape}, expected (n, channels, "
            f"{WINDOW_SAMPLES}) with two or more windows"
        )
    if not np.isfinite(eeg_uv).all():
        raise ConfigError(
            "check windows hold values that are not finite; choose others"
        )


def _check_number(what: str, names: Sequence[str], n: int) -> None:
    if len(names) not in (0, n):
        raise ConfigError(
            f"check windows have {n} {what}, {len(names)} names were given; give one "
            "for each"
        )


def read_check(bundle: "Bundle") -> CheckSet | None:
    """Return the check windows of a bundle; None if it carries none.

    Raises
    ------
    BundleError : the file is not what a bundle's check windows are.
    """
    if CHECK_NAME not in {entry.path for entry in bundle.card.files}:
        return None
    file = bundle.file(CHECK_NAME)
    try:
        data = read_file(file, at_most_bytes=MOST_BYTES, inside=bundle.path)
    except OSError as error:
        raise _broken(bundle.card, error.strerror or str(error)) from error
    return unpack(data, bundle.card)


def unpack(data: bytes, card: Card) -> CheckSet:
    """Return the windows and answers of ``check.npz``.

    Raises
    ------
    BundleError : unreadable, too large, of another shape than the card's model, or made
        for channels or ROIs of other names.
    """
    try:
        arrays = read_npz(io.BytesIO(data), _ARRAYS, at_most_bytes=MOST_BYTES)
        counts, step_uv = arrays["counts"], arrays["step_uv"]
        bold = arrays["bold"]
    except KeyError as error:
        raise _broken(card, f"it holds no {error}") from error
    except ValueError as error:
        raise _broken(card, str(error)) from error
    _compare_names(arrays, card)
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


def check_names(file: Path, card: Card) -> None:
    """Refuse a card that names channels or ROIs otherwise than its check windows do.

    A file that cannot be read is left to `read_check`, which says so.

    Raises
    ------
    BundleError : says which name is another.
    """
    try:
        with open_file(file, at_most_bytes=MOST_BYTES) as stream:
            names = read_npz(stream, _NAMES, at_most_bytes=MOST_BYTES)
    except (OSError, ValueError):
        return
    _compare_names(names, card)


def _compare_names(arrays: Mapping[str, np.ndarray], card: Card) -> None:
    """Find names that were exchanged, which leaves every number as it was.

    Files from before names stood in them have none.
    """
    for what, told in zip(_NAMES, (card.channels, card.rois), strict=True):
        if what not in arrays or arrays[what].size == 0:
            continue
        made_for = [str(name) for name in arrays[what].ravel()]
        for at, (there, here) in enumerate(zip_longest(made_for, told), start=1):
            if there != here:
                raise BundleError(
                    f"{CHECK_NAME} of bundle '{card.name}' was made for other {what} "
                    f"than its card names: number {at} is {there!r} there and {here!r} "
                    "on the card. Do not use this bundle: copy it again from where it "
                    "was made, or make it again."
                )


def _windows(counts: np.ndarray, step_uv: np.ndarray) -> Float32Array:
    windows: Float32Array = counts.astype(np.float32) * step_uv[:, None, None]
    return windows


def _broken(card: Card, what: str) -> BundleError:
    return BundleError(
        f"{CHECK_NAME} of bundle '{card.name}' cannot be used: {what}; make the bundle "
        "again with this version of rtbold"
    )
