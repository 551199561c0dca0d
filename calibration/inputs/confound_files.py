"""Confounds that were given for one scan, whatever files they come from.

A table with names (fMRIPrep's among them), regressors without names (PhysIO, SPM, FSL),
or recordings of pulse and breath (BIDS, Siemens, CMRR). What comes out is one number a
volume and column, under names that tell the kind (`confound_kinds`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.acquire import cell_value, cells_of, decoded, delimiter_of, lines_of
from rtbold.calibration.inputs.bold import read_confounds
from rtbold.calibration.inputs.bold_formats import read_mat
from rtbold.calibration.inputs.bold_series import plain_name
from rtbold.calibration.inputs.confound_kinds import kind_of, said_to_be
from rtbold.calibration.inputs.physio_files import Volumes, is_physio, read_physio
from rtbold.errors import ConfigError, DataFileError
from rtbold.files import damage_told
from rtbold.messages import FloatArray
from rtbold.text import did_you_mean, first_few

# What is taken of fMRIPrep's table, which offers several hundred columns.
FMRIPREP: Final = (
    *(f"{kind}_{axis}{derived}" for kind in ("trans", "rot") for axis in "xyz"
      for derived in ("", "_derivative1", "_power2", "_derivative1_power2")),
    "framewise_displacement", "csf", "white_matter", "global_signal",
)  # fmt: skip
_FMRIPREP_HAS: Final = {"framewise_displacement", "trans_x", "rot_z", "csf"}
_BARE: Final = (".txt", ".par", ".1d")  # numbers without names
_MOTION_FILE: Final = re.compile(r"rp_.*\.txt|.*\.par|.*motion.*\.(1d|txt)", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What one scan's files say of the body."""

    confounds: Mapping[str, FloatArray]  # name -> (rows of the BOLD,)
    regressed: tuple[str, ...]  # of them, those that are taken out of the target
    notes: tuple[str, ...] = ()


def read_given(
    paths: Sequence[Path], volumes: Volumes, *, chosen: Sequence[str] = ()
) -> Given:
    """Read the confounds of one scan.

    Parameters
    ----------
    paths : one file or several, of any of the formats.
    volumes : the rows of the BOLD that they belong to.
    chosen : columns that are taken, ``NAME`` or ``NAME=KIND``, ``*`` for any letters.
        Empty: all; of fMRIPrep's table `FMRIPREP`, whose global signal is not
        regressed.

    Raises
    ------
    DataFileError : a file is not what its name says, has another number of rows, holds
        what is no number, or nothing that varies.
    ConfigError : a kind or a column that was chosen is not there.
    """
    found: dict[str, FloatArray] = {}
    apart: set[str] = set()
    notes: list[str] = []
    for path in paths:
        columns, told = _of_file(path, volumes, chosen=bool(chosen))
        if twice := sorted(set(columns) & set(found)):
            raise DataFileError(
                f"{path.name} has {first_few(twice)}, which another file of "
                "--confounds has too, expected each confound once. Leave one out."
            )
        notes += told
        if _is_fmriprep(columns) and not chosen:
            apart.update(k for k in columns if kind_of(k) == "global signal")
            notes.append(f"{path.name} is fMRIPrep's: taken {', '.join(columns)}")
        found |= columns
    found = _chosen(found, chosen) if chosen else found
    regressed = tuple(name for name in found if name not in apart)
    return Given(found, regressed, (*notes, *_told(found)))


def _of_file(
    path: Path, volumes: Volumes, *, chosen: bool
) -> tuple[dict[str, FloatArray], list[str]]:
    """Return the columns of one file that vary, and what is to be told of it."""
    _require_file(path)
    with damage_told(path, "confounds"):
        columns = _read(path, volumes, chosen=chosen)
    varying = {k: v for k, v in columns.items() if np.ptp(v) > 0}
    if not varying:
        raise DataFileError(
            f"{path.name} has no confound that varies, expected at least one "
            "column with other numbers at other volumes. Export it again."
        )
    same = [name for name in columns if name not in varying]
    told = f"{path.name}: the same at each volume, left out: {', '.join(same)}"
    return varying, [told] if same else []


def _told(found: Mapping[str, FloatArray]) -> list[str]:
    """Return which column acts as what."""
    kinds: dict[str, list[str]] = {}
    for name in found:
        kinds.setdefault(kind_of(name), []).append(name)
    return [f"confounds, {kind}: {', '.join(n)}" for kind, n in kinds.items()]


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a file of confounds. Check the "
            "path."
        )


def _read(path: Path, volumes: Volumes, *, chosen: bool) -> Mapping[str, FloatArray]:
    if is_physio(path):
        return read_physio(path, volumes)
    if path.suffix.lower() == ".mat":
        return _regressors(path, _matrix(path), volumes.n)
    lines = _lines(path)
    if lines is None:  # NPY, pickle
        return read_confounds(path, volumes.n)
    if _bare(path, lines):
        return _regressors(path, _bare_table(path, lines), volumes.n)
    header = [plain_name(cell) for cell in cells_of(lines[0], delimiter_of(lines))]
    columns = None
    if not chosen and _FMRIPREP_HAS <= set(header):
        columns = [name for name in FMRIPREP if name in header]
    return read_confounds(path, volumes.n, columns=columns)


def _lines(path: Path) -> list[str] | None:
    """Return the lines of a table of text; None: it is another format."""
    if not path.name.lower().endswith((".tsv", ".csv", *_BARE)):
        return None
    lines = [
        line
        for line in lines_of(decoded(path.read_bytes(), path.name))
        if not line.lstrip().startswith("#")
    ]
    if len(lines) < 2:
        raise DataFileError(
            f"{path.name} holds {len(lines)} lines, expected one per volume. Export it "
            "again."
        )
    return lines


def _is_fmriprep(names: Mapping[str, FloatArray]) -> bool:
    return _FMRIPREP_HAS <= set(names)


def _bare(path: Path, lines: Sequence[str]) -> bool:
    """Return whether a file holds numbers alone, without a line of names."""
    if not path.name.lower().endswith(_BARE):
        return False
    return all(cell_value(word) is not None for word in _words(lines[0]))


def _words(line: str) -> list[str]:
    return re.split(r"[\s,;]+", line.strip())


def _bare_table(path: Path, lines: Sequence[str]) -> FloatArray:
    rows = [[cell_value(word) for word in _words(line)] for line in lines]
    n = len(rows[0])
    for k, row in enumerate(rows):
        if len(row) != n or any(value is None for value in row):
            raise DataFileError(
                f"line {k + 1} of {path.name} has {len(row)} cells, expected {n} "
                "numbers as in the first. Export it again."
            )
    return np.array(rows, dtype=np.float64)


def _matrix(path: Path) -> FloatArray:
    """Return ``R`` of a file as SPM takes it, else the only matrix that there is."""
    try:
        return np.asarray(read_mat(path, "R").values)
    except DataFileError:
        return np.asarray(read_mat(path).values)


def _regressors(path: Path, table: FloatArray, n_rows: int) -> dict[str, FloatArray]:
    """Return columns without names: motion where the file is of that, else regressors.

    PhysIO's have gone through their response functions, so they act as they are.
    """
    if len(table) != n_rows:
        side = " It lies on its side." if table.shape[1] == n_rows else ""
        raise DataFileError(
            f"{path.name} has {len(table)} rows and the BOLD {n_rows}, expected one "
            f"row per volume in both.{side} Are the dummy volumes in one of them only?"
        )
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        raise DataFileError(
            f"{path.name} has no finite number at {len(bad)} places (the first is row "
            f"{bad[0][0] + 1}, column {bad[0][1] + 1}), expected one at each volume. "
            "Mend the table, or remove that column."
        )
    motion = _MOTION_FILE.fullmatch(path.name) is not None
    if motion and table.shape[1] != 6:
        raise DataFileError(
            f"{path.name} has {table.shape[1]} columns, expected 6 of motion "
            "(translations and rotations). Is it a file of motion?"
        )
    what = "motion" if motion else "regressor"
    return {f"{what}_{k + 1}": column for k, column in enumerate(table.T)}


def _chosen(
    found: Mapping[str, FloatArray], chosen: Sequence[str]
) -> dict[str, FloatArray]:
    """Return the columns that were asked for, named by the kinds that were said."""
    taken: dict[str, FloatArray] = {}
    for each in chosen:
        pattern, says, kind = each.partition("=")
        names = [name for name in found if fnmatchcase(name, pattern.strip())]
        if not names:
            raise ConfigError(
                f"--confound names {pattern!r}, and the files have "
                f"{first_few(list(found), 12)}. Correct it."
                f"{did_you_mean([pattern], tuple(found))}"
            )
        for name in names:
            called = said_to_be(name, kind.strip()) if says else name
            taken[called] = found[name]
    return taken
