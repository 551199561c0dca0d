"""Measured BOLD as an image: averaged over the regions of an atlas."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtbold.calibration.inputs.bold_paths import lacks_atlas
from rtbold.calibration.inputs.bold_series import RawTable, gaps
from rtbold.calibration.inputs.region_names import names_beside
from rtbold.errors import DataFileError
from rtbold.files import check_declared_size, require
from rtbold.messages import FloatArray

Image = Any  # nibabel's; it carries no types
_PER_SECOND: Final = {"sec": 1.0, "msec": 1e3, "usec": 1e6}
_WHOLE: Final = 1e-3  # off a whole number: integers that were scaled
_TOLD: Final = 6  # ROIs in a note
_EDGE: Final = 0.02  # of a region; less is the edge of a grid


def read_image(path: Path, atlas: Path | None) -> RawTable:
    """Read a 4D image and average it over the regions of an atlas.

    Neither filtered nor scaled. A voxel that is missing at some volume is left out of
    its region, and told. An atlas on another grid is resampled to the image's; that
    both are in one space (MNI, or the subject's) only the user can know.

    Parameters
    ----------
    atlas : labels (3D) or maps (4D); names beside it: see `names_beside`.

    Raises
    ------
    ConfigError : no atlas was given.
    DataFileError : an image is none, labels are no whole numbers, or names do not fit.
    """
    if atlas is None:
        raise lacks_atlas(path)
    image, regions = _load(path), _load(atlas)
    series = _series(path, image)
    parts = _parts(atlas, regions)
    names, told = names_beside(atlas, parts.labels, maps=parts.are_maps)
    _refuse_negative(atlas, parts.labels, names)
    notes = [f"regions of {atlas.name}", told, *series.notes]
    if not _same_grid(image, regions):
        notes += _told_of_grids(
            (path, image), (atlas, regions), parts=parts, names=names
        )
        parts = _resampled(atlas, parts, regions, image)
    found = _by_maps(series, parts) if parts.are_maps else _by_labels(series, parts)
    kept = [k for k, n in enumerate(found.n_voxels) if n]
    if not kept:
        raise DataFileError(
            f"no region of {atlas.name} has a voxel that was measured in {path.name}, "
            "expected both in one space. Was the atlas made for another one?"
        )
    return RawTable(
        values=found.values[:, kept],
        names=tuple(names[k] for k in kept),
        tr_s=series.tr_s,
        notes=(*notes, *_losses(atlas, names, found)),
    )


def _same_grid(image: Image, regions: Image) -> bool:
    same_shape = regions.shape[:3] == image.shape[:3]
    return same_shape and bool(np.allclose(regions.affine, image.affine, atol=1e-4))


def _told_of_grids(
    bold: tuple[Path, Image],
    atlas: tuple[Path, Image],
    *,
    parts: "_Parts",
    names: Sequence[str],
) -> list[str]:
    """Return what is said of an atlas that is brought to the grid of an image."""
    _refuse_without_place(bold, atlas)
    (path, image), (given, regions) = bold, atlas
    shares = _shares_outside(parts, regions, image)
    resampled = f"{given.name} was resampled to the grid of {path.name}"
    return [resampled, *_reaching_out(path, names, shares)]


def _refuse_without_place(*images: tuple[Path, Image]) -> None:
    """Refuse images that are to be put on one another and do not say where they lie."""
    for path, image in images:
        codes = [image.header.get(key) for key in ("sform_code", "qform_code")]
        if codes == [0, 0]:
            raise DataFileError(
                f"{path.name} does not say where it lies (its sform and qform codes "
                "are 0) and is on another grid than the other image, expected both "
                "on one grid or in one space. Resample the atlas to the image first."
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


def _numbers(path: Path, image: Image) -> np.ndarray:
    check_declared_size(path, 4 * int(np.prod(image.shape, dtype=object)))
    try:
        data: np.ndarray = np.asanyarray(image.dataobj)
    except Exception as error:
        raise DataFileError(
            f"{path.name} breaks off or is damaged ({type(error).__name__}: {error}), "
            "expected a whole image. Copy it again."
        ) from error
    if data.dtype.kind not in "fiu":
        raise DataFileError(
            f"{path.name} holds {data.dtype}, expected real numbers. Save it as float "
            "or integer."
        )
    return data


# The series of volumes.


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    data: np.ndarray  # (x, y, z, volumes)
    tr_s: float | None
    notes: tuple[str, ...] = ()


def _series(path: Path, image: Image) -> _Series:
    """Return the volumes and the TR; an axis of length 1 too many is left out.

    Raises
    ------
    DataFileError : it is no series of volumes.
    """
    shape, tr_s, notes = tuple(image.shape), _tr_s(image), []
    four = (*shape[:3], *(n for n in shape[3:] if n != 1))
    if len(four) != 4:
        several = "several series: split it" if len(four) > 4 else "one volume: merge"
        raise DataFileError(
            f"{path.name} has shape {shape}, expected a series of volumes (4D). It "
            f"holds {several}, as with fslsplit or fslmerge -t."
        )
    if len(shape) > 4:
        notes.append(f"{path.name} has shape {shape} and is read as {four}")
        if shape[3] == 1:  # what its header says of time is of another axis
            tr_s = None
    data = _numbers(path, image).reshape(four)
    held = [_any_number(data[..., k]) for k in range(four[3])]
    empty = [k for k, holds in enumerate(held) if not holds]
    if empty and any(held):
        raise DataFileError(
            f"{path.name} holds no number or zero at every voxel of {len(empty)} "
            f"volumes (the first is volume {empty[0]}, counted from 0), expected each "
            "volume measured. Cut them off, or export it again."
        )
    return _Series(data, tr_s, tuple(notes))


def _any_number(volume: np.ndarray) -> bool:
    return bool(np.any(volume[np.isfinite(volume)]))


def _tr_s(image: Image) -> float | None:
    """Return the header's TR; None where it says nothing believable."""
    if len(image.shape) < 4:
        return None
    step = float(image.header.get_zooms()[3])
    tr_s = step / _PER_SECOND.get(image.header.get_xyzt_units()[1], 1.0)
    return tr_s if 0.1 <= tr_s <= 20 else None


# The atlas.


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Regions on a grid: one label a voxel, or the weights of maps."""

    data: np.ndarray  # (x, y, z) whole numbers, or (x, y, z, maps)
    labels: tuple[int, ...]  # all of the atlas, rising; of maps: 1, 2, ...

    @property
    def are_maps(self) -> bool:
        return self.data.ndim == 4


def _parts(atlas: Path, regions: Image) -> _Parts:
    """Return the regions of an atlas.

    Raises
    ------
    DataFileError : it is no atlas; labels are no whole numbers.
    """
    data = np.nan_to_num(_numbers(atlas, regions))
    shape = data.shape
    while data.ndim > 4 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim == 4 and data.shape[3] == 1 and _odd(data) is None:
        data = data[..., 0]  # labels, with an axis too many
    if data.ndim == 4:
        return _Parts(data.astype(np.float64), tuple(range(1, data.shape[3] + 1)))
    if data.ndim != 3:
        raise DataFileError(
            f"{atlas.name} has shape {shape}, expected labels (3D) or maps (4D). Give "
            "another --atlas."
        )
    if (odd := _odd(data)) is not None:
        raise DataFileError(
            f"{atlas.name} holds {odd:g} at {int((data == odd).sum())} voxels, "
            "expected a whole number for each region. Was it interpolated? "
            "Resample it with nearest neighbour."
        )
    whole = np.round(data).astype(np.int64)
    labels = tuple(int(label) for label in np.unique(whole) if label)
    if not labels:
        raise DataFileError(
            f"{atlas.name} is zero everywhere, expected a number for each region. Give "
            "another --atlas."
        )
    return _Parts(whole, labels)


def _odd(data: np.ndarray) -> float | None:
    """Return the first value that is no whole number."""
    if data.dtype.kind != "f":
        return None
    values = np.unique(data)
    odd = values[np.abs(values - np.round(values)) > _WHOLE]
    return float(odd[0]) if odd.size else None


def _refuse_negative(atlas: Path, labels: Sequence[int], names: Sequence[str]) -> None:
    """Refuse numbers below 0, which are no region unless the table names them."""
    unnamed = [
        label
        for label, name in zip(labels, names, strict=True)
        if label < 0 and name == f"roi-{label}"
    ]
    if unnamed:
        raise DataFileError(
            f"{atlas.name} holds the labels {unnamed[:5]}, expected 0 for background "
            "and numbers above it for regions. Mend it, or name them in a table beside "
            "it (columns index and name)."
        )


def _resampled(atlas: Path, parts: _Parts, regions: Image, image: Image) -> _Parts:
    """Return the regions on the grid of the image, by nilearn."""
    nilearn = require(
        "nilearn.image", extra="calibration", purpose="resampling an atlas"
    )
    nibabel = require("nibabel", extra="calibration", purpose="reading NIfTI")
    numbers = np.array([0, *parts.labels])  # of any size; their places are small
    if parts.are_maps:
        data = parts.data.astype(np.float32)
    else:
        places = np.searchsorted(numbers[1:], parts.data) + 1
        data = np.where(parts.data == 0, 0, places).astype(np.int32)
    try:
        found = nilearn.resample_img(
            nibabel.Nifti1Image(data, regions.affine),
            target_affine=image.affine,
            target_shape=image.shape[:3],
            interpolation="linear" if parts.are_maps else "nearest",
            copy_header=True,
            force_resample=True,
        )
    except Exception as error:
        raise DataFileError(
            f"{atlas.name} cannot be resampled to the image's grid "
            f"({type(error).__name__}: {error}). Are both images whole, and in one "
            "space?"
        ) from error
    held = np.asanyarray(found.dataobj)
    return _Parts(held if parts.are_maps else numbers[held], parts.labels)


def _shares_outside(parts: _Parts, regions: Image, image: Image) -> list[float]:
    """Return for each region which share of its voxels lies outside of the image."""
    held = parts.data.any(axis=3) if parts.are_maps else parts.data != 0
    to_image = np.linalg.inv(image.affine) @ regions.affine
    at = np.argwhere(held) @ to_image[:3, :3].T + to_image[:3, 3]
    out = ((at < -0.5) | (at > np.array(image.shape[:3]) - 0.5)).any(axis=1)
    data = parts.data[held]
    if parts.are_maps:
        whole = np.abs(data).sum(axis=0)
        return list(np.abs(data[out]).sum(axis=0) / np.where(whole > 0, whole, 1))
    place = np.searchsorted(parts.labels, data)
    n = np.bincount(place, minlength=len(parts.labels))
    return list(np.bincount(place[out], minlength=len(parts.labels)) / n)


def _reaching_out(
    path: Path, names: Sequence[str], shares: Sequence[float]
) -> list[str]:
    """Say which regions the image holds in part only."""
    out = [
        f"{name} ({100 * share:.0f} %)"
        for name, share in zip(names, shares, strict=True)
        if _EDGE < share < 1
    ]
    more = f", and {len(out) - _TOLD} more" if len(out) > _TOLD else ""
    told = (
        f"parts of regions lie outside of {path.name}: {', '.join(out[:_TOLD])}{more}"
    )
    return [told] if out else []


# Averages over what was measured.


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    values: FloatArray  # (volumes, regions)
    n_voxels: tuple[int, ...]  # measured ones of each region
    n_lost: tuple[int, ...]


def _measured(voxels: np.ndarray) -> np.ndarray:
    """Return which voxels (rows) have a number at every volume.

    One that never changes lies outside of the image's mask; one that is zero now and
    then, far below its other values, was outside of the field of view.
    """
    inside: np.ndarray = np.isfinite(voxels).all(axis=1) & (
        voxels != voxels[:, :1]
    ).any(axis=1)
    inside &= ~gaps(voxels).any(axis=1)
    return inside


def _by_labels(series: _Series, parts: _Parts) -> _Found:
    values = np.full((series.data.shape[3], len(parts.labels)), np.nan)
    n_voxels, n_lost = [], []
    for k, label in enumerate(parts.labels):
        voxels = series.data[parts.data == label]
        good = _measured(voxels)
        n_voxels.append(int(good.sum()))
        n_lost.append(len(good) - n_voxels[-1])
        if n_voxels[-1]:
            values[:, k] = voxels[good].mean(axis=0, dtype=np.float64)
    return _Found(values, tuple(n_voxels), tuple(n_lost))


def _by_maps(series: _Series, parts: _Parts) -> _Found:
    """Return the weights of the maps that fit each volume best (least squares)."""
    inside = parts.data.any(axis=3)
    voxels, maps = series.data[inside], parts.data[inside].astype(np.float64)
    good = _measured(voxels)
    n_voxels = np.count_nonzero(maps[good], axis=0)
    values = np.full((voxels.shape[1], maps.shape[1]), np.nan)
    held = n_voxels > 0
    if held.any():
        fit = np.linalg.pinv(maps[good][:, held])  # (maps, voxels)
        values[:, held] = (fit @ voxels[good].astype(np.float64)).T
    n_lost = np.count_nonzero(maps[~good], axis=0)
    return _Found(values, tuple(n_voxels.tolist()), tuple(n_lost.tolist()))


def _losses(atlas: Path, names: Sequence[str], found: _Found) -> list[str]:
    """Say which regions were measured in part, or not at all."""
    notes = []
    part = [
        f"{name} lost {lost} of {lost + n} voxels"
        for name, n, lost in zip(names, found.n_voxels, found.n_lost, strict=True)
        if n and lost
    ]
    if part:
        more = f", and {len(part) - _TOLD} more" if len(part) > _TOLD else ""
        notes.append(
            "voxels without a number at every volume (outside of a mask) are left out: "
            f"{'; '.join(part[:_TOLD])}{more}"
        )
    gone = [name for name, n in zip(names, found.n_voxels, strict=True) if not n]
    if gone:
        more = f", and {len(gone) - _TOLD} more" if len(gone) > _TOLD else ""
        notes.append(
            f"regions of {atlas.name} without a measured voxel are left out: "
            f"{', '.join(gone[:_TOLD])}{more}"
        )
    return notes
