"""Windows and predictions as NPY files, for ``rtbold models predict``."""

import os
from pathlib import Path

import numpy as np

from rtbold.card import Card
from rtbold.engine.windows import check_windows
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import Float32Array


def read_windows(path: Path, card: Card) -> Float32Array:
    """Return (n, channels, 3200) float32 microvolt, all finite.

    Raises
    ------
    DataFileError : missing, no NPY file, truncated, pickled, or not finite.
    EngineError : another shape or type than the bundle takes.
    """
    try:
        windows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(
            f"{path} cannot be read as an array: {error}; expected an NPY file of "
            f"shape (n, {len(card.channels)}, 3200), float32 microvolt"
        ) from error
    if not isinstance(windows, np.ndarray):
        windows.close()
        raise DataFileError(
            f"{path} is an archive of several arrays, expected one NPY array; "
            "save it with numpy.save"
        )
    check_windows(windows, card)
    if not np.isfinite(windows).all():
        bad = np.argwhere(~np.isfinite(windows).all(axis=2))[0]
        raise DataFileError(
            f"{path} holds values that are not finite, first in window {bad[0]}, "
            f"channel {card.channels[bad[1]]}; interpolate or leave out such windows"
        )
    checked: Float32Array = windows
    return checked


def write_array(path: Path, array: Float32Array) -> None:
    """Write an NPY file, whole or not at all.

    Raises
    ------
    ConfigError : the folder does not exist.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is no folder; create it or choose another")
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as stream:
            np.save(stream, array)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
