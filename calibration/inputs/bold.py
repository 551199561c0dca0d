"""Measured BOLD of a scan, whatever file it comes from: ``read_bold(path)``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from rtbold.calibration.inputs.bold_paths import (
    IMAGE,
    LOG,
    PICKLE,
    TEXT,
    check_bold_path,
)
from rtbold.calibration.inputs.bold_series import (
    BoldSeries,
    RawTable,
    plain_name,
    series_of,
)
from rtbold.errors import DataFileError
from rtbold.files import damage_told, says_simulated
from rtbold.messages import FloatArray
from rtbold.text import did_you_mean, first_few


def read_bold(
    path: str | Path,
    *,
    atlas: str | Path | None = None,
    columns: Sequence[str] | None = None,
    leave_out: bool = False,
) -> BoldSeries:
    """Read ROI series: a table, an array, a pickle, an image, or an XDF's stream.

    Parameters
    ----------
    path : TSV or CSV (a header, one row a volume), NPY, MAT (or ``FILE.mat:NAME``),
        the published NeuroBOLT pickle, 4D NIfTI, XDF (or ``FILE.xdf:STREAM``), the
        ``events.jsonl`` of a session that had measured BOLD.
    atlas : for NIfTI: labels (3D) or maps (4D).
    columns : ROIs wanted, in this order; or the names of an array's columns. Default:
        every column that is no confound, number or time.
    leave_out : an ROI that is not measured at each volume is left out and named
        (`BoldSeries.unusable`) in place of being refused, unless `columns` names it.

    Raises
    ------
    DataFileError : the file is not what its name says, or holds no usable series.
    ConfigError : an image without an atlas.
    """
    path, raw = _raw(path, atlas)
    return series_of(path.name, raw, columns, leave_out=leave_out)


def _raw(given: str | Path, atlas: str | Path | None = None) -> tuple[Path, RawTable]:
    path, part = check_bold_path(given)
    with damage_told(path, "measured BOLD"):
        raw = _read(path, part, Path(atlas) if atlas is not None else None)
    return path, replace(raw, simulated=raw.simulated or says_simulated(path))


def read_confounds(
    path: str | Path, n_rows: int, *, columns: Sequence[str] | None = None
) -> Mapping[str, FloatArray]:
    """Read a table whose columns are all confounds (motion, heart rate, ...).

    Parameters
    ----------
    n_rows : of the BOLD that they belong to.
    columns : which are taken, by name; ``*`` stands for any letters (``rot_*``). None:
        all, each of which must hold a number at every volume.

    Raises
    ------
    DataFileError : as `read_bold`; it has another number of rows, or lacks a column.
    """
    path, raw = _raw(path)
    if columns is not None:
        raw = _picked(path.name, raw, columns)
    series = series_of(path.name, raw, roi_needed=False)
    if len(series) != n_rows:
        raise DataFileError(
            f"{path.name} has {len(series)} rows and the BOLD {n_rows}, expected one "
            "row per volume in both. Are the dummy volumes in one of them only?"
        )
    others = dict(zip(series.rois, series.values.T, strict=True))
    return {**series.confounds, **others}


def _picked(what: str, raw: RawTable, columns: Sequence[str]) -> RawTable:
    """Return a table with the columns that were asked for, and no others."""
    names = [plain_name(name) for name in raw.names or ()]
    lacks = [c for c in columns if not any(fnmatchcase(name, c) for name in names)]
    if lacks:
        raise DataFileError(
            f"{what} has no column {', '.join(map(repr, lacks))}; it has "
            f"{first_few(names, 12) or 'no names'}. Correct the names of the "
            f"confounds.{did_you_mean(lacks, names)}"
        )
    kept = [k for k, n in enumerate(names) if any(fnmatchcase(n, c) for c in columns)]
    picked = tuple(names[k] for k in kept)
    return replace(raw, values=raw.values[:, kept], names=picked)


def _read(path: Path, part: str | None, atlas: Path | None) -> RawTable:
    # Late imports: a table of text needs neither HDF5 nor nilearn.
    from rtbold.calibration.inputs.bold_formats import (
        read_event_log,
        read_mat,
        read_npy,
        read_stream,
    )
    from rtbold.calibration.inputs.bold_images import read_image
    from rtbold.calibration.inputs.bold_pickle import read_pickle
    from rtbold.calibration.inputs.bold_text import read_text

    name = path.name.lower()
    if name.endswith(TEXT):
        return read_text(path)
    if name.endswith(PICKLE):
        return read_pickle(path)
    if name.endswith(IMAGE):
        return read_image(path, atlas)
    if name.endswith(".npy"):
        return read_npy(path)
    if name.endswith(".mat"):
        return read_mat(path, part)
    if name.endswith(LOG):
        return read_event_log(path)
    return read_stream(path, part)
