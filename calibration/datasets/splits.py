"""Which windows of a cache a model learns from, is chosen by, and is tested on.

Where subjects are split, all scans of a subject are on one side. Where a scan is split
in time, a gap lies between the parts. The test part is sealed: it opens once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, NoReturn, get_args

import numpy as np

from rtbold.calibration.datasets.cache import Cache, PreparedScan
from rtbold.calibration.datasets.sheet import Sheet, read_sheet
from rtbold.calibration.fit.split import (
    IntArray,
    Part,
    final_part,
    published_split,
    strict_folds,
)
from rtbold.calibration.lineage import same_scan
from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.text import did_you_mean, first_few

Rule = Literal[
    "published-within",
    "published-across",
    "strict-within",
    "leave-one-subject-out",
    "leave-one-session-out",
]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)
ACROSS_N: Final = 5  # groups of subjects: three learn, one chooses, one tests
STRICT_N: Final = 5  # test folds that tile a scan
VALIDATION_SHARE: Final = 0.25  # of the subjects that are not tested
SHEETS: Final = (".xlsx", ".csv", ".tsv", ".txt")

Rows = Mapping[str, IntArray]  # scan -> rows of its windows
Parts = tuple[Rows, Rows, Rows]  # train, validation, test


class Sealed:
    """The rows of a test part, which are told once.

    What was opened once has been seen; a model that is changed after that is tested on
    what it was chosen by. So it cannot be copied, nor sent to another process.
    """

    __slots__ = ("_opened_for", "_rows")

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._opened_for: str | None = None

    @property
    def opened_for(self) -> str | None:
        """The reason that was given; None: it is closed."""
        return self._opened_for

    def __len__(self) -> int:
        """Return how many windows it holds."""
        return sum(map(len, self._rows.values()))

    def open(self, reason: str) -> Rows:
        """Return the rows.

        Parameters
        ----------
        reason : what for, such as "the final score of recipe ridge".

        Raises
        ------
        RtboldError : it was opened before.
        ConfigError : no reason is given.
        """
        if not reason.strip():
            raise ConfigError(
                "the test part was to be opened without a reason, expected what for"
            )
        if self._opened_for is not None:
            raise RtboldError(
                f"the test part was opened before, for {self._opened_for!r}, and now "
                f"for {reason!r}; expected once, at the end: what is chosen after a "
                "look at it is not tested by it. Keep what the first opening returned, "
                "or choose on the validation part."
            )
        self._opened_for = reason
        return self._rows

    def __reduce__(self) -> NoReturn:
        """Refuse copies: each could be opened once more."""
        raise TypeError(
            "a sealed test part cannot be copied or pickled; pass the other parts, and "
            "open it where the split was made"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One fold of a split."""

    rule: str
    fold: int  # from 0
    folds: tuple[str, ...]  # what each fold of this rule tests
    train: Rows
    validation: Rows
    test: Sealed


def split_of(cache: Cache, rule: str, *, fold: int = 0, seed: int = 0) -> Split:
    """Return one fold of a split.

    Parameters
    ----------
    rule : one of `RULES`, or the path of a sheet.
    fold : from 0; within a scan a fold is one scan (and one of five test parts of it),
        as one model a scan is trained.
    seed : of the draw of subjects, where they are drawn.

    Raises
    ------
    ConfigError : there is no such rule or fold, the cache holds too few subjects or
        sessions, or a sheet has a subject on both sides.
    DataFileError : a scan is too short to be split, or lies in the cache twice.
    """
    names, cut = _plan(cache, rule, seed)
    if not 0 <= fold < len(names):
        raise ConfigError(
            f"fold is {fold}, expected 0 to {len(names) - 1}: {rule} has "
            f"{len(names)} folds on this cache ({first_few(names)})."
        )
    train, validation, test = (_frozen(rows) for rows in cut(fold))
    _check_parts(cache, (train, validation, test), f"{rule}, fold {fold}")
    return Split(rule, fold, names, train, validation, Sealed(test))


def fold_names(cache: Cache, rule: str, *, seed: int = 0) -> tuple[str, ...]:
    """Return what each fold of a rule tests; for errors see `split_of`."""
    return _plan(cache, rule, seed)[0]


_Plan = tuple[tuple[str, ...], Callable[[int], Parts]]  # names of folds, fold -> parts


def _plan(cache: Cache, rule: str, seed: int) -> _Plan:
    match rule:
        case "published-within":
            return _within(cache, 1, lambda scan, _: _published(scan))
        case "strict-within":
            return _within(cache, STRICT_N, _strict)
        case "published-across":
            return _across(cache, seed)
        case "leave-one-subject-out":
            return _one_subject_out(cache, seed)
        case "leave-one-session-out":
            return _one_session_out(cache)
    if Path(rule).suffix.lower() in SHEETS:
        return _by_sheet(cache, Path(rule))
    raise ConfigError(
        f"there is no split {rule!r}, expected one of {', '.join(RULES)}, or a sheet "
        f"({', '.join(SHEETS)}).{did_you_mean([rule], RULES)}"
    )


# Within a scan, in time.


def _within(
    cache: Cache, n_parts: int, cut: Callable[[PreparedScan, int], Part]
) -> _Plan:
    """Return folds that are one scan each, or one test part of it."""

    def parts(fold: int) -> Parts:
        scan = cache.scans[fold // n_parts]
        try:
            part = cut(scan, fold % n_parts)
        except DataFileError as error:
            raise DataFileError(f"scan {scan.name}: {error}") from error
        return {scan.name: part.train}, {scan.name: part.stop}, {scan.name: part.test}

    names = [
        scan.name if n_parts == 1 else f"{scan.name} part {k + 1} of {n_parts}"
        for scan in cache.scans
        for k in range(n_parts)
    ]
    return tuple(names), parts


def _published(scan: PreparedScan) -> Part:
    return published_split(len(scan), scan.tr_s)


def _strict(scan: PreparedScan, number: int) -> Part:
    return strict_folds(scan.scan.onsets_s)[number]


def _one_session_out(cache: Cache) -> _Plan:
    """Return folds that test a session on a model of the subject's other sessions.

    Validation is the end of each of these scans, behind the strict gap.
    """
    sessions: dict[str, set[str]] = defaultdict(set)
    for scan in cache.scans:
        sessions[scan.subject].add(scan.session)
    folds = [
        (subject, session)
        for subject in sorted(sessions)
        if len(sessions[subject]) > 1
        for session in sorted(sessions[subject])
    ]
    if not folds:
        raise ConfigError(
            f"no subject of {cache.folder} has two sessions, expected some for "
            "leave-one-session-out. Use leave-one-subject-out, or name the sessions in "
            "the description of the data set."
        )

    def parts(fold: int) -> Parts:
        subject, session = folds[fold]
        own = [scan for scan in cache.scans if scan.subject == subject]
        others = [scan for scan in own if scan.session != session]
        cuts = {scan.name: final_part(scan.scan.onsets_s) for scan in others}
        return (
            {name: part.train for name, part in cuts.items()},
            {name: part.stop for name, part in cuts.items()},
            _all(scan for scan in own if scan.session == session),
        )

    return tuple(f"{subject} session {session}" for subject, session in folds), parts


# Over subjects.


def _across(cache: Cache, seed: int) -> _Plan:
    drawn = _drawn(cache.subjects, seed)
    _require_subjects(cache, ACROSS_N, "published-across")
    groups = np.array_split(np.array(drawn, dtype=object), ACROSS_N)

    def parts(fold: int) -> Parts:
        test, validation = set(groups[fold]), set(groups[(fold + 1) % ACROSS_N])
        return _by_subject(cache, validation=validation, test=test)

    return tuple(", ".join(sorted(group)) for group in groups), parts


def _one_subject_out(cache: Cache, seed: int) -> _Plan:
    _require_subjects(cache, 3, "leave-one-subject-out")
    subjects = cache.subjects

    def parts(fold: int) -> Parts:
        others = [name for name in _drawn(subjects, seed) if name != subjects[fold]]
        n_validation = max(round(VALIDATION_SHARE * len(others)), 1)
        validation = set(others[:n_validation])
        return _by_subject(cache, validation=validation, test={subjects[fold]})

    return subjects, parts


def _by_subject(cache: Cache, *, validation: set[str], test: set[str]) -> Parts:
    apart = validation | test
    return (
        _all(scan for scan in cache.scans if scan.subject not in apart),
        _all(scan for scan in cache.scans if scan.subject in validation),
        _all(scan for scan in cache.scans if scan.subject in test),
    )


def _drawn(subjects: Sequence[str], seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(subjects))
    return [subjects[k] for k in order]


def _require_subjects(cache: Cache, least_n: int, rule: str) -> None:
    if (n := len(cache.subjects)) < least_n:
        raise ConfigError(
            f"{cache.folder} holds scans of {n} subjects, expected at least {least_n} "
            f"for {rule}. Prepare more, or split within scans (strict-within)."
        )


# By a sheet.


def _by_sheet(cache: Cache, path: Path) -> _Plan:
    sheets = dict(read_sheet(path))
    if not sheets:
        raise ConfigError(f"{path} has no sheet, expected at least one fold.")
    names = tuple(sheets)

    def parts(fold: int) -> Parts:
        return _of_sheet(cache, sheets[names[fold]], f"{path.name}, {names[fold]}")

    return names, parts


def _of_sheet(cache: Cache, sheet: Sheet, where: str) -> Parts:
    known = {scan.name for scan in cache.scans}
    left_out = {scan.name for scan in cache.left_out}
    if unknown := [name for name in sheet if name not in known | left_out]:
        raise ConfigError(
            f"{where} names {len(unknown)} scans that are not in {cache.folder}: "
            f"{first_few(unknown)}. Expected names such as "
            f"{first_few(sorted(known), 2)}; prepare them, or correct the sheet."
        )

    def part(wanted: str) -> Rows:
        return _all(s for s in cache.scans if sheet.get(s.name) == wanted)

    return part("train"), part("validation"), part("test")


# What holds for every split.


def _check_parts(cache: Cache, parts: Parts, where: str) -> None:
    """Refuse an empty part, and a subject or a recording on two sides.

    A scan that is split in time is the exception: its parts are apart by a gap.
    """
    for title, rows in zip(("training", "validation", "test"), parts, strict=True):
        if not any(len(chosen) for chosen in rows.values()):
            raise ConfigError(
                f"the {title} part of {where} has no window, expected some. Prepare "
                "more scans, or choose another split."
            )
    by_name = {scan.name: scan for scan in cache.scans}
    sides = [[by_name[name] for name in rows] for rows in parts]
    _refuse_twice(sides, where)
    train, validation, test = (set(rows) for rows in parts)
    if not train & (validation | test):
        _refuse_two_sides(sides, where)


def _refuse_two_sides(sides: Sequence[Sequence[PreparedScan]], where: str) -> None:
    subjects = [{scan.subject for scan in side} for side in sides]
    both = sorted(
        subject
        for subject in set().union(*subjects)
        if sum(subject in side for side in subjects) > 1
    )
    if both:
        raise ConfigError(
            f"{where} has scans of {first_few(both)} on more than one side of "
            "training, validation and test, expected all scans of a subject on one: a "
            "model knows a subject that it has seen. Correct the sheet."
        )


def _refuse_twice(sides: Sequence[Sequence[PreparedScan]], where: str) -> None:
    """Refuse the same samples under two names, whatever file they came from."""
    placed = [(number, scan) for number, side in enumerate(sides) for scan in side]
    for k, (number, scan) in enumerate(placed):
        for other_number, other in placed[k + 1 :]:
            if number == other_number or scan.name == other.name:
                continue
            if what := _in_common(scan, other):
                raise DataFileError(
                    f"{where} has the same {what} on two sides: {scan.name} and "
                    f"{other.name} hold the same samples, expected each once. Leave "
                    "one out of the data set."
                )


def _in_common(one: PreparedScan, other: PreparedScan) -> str:
    if one.content_sha256 == other.content_sha256:
        return "recording"
    if one.scan.seen is None or other.scan.seen is None:
        return ""
    return " and ".join(same_scan(one.scan.seen, other.scan.seen))


def _all(scans: Iterator[PreparedScan]) -> Rows:
    return {scan.name: np.arange(len(scan)) for scan in scans}


def _frozen(rows: Rows) -> Rows:
    for chosen in rows.values():
        chosen.flags.writeable = False
    return MappingProxyType(dict(rows))
