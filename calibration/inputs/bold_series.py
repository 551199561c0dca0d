"""Measured BOLD as the rest of a calibration takes it: checked, named, in volumes."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

# Names under which tables carry what is no ROI (fMRIPrep's, and the published set's).
_CONFOUND = re.compile(
    r"global_signal.*|csf.*|white_matter.*|std_dvars|dvars|framewise_displacement|fd|"
    r"rmsd|(trans|rot)_[xyz].*|[actw]_comp_cor_\d+|cosine_?\d+|motion_outlier_?\d+|"
    r"non_steady_state_outlier_?\d+|aroma_motion_\d+|heart_rate|respiration"
)
_PUBLISHED = {"global_signal_clean": "global_signal"}
_INDEX = ("", "volume", "volume_index", "index", "vol")
_TIME = ("time", "time_s", "t", "t_s", "onset", "onset_s")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u0060\u00b4"), "'")
_CONSTANT = 1e-9  # sd over the largest magnitude; float32 files reach 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """What a file holds, before anything is sorted or checked."""

    values: FloatArray  # (rows, columns); nan: the file says that nothing is there
    names: tuple[str, ...] | None  # None: the format has no names
    tr_s: float | None = None  # None: the file does not say
    onsets_s: FloatArray | None = None  # (rows,), an LSL recorder's clock
    simulated: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class BoldSeries:
    """Measured BOLD of a run, as measured: no filter, no scaling."""

    name: str  # of the file
    rois: tuple[str, ...]
    values: FloatArray  # (rows, rois), finite, no column constant
    confounds: Mapping[str, FloatArray] = field(default_factory=dict)  # each (rows,)
    tr_s: float | None = None  # None: the file does not say
    # Volume of each row, from 0 or 1 or as a scanner counts; None: row after row.
    volume_index: np.ndarray | None = None
    onsets_s: FloatArray | None = None  # (rows,), an LSL recorder's clock
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)


def plain_name(name: str) -> str:
    """Return a name in one spelling.

    The published atlas writes "Heschl's gyrus" with a typographic apostrophe.
    """
    straight = unicodedata.normalize("NFKC", str(name)).translate(_APOSTROPHES)
    return " ".join(straight.split())


def series_of(
    what: str,
    raw: RawTable,
    columns: Sequence[str] | None = None,
    *,
    roi_needed: bool = True,
) -> BoldSeries:
    """Sort the columns of a table into ROIs and the rest, and check them.

    Parameters
    ----------
    what : name of the file, for messages.
    columns : ROIs wanted, by name, in this order; of a table without names, the names
        of all its columns. None: every column that is no known confound.
    roi_needed : False: a table of known confounds alone is fine.

    Raises
    ------
    DataFileError : names are doubled or unknown, the table lies on its side, an ROI
        is constant or not finite, or volumes are counted oddly.
    """
    names, extra = _names(what, raw, columns)
    extra += _check_shape(what, raw, names)
    kinds = _sorted_columns(names, wanted=frozenset(map(plain_name, columns or ())))
    rois = _chosen(what, names, kinds, columns, needed=roi_needed)
    values = np.ascontiguousarray(raw.values[:, [names.index(roi) for roi in rois]])
    _check_values(what, rois, values)
    confounds, filled = _confounds(what, raw, names, kinds)
    tr_s, index = _counted(what, raw, names, kinds)
    return BoldSeries(
        name=what,
        rois=rois,
        values=values,
        confounds=confounds,
        tr_s=raw.tr_s if raw.tr_s is not None else tr_s,
        volume_index=index,
        onsets_s=raw.onsets_s,
        simulated=raw.simulated,
        notes=(*raw.notes, *extra, *filled),
    )


def _names(
    what: str, raw: RawTable, columns: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    n = raw.values.shape[1]
    if raw.names is not None:
        names = tuple(plain_name(name) for name in raw.names)
    elif columns is not None and len(columns) == n:
        names = tuple(plain_name(name) for name in columns)
    else:
        names = tuple(f"roi-{k + 1}" for k in range(n))
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataFileError(
            f"{what} has more than one column called {doubled}, expected different "
            "names. Rename them, or leave all but one out."
        )
    if raw.names is None and columns is None:
        return names, (f"{what} has no names: its columns are roi-1 to roi-{n}",)
    return names, ()


def _check_shape(what: str, raw: RawTable, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse an array on its side; return what a user should know of the shape."""
    n_rows = len(raw.values)
    if n_rows < 2:
        raise DataFileError(
            f"{what} holds {n_rows} rows, expected one per volume. Export it again."
        )
    if len(names) <= n_rows:
        return ()
    came = f"{what} has {n_rows} rows and {len(names)} columns"
    if raw.names is not None:  # a header says what a column is; the scan may be short
        return (f"{came}: does it lie on its side?",)
    raise DataFileError(
        f"{came}, expected one row per volume and one column per ROI. It seems to lie "
        "on its side: transpose it."
    )


def _sorted_columns(
    names: tuple[str, ...], *, wanted: frozenset[str]
) -> dict[str, str]:
    """Return what each column is: roi, confound, index or time."""
    kinds = {}
    for name in names:
        key = _key(name)
        if name in wanted:
            kinds[name] = "roi"
        elif key in _INDEX or name == "Unnamed: 0":
            kinds[name] = "index"
        elif key in _TIME:
            kinds[name] = "time"
        else:
            kinds[name] = "confound" if _CONFOUND.fullmatch(key) else "roi"
    return kinds


def _key(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.casefold())


def _chosen(
    what: str,
    names: tuple[str, ...],
    kinds: Mapping[str, str],
    columns: Sequence[str] | None,
    *,
    needed: bool,
) -> tuple[str, ...]:
    rois = tuple(name for name in names if kinds[name] == "roi")
    if columns is not None:
        chosen = tuple(plain_name(name) for name in columns)
        unknown = [name for name in chosen if name not in names]
        if unknown or len(set(chosen)) < len(chosen):
            raise DataFileError(
                f"{what} was asked for {unknown or list(chosen)}, expected different "
                f"ones of its columns {list(names)}. Correct --roi."
            )
        return chosen
    if not rois and needed:
        raise DataFileError(
            f"{what} has the columns {list(names)}, expected at least one ROI. Name "
            "the ones that are with --roi."
        )
    return rois


def _check_values(what: str, rois: tuple[str, ...], values: FloatArray) -> None:
    for roi, column in zip(rois, values.T, strict=True):
        missing = np.flatnonzero(~np.isfinite(column))
        if missing.size:
            raise DataFileError(
                f"{what} has no finite number for {roi!r} at {missing.size} volumes "
                f"(the first is volume {missing[0]}, counted from 0), expected one at "
                "each. Leave that ROI out with --roi, or export it again."
            )
        if np.ptp(column) <= _CONSTANT * max(float(np.abs(column).max()), 1e-300):
            raise DataFileError(
                f"{roi!r} of {what} is constant ({column[0]:g} at every volume), "
                "expected a signal. Is it outside the scanned slab? Leave it out with "
                "--roi."
            )


def _confounds(
    what: str, raw: RawTable, names: tuple[str, ...], kinds: Mapping[str, str]
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    found: dict[str, FloatArray] = {}
    filled = []
    for k, name in enumerate(names):
        if kinds[name] != "confound":
            continue
        column = raw.values[:, k].copy()
        # A difference to the volume before has none at the first: fMRIPrep's n/a.
        if np.isnan(column[0]) and np.isfinite(column[1:]).all():
            column[0] = 0.0
            filled.append(name)
        if not np.isfinite(column).all():
            raise DataFileError(
                f"{what} has no finite number for the confound {name!r} at some "
                "volumes, expected one at each. Remove that column, or mend it."
            )
        key = _key(name)
        found[_PUBLISHED.get(key, key)] = column
    notes = (f"n/a at the first volume is taken as 0: {filled}",) if filled else ()
    return found, notes


def _counted(
    what: str, raw: RawTable, names: tuple[str, ...], kinds: Mapping[str, str]
) -> tuple[float | None, np.ndarray | None]:
    """Return TR and volume numbers, where columns of time and count say so."""
    tr_s, index = None, None
    for k, name in enumerate(names):
        column = raw.values[:, k]
        if kinds[name] not in ("index", "time"):
            continue
        if not np.isfinite(column).all() or (np.diff(column) <= 0).any():
            raise DataFileError(
                f"the column {name!r} of {what} does not rise from row to row, "
                f"expected the {kinds[name]} of each volume. Name the ROIs with --roi, "
                "or remove it."
            )
        if kinds[name] == "time":
            tr_s = float(np.median(np.diff(column)))
        elif (column != np.round(column)).any():
            raise DataFileError(
                f"the column {name!r} of {what} holds fractions, expected the number "
                "of each volume. Name the ROIs with --roi, or remove it."
            )
        else:
            index = column.astype(np.int64)
    return tr_s, index
