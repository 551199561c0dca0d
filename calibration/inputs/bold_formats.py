"""4D NIfTI and an atlas: the mean signal of each region, by nilearn."""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import ConfigError, DataFileError
from rtbold.io.extras import require

Image = Any  # nibabel's; it carries no types
_PER_SECOND = {"sec": 1.0, "msec": 1e3, "usec": 1e6}
_TABLES = (".tsv", ".csv", ".txt")
_NAME_COLUMNS = ("name", "label", "region", "difumo_names")


def read_image(path: Path, atlas: Path | None) -> RawTable:
    """Read a 4D image and average it over the regions of an atlas.

    Neither filtered nor scaled. An atlas on another grid is resampled to the image's;
    that both are in one space (MNI, or the subject's) only the user can know.

    Parameters
    ----------
    atlas : 3D image of labels, or 4D image of maps. A table of the same name beside it
        gives the regions' names (columns index and name, as in BIDS; or names alone).

    Raises
    ------
    ConfigError : no atlas was given.
    DataFileError : an image cannot be read or has another shape.
    """
    if atlas is None:
        raise ConfigError(
            f"{path.name} is an image, expected an atlas with it that says where the "
            "ROIs are. Give one: --atlas FILE.nii.gz"
        )
    image, regions = _load(path), _load(atlas)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise DataFileError(
            f"{path.name} has shape {image.shape}, expected a series of volumes (4D)."
        )
    values, labels, warned = _averaged(path, image, regions)
    names, note = _names(atlas, labels)
    tr_s = _tr_s(image)
    notes = [f"regions of {atlas.name} by nilearn", note, *warned]
    if regions.shape[:3] != image.shape[:3]:
        notes.append(f"{atlas.name} was resampled to the grid of {path.name}")
    return RawTable(
        values=values, names=names, tr_s=tr_s, notes=tuple(n for n in notes if n)
    )


def _load(path: Path) -> Image:
    nibabel = require("nibabel", extra="calibration", purpose="reading NIfTI")
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a NIfTI image. Check the path."
        )
    try:
        return nibabel.load(path)
    except Exception as error:  # nibabel raises what the damage leads to
        raise DataFileError(
            f"{path.name} cannot be read as NIfTI ({type(error).__name__}: {error}), "
            "expected .nii or .nii.gz. Copy it again."
        ) from error


def _averaged(
    path: Path, image: Image, regions: Image
) -> tuple[np.ndarray, list[int], list[str]]:
    """Return (volumes, regions), the atlas's own numbers of them, and notes."""
    maskers = require(
        "nilearn.maskers", extra="calibration", purpose="averaging over an atlas"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if len(regions.shape) == 4:
                masker = maskers.NiftiMapsMasker(regions, standardize=None)
                values = masker.fit_transform(image)
                labels = list(range(1, regions.shape[3] + 1))
            else:
                masker = maskers.NiftiLabelsMasker(
                    regions, standardize=None, keep_masked_labels=False
                )
                values = masker.fit_transform(image)
                held = masker.region_ids_
                labels = [int(held[k]) for k in held if k != "background"]
        except Exception as error:
            raise DataFileError(
                f"nilearn cannot average {path.name} over the atlas "
                f"({type(error).__name__}: {error}). Are both images whole, and in one "
                "space?"
            ) from error
    quiet = DeprecationWarning | FutureWarning
    texts = [
        str(w.message).strip() for w in caught if not issubclass(w.category, quiet)
    ]
    return np.asarray(values, np.float64), labels, list(dict.fromkeys(texts))


def _names(atlas: Path, labels: list[int]) -> tuple[tuple[str, ...], str]:
    """Return names for the atlas's numbers, if a table beside it has them."""
    stem = atlas.name.removesuffix(".gz").removesuffix(".nii")
    for suffix in _TABLES:
        table = atlas.with_name(stem + suffix)
        if table.is_file():
            return _from_table(table, labels), f"region names from {table.name}"
    return tuple(f"roi-{label}" for label in labels), (
        f"no table of names beside {atlas.name}: regions are called by their numbers"
    )


def _from_table(table: Path, labels: list[int]) -> tuple[str, ...]:
    text = table.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = next((d for d in "\t,;" if d in first), "\n")
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    header = [cell.strip().casefold() for cell in rows[0]]
    column = next((header.index(n) for n in _NAME_COLUMNS if n in header), None)
    if column is None:  # names alone, one a line
        names = dict(enumerate((row[-1].strip() for row in rows), start=1))
    elif header[0] == "index" or header[0] == "component":
        names = {int(float(row[0])): row[column].strip() for row in rows[1:]}
    else:
        names = dict(enumerate((row[column].strip() for row in rows[1:]), start=1))
    missing = [label for label in labels if label not in names]
    if missing:
        raise DataFileError(
            f"{table.name} has no name for the regions {missing[:5]} of its atlas, "
            "expected one for each. Mend it, or move it away."
        )
    return tuple(names[label] for label in labels)


def _tr_s(image: Image) -> float | None:
    """Return the header's TR; None where it says nothing believable."""
    step = float(image.header.get_zooms()[3])
    tr_s = step / _PER_SECOND.get(image.header.get_xyzt_units()[1], 1.0)
    return tr_s if 0.1 <= tr_s <= 20 else None
