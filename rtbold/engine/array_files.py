"""Windows and predictions as NPY files, for ``rtbold models predict``."""

import io
import zipfile
from pathlib import Path

import numpy as np

from rtbold.bundle.card import Card
from rtbold.engine.records import replace_file
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
        with path.open("rb") as file:  # numpy leaves it open where it fails
            windows = np.load(file, allow_pickle=False)
    except OSError as error:
        raise _unreadable(path, card, error.strerror or "it is cut short") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        # Without numpy's words: they advise to trust the file.
        raise _unreadable(
            path, card, "no NPY file of plain numbers, or cut short"
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
    ConfigError : the place cannot be written.
    """
    file = io.BytesIO()
    np.save(file, array)
    try:
        replace_file(path, file.getvalue())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}; choose another place"
        ) from error


def _unreadable(path: Path, card: Card, why: str) -> DataFileError:
    return DataFileError(
        f"{path} cannot be read as an array: {why}; expected an NPY file (numpy.save) "
        f"of shape (n, {len(card.channels)}, 3200), float32 microvolt"
    )
