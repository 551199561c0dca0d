"""Measured BOLD as the rest of a calibration takes it: checked, named, in volumes."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rtbold.acquire import column_kind, steady_step, unit_s
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.text import did_you_mean, first_few

# Names under which tables carry what is no ROI (fMRIPrep's, and the published set's).
_CONFOUND = re.compile(
    r"global_signal.*|csf.*|white_matter.*|std_dvars|dvars|framewise_displacement|fd|"
    r"rmsd|(trans|rot)_[xyz].*|[actw]_comp_cor_\d+|cosine_?\d+|motion_outlier_?\d+|"
    r"non_steady_state_outlier_?\d+|aroma_motion_\d+|heart_rate|respiration|"
    r"gs|wm|globalsignal|whitematter|framewisedisplacement|[actw]?compcor_?\d+|"
    r"edge_comp_cor_\d+|(head_)?motion_?(x|y|z|rot\w*|trans\w*|\d*)|"
    r"rp_?\d+|[tr][xyz]|roll|pitch|yaw"
)
# What stands for several rows, as a run that was joined to another.
_PART = re.compile(r"(n_|nr_)?(run|session|ses|block|subject|sub|echo|slice)s?"
                   r"(_?(id|idx|index|nr|no|number|num))?")  # fmt: skip
_PUBLISHED = dict.fromkeys(
    ("global_signal_clean", "globalsignal", "gs"), "global_signal"
)
_TIME = ("time", "time_s", "t", "t_s", "onset", "onset_s")  # and nothing else
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u0060\u00b4"), "'")
_CONSTANT = 1e-9  # sd over the largest magnitude; float32 files reach 1e-7
_GAP = 0.7  # of the median: zeros among values that are all above it were not measured
_FEWEST = 5  # such values
_MARKS = (-1.0, *(s * (10.0**n - 1) for n in (2, 3, 4, 5) for s in (-1, 1)), 1e20, 1e30)
_FAR = 5.0  # spreads of all others


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """What a file holds, before anything is sorted or checked."""

    values: FloatArray  # (rows, columns); nan: the file says that nothing is there
    names: tuple[str, ...] | None  # None: the format has no names
    tr_s: float | None = None  # None: the file does not say
    onsets_s: FloatArray | None = None  # (rows,), an LSL recorder's clock
    simulated: bool = False
    notes: tuple[str, ...] = ()
    counts: bool = False  # a column may count volumes or tell the time: tables, arrays


@dataclass(frozen=True, slots=True, eq=False)
class BoldSeries:
    """Measured BOLD of a run, as measured: no filter, no scaling."""

    name: str  # of the file
    rois: tuple[str, ...]
    values: FloatArray  # (rows, rois), finite (nan: a row of none), none constant
    confounds: Mapping[str, FloatArray] = field(default_factory=dict)  # each (rows,)
    tr_s: float | None = None  # None: the file does not say
    # Volume of each row, from 0 or 1 or as a scanner counts; None: row after row.
    volume_index: np.ndarray | None = None
    onsets_s: FloatArray | None = None  # (rows,), an LSL recorder's clock
    simulated: bool = False
    notes: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)  # ROI left out -> why

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
    leave_out: bool = False,
) -> BoldSeries:
    """Sort the columns of a table into ROIs and the rest, and check them.

    Parameters
    ----------
    what : name of the file, for messages.
    columns : ROIs wanted, by name, in this order; of a table without names, the names
        of all its columns. None: every column that is no known confound.
    roi_needed : False: a table of known confounds alone is fine.
    leave_out : a row without a value of any ROI is a volume without BOLD (nan); an ROI
        that lacks a value in another row is left out and named, in place of being
        refused; one of `columns` is refused all the same.

    Raises
    ------
    DataFileError : names, shape, values or numbers of volumes are not what they must.
    """
    names, unnamed = _names(what, raw, columns)
    shape = _check_shape(what, raw, names)
    wanted = frozenset(map(plain_name, columns or ()))
    kinds, told = _sorted_columns(raw, names, wanted=wanted, confounds=not roi_needed)
    rois = _chosen(what, names, kinds, columns, needed=roi_needed)
    values = np.ascontiguousarray(raw.values[:, [*map(names.index, rois)]])
    every = raw.values[:, [k for k, name in enumerate(names) if kinds[name] == "roi"]]
    empty = _empty_rows(what, every) if leave_out else np.zeros(len(values), bool)
    drop = leave_out and columns is None
    measured = _measured(what, rois, values, empty=empty, drop=drop)
    confounds, filled = _confounds(what, raw, names, kinds, empty=empty)
    tr_s, index, timed = _counted(what, raw, names, kinds)
    return BoldSeries(
        name=what,
        rois=measured.rois,
        values=measured.values,
        confounds=confounds,
        tr_s=raw.tr_s if raw.tr_s is not None else tr_s,
        volume_index=index,
        onsets_s=raw.onsets_s,
        simulated=raw.simulated,
        notes=(*raw.notes, *unnamed, *shape, *told, *measured.notes, *filled, *timed),
        unusable=measured.unusable,
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
    raw: RawTable,
    names: tuple[str, ...],
    *,
    wanted: frozenset[str],
    confounds: bool,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what each column is, and what is to be told of those that only count.

    A column is a roi, a confound, an index, a time, or left out.

    Parameters
    ----------
    wanted : columns that were asked for: these are ROIs, whatever they hold.
    confounds : all that is not known is a confound.
    """
    columns = dict(zip(names, raw.values.T, strict=True))
    kinds = {n: "roi" if n in wanted else _kind(n, columns[n]) for n in names}
    asked = [n for n in names if n not in wanted and kinds[n] in ("roi", "counter")]
    unknown = [name for name in asked if kinds[name] == "roi"]
    if raw.counts:
        steps = _steps(columns, asked, unknown)
    else:
        steps = {n: steady_step(columns[n]) for n in asked if kinds[n] == "counter"}
    told = []
    for name in asked:
        step, counter = steps.get(name), kinds[name] == "counter"
        kinds[name] = "confound" if confounds else "roi"
        if counter and np.ptp(columns[name]) == 0:
            kinds[name] = "left out"
            told.append(f"the column {name!r} is the same in each row: left out")
        elif step is None and _numbers_rows(name, columns[name], counter=counter):
            kinds[name] = "left out"
            told.append(f"the column {name!r} numbers rows: it is no ROI")
        elif step is not None and (counter or not confounds):
            kinds[name] = _counting(columns[name], step, kinds, counter=counter)
            told.append(
                f"the column {name!r} rises by {step:g} from row to row: it is no ROI"
            )
    return kinds, tuple(told)


def _numbers_rows(name: str, column: FloatArray, *, counter: bool) -> bool:
    """Return whether a column, by its name too, stands for several rows each."""
    part = counter or _PART.fullmatch(_key(name))
    whole = bool((column == np.round(column)).all())
    return bool(part) and whole and bool((np.diff(column) >= 0).all())


def _kind(name: str, column: FloatArray) -> str:
    """Return what a column is by its name; an ROI may be called as a time is."""
    if _CONFOUND.fullmatch(_key(name)):
        return "confound"
    kind = column_kind(name)
    rises = bool((np.diff(column) > 0).all())
    if kind == "time" and not rises and _key(name) not in _TIME:
        return "roi"
    return "index" if kind == "number" else kind


def _steps(
    columns: Mapping[str, FloatArray], asked: Sequence[str], unknown: Sequence[str]
) -> dict[str, float | None]:
    """Return by which step each column counts; None: it does not.

    A table whose every unknown column rises by the same step says nothing by that: then
    a count begins with 0 or 1, and a signal does not.
    """
    steps = {name: steady_step(columns[name]) for name in asked}
    if all(steps[name] is not None for name in unknown):
        begin = [name for name in unknown if columns[name][0] in (0, 1)]
        for name in set(unknown) - set(begin) or unknown:
            steps[name] = None
    return steps


def _counting(
    column: FloatArray, step: float, kinds: Mapping[str, str], *, counter: bool
) -> str:
    """Return whether a counter numbers the volumes, so that its gaps are gaps.

    Whole numbers along a line of another slope are rounded times, unless their name
    says that they count.
    """
    steps = np.diff(column)
    whole = bool((column == np.round(column)).all() and (steps > 0).all())
    first = "index" not in kinds.values()
    counts = whole and steps.min() == 1 and (counter or step.is_integer())
    return "index" if counts and first else "left out"


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
            hint = did_you_mean(unknown, names)
            raise DataFileError(
                f"{what} was asked for {unknown or list(chosen)}, expected different "
                f"ones of its columns {list(names)}.{hint} Correct --roi."
            )
        return chosen
    if not rois and needed:
        raise DataFileError(
            f"{what} has the columns {list(names)}, expected at least one ROI. Name "
            "the ones that are with --roi."
        )
    return rois


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """The ROIs that can be used."""

    rois: tuple[str, ...]
    values: FloatArray  # (rows, rois)
    unusable: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _measured(
    what: str,
    rois: tuple[str, ...],
    values: FloatArray,
    *,
    empty: np.ndarray,
    drop: bool,
) -> _Measured:
    """Return the ROIs that can be used.

    Parameters
    ----------
    empty : (rows,) bool, no ROI of the table has a value.
    drop : leave out and name what cannot be used, in place of refusing it.

    Raises
    ------
    DataFileError : one that must be used cannot be, or none can.
    """
    unusable: dict[str, str] = {}
    if drop:
        unusable = _unusable(what, rois, values, empty)
        usable = [k for k, roi in enumerate(rois) if roi not in unusable]
        rois, values = tuple(rois[k] for k in usable), values[:, usable]
    _check_values(what, rois, values, empty)
    n = int(empty.sum())
    told = f"{n} rows of {what} hold no value of any ROI: volumes without BOLD"
    return _Measured(rois, values, unusable, (told,) if n else ())


def _empty_rows(what: str, values: FloatArray) -> np.ndarray:
    """Return the rows in which no ROI has a value, as of volumes that were censored.

    Raises
    ------
    DataFileError : fewer than two rows have one.
    """
    empty = np.zeros(len(values), dtype=bool)
    if values.shape[1]:
        empty |= ~np.isfinite(values).any(axis=1)
    n = int(empty.sum())
    if len(values) - n < 2:
        raise DataFileError(
            f"{what} has no value in {n} of {len(values)} rows, expected measured BOLD "
            "at most volumes. Export it again."
        )
    return empty


def _unusable(
    what: str, rois: tuple[str, ...], values: FloatArray, empty: np.ndarray
) -> dict[str, str]:
    """Return the ROIs that lack a measured value somewhere, each with the reason.

    Raises
    ------
    DataFileError : there are ROIs, and none is usable.
    """
    columns = zip(rois, values.T, strict=True)
    faults = {roi: _fault(what, roi, column, empty) for roi, column in columns}
    unusable = {roi: fault.reason for roi, fault in faults.items() if fault}
    if rois and len(unusable) == len(rois):
        listed = first_few([f"{roi} {reason}" for roi, reason in unusable.items()])
        raise DataFileError(
            f"{what} has no usable ROI among {len(rois)}: {listed}. Expected measured "
            "values at each volume. Export it again, or cut the volumes without values "
            "off."
        )
    return unusable


class _Fault(NamedTuple):
    """Why a series cannot be used."""

    reason: str  # behind the ROI's name
    message: str


_OUT = "Leave that ROI out with --roi, or export it again."


def _fault(what: str, roi: str, column: FloatArray, empty: np.ndarray) -> _Fault | None:
    """Return what is wrong with the series of one ROI; None: nothing.

    Parameters
    ----------
    empty : rows that do not count.
    """
    missing = np.flatnonzero(~np.isfinite(column) & ~empty)
    column = column[~empty]
    if missing.size:
        where = (
            f"at {missing.size} volumes (the first is volume {missing[0]}, counted "
            "from 0)"
        )
        return _Fault(
            f"has no finite number {where}",
            f"{what} has no finite number for {roi!r} {where}, expected one at each. "
            f"{_OUT}",
        )
    if np.ptp(column) <= _CONSTANT * max(float(np.abs(column).max()), 1e-300):
        return _Fault(
            f"is constant ({column[0]:g})",
            f"{roi!r} of {what} is constant ({column[0]:g} at every volume), expected "
            "a signal. Is it outside the scanned slab? Leave it out with --roi.",
        )
    near = f"near {np.median(column):.4g} at the others"
    if (mark := _mark(column)) is not None:
        reason = f"is {mark:g} at {int((column == mark).sum())} volumes and {near}"
        asked = "Does it mark what is missing?"
    elif (n := int(gaps(column).sum())) and 2 * n < len(column):
        reason, asked = f"is 0 at {n} volumes and {near}", "Are they missing?"
    else:
        return None
    return _Fault(
        reason,
        f"{roi!r} of {what} {reason}, expected a measured value at each. {asked} "
        f"{_OUT}",
    )


def _check_values(
    what: str, rois: tuple[str, ...], values: FloatArray, empty: np.ndarray
) -> None:
    for roi, column in zip(rois, values.T, strict=True):
        if fault := _fault(what, roi, column, empty):
            raise DataFileError(fault.message)


def _mark(column: FloatArray) -> float | None:
    """Return the number that stands for a missing value, far from all others."""
    for mark in _MARKS:
        others = column[column != mark]
        if len(others) in range(_FEWEST, len(column)):
            spread = np.ptp(others)
            if min(abs(mark - others.min()), abs(mark - others.max())) > _FAR * spread:
                return mark
    return None


def gaps(values: np.ndarray) -> np.ndarray:
    """Return where values (over the last axis) are zero because nothing was measured.

    They are where all other values are far from zero, on one side.
    """
    zero = values == 0
    if not np.any(zero):
        return np.asarray(zero)
    with np.errstate(invalid="ignore"):
        held = np.where(zero, np.nan, np.abs(values))
        one_sided = np.all(values >= 0, axis=-1) | np.all(values <= 0, axis=-1)
    n_held = (~zero).sum(axis=-1)
    found = one_sided & (n_held >= _FEWEST)
    rows = np.reshape(held, (-1, held.shape[-1]))[np.ravel(found)]
    if len(rows):
        clear = np.nanmin(rows, axis=-1) > _GAP * np.nanmedian(rows, axis=-1)
        found = np.array(found)
        found[found] = clear
    result: np.ndarray = zero & np.expand_dims(found, -1)
    return result


def _confounds(
    what: str,
    raw: RawTable,
    names: tuple[str, ...],
    kinds: Mapping[str, str],
    *,
    empty: np.ndarray,
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    found: dict[str, FloatArray] = {}
    filled, constant = [], []
    for k, name in enumerate(names):
        if kinds[name] != "confound":
            continue
        column = raw.values[:, k].copy()
        # A difference to the volume before has none at the first: fMRIPrep's n/a.
        if np.isnan(column[0]) and np.isfinite(column[1:]).all():
            column[0] = 0.0
            filled.append(name)
        if missing := np.flatnonzero(~np.isfinite(column) & ~empty).tolist():
            raise DataFileError(
                f"{what} has no finite number for the confound {name!r} at "
                f"{len(missing)} volumes (the first is volume {missing[0]}, counted "
                "from 0), expected one at each. Remove that column, or mend it."
            )
        if np.ptp(column) == 0:
            constant.append(name)
            continue
        key = _key(name)
        known = _CONFOUND.fullmatch(key)
        found[_PUBLISHED.get(key, key) if known else name] = column
    notes = [f"n/a at the first volume is taken as 0: {filled}"] if filled else []
    if constant:
        notes.append(f"confounds that are the same at each volume: {constant}")
    return found, tuple(notes)


def _counted(
    what: str, raw: RawTable, names: tuple[str, ...], kinds: Mapping[str, str]
) -> tuple[float | None, np.ndarray | None, tuple[str, ...]]:
    """Return TR and volume numbers, where columns of time and count say so."""
    tr_s, index, notes = None, None, list[str]()
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
            rows = _rows_by_time(column)
            tr_s, told = _tr_of(name, column, rows)
            notes += told
            if rows is not None and "index" not in kinds.values():
                index = rows
                n = int(rows[-1]) + 1 - len(rows)
                notes.append(f"the column {name!r} shows {n} volumes without a row")
        elif (column != np.round(column)).any():
            raise DataFileError(
                f"the column {name!r} of {what} holds fractions, expected the number "
                "of each volume. Name the ROIs with --roi, or remove it."
            )
        elif index is None:
            index = column.astype(np.int64)
    return tr_s, index, tuple(notes)


_TR_S = (0.1, 20.0)  # what a TR can be
_OFF = 0.15  # of a step: times of volumes that were left out stand on the grid
_NO_GAP = 1.6  # of a step: no row is missing where none is longer


def _rows_by_time(column: FloatArray) -> np.ndarray | None:
    """Return the volume of each row, by times that leave out some; None: none do.

    Whole seconds that rise by 1 and 2 may be rounded.
    """
    steps = np.diff(column)
    least = float(steps.min())
    if least == 1 and (column == np.round(column)).all():
        return None
    n = np.round(steps / least)
    if n.max() < 2 or (np.abs(steps / least - n) > _OFF).any():
        return None
    return np.concatenate([[0], np.cumsum(n)]).astype(np.int64)


def _tr_of(
    name: str, column: FloatArray, rows: np.ndarray | None
) -> tuple[float | None, list[str]]:
    """Return the TR of a column of times; its unit by its name, else by its size."""
    steps = np.diff(column)
    step = float(np.median(steps))
    if rows is not None:
        step = float((column[-1] - column[0]) / rows[-1])
    elif steps.max() < _NO_GAP * step:  # the mean step of times that were rounded
        step = float((column[-1] - column[0]) / len(steps))
    said = unit_s(name)
    for unit in (said, 1.0, 1e-3, 60.0):
        if unit is not None and _TR_S[0] <= step * unit <= _TR_S[1]:
            if unit in (said, 1.0):
                return step * unit, []
            word = "milliseconds" if unit == 1e-3 else "minutes"
            return step * unit, [
                f"the column {name!r} rises by {step:g}, which looks like {word}: a TR "
                f"of {step * unit:.4g} s"
            ]
    return None, [f"the column {name!r} rises by {step:g}: no TR in any unit"]
