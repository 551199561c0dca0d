"""What a description of a data set can say: the keys of its TOML, checked at the edge.

Imports nothing slow, so that a wrong key is refused at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

import msgspec

from rtbold.config import check_tr
from rtbold.errors import ConfigError
from rtbold.text import did_you_mean

Layout = Literal["neurobolt", "bids", "xdf", "sessions", "twin", "pairs"]
MOST_SEEDS: Final = 100_000
_SPAN: Final = re.compile(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", re.ASCII)
LAYOUTS: Final[tuple[str, ...]] = get_args(Layout)


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scans are read: of all of them, or of one. None: as the layout has it."""

    atlas: str | None = None  # labels or maps, from the TOML's folder
    rois: tuple[str, ...] | None = None
    confounds: tuple[str, ...] | None = None  # columns of a table, with ``*``
    stream: str | None = None  # EEG stream of an XDF
    unit: str | None = None
    reference: str | None = None
    trigger_channel: str | None = None
    tr_s: float | None = None
    trigger: str | None = None
    trigger_stream: str | None = None
    trigger_every: int | None = None
    trigger_run: int | None = None
    dummy_volumes: int | None = None
    spare_triggers: int | None = None
    drop_volumes: int | None = None
    drop_last_volumes: int | None = None
    leave_out: str | None = None  # the reason; of one scan

    def __post_init__(self) -> None:
        """Refuse a TR in milliseconds."""
        check_tr("tr_s", self.tr_s)


class PairChoice(Reading, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scan that is listed with its files, as `calibrate` takes them."""

    eeg: str
    bold: str  # of MAT and XDF with ":NAME" of a part
    subject: str
    session: str = "1"
    name: str | None = None  # None: of subject, session and EEG file
    confounds_table: str | None = None
    events: str | None = None  # a table of onset, duration, trial_type


class NeuroBoltChoice(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Nothing but folders differs between copies of the published set."""

    eeg: str | None = None  # folder of the sets; None: found
    bold: str | None = None  # folder of the pickles or tables; None: found


class BidsChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files of a BIDS folder make scans."""

    subjects: tuple[str, ...] = ()  # empty: all
    sessions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    bold: Literal["image", "series"] | None = None  # None: images with an atlas
    space: str | None = None  # of images or series, where there are several
    images: str = "."  # folder of the images, such as derivatives/fmriprep
    series: str = "derivatives/**/*_timeseries.tsv"  # pattern of ROI time series
    eeg: str = "."  # folder of the EEG, such as derivatives
    confounds_in: str = "derivatives"  # folder of fMRIPrep's confounds
    events: bool = True  # blocks by func/*_events.tsv
    convention: str | None = None  # ds002336, ...; None: by dataset_description.json


class XdfChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files of a folder of XDFs are scans, and whose."""

    files: str = "**/*.xdf"
    bold_stream: str | None = None  # None: the only one of type BOLD
    subject: str | None = None  # pattern with (?P<subject>...), of the path
    session: str | None = None  # pattern with (?P<session>...)


class TwinChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Simulated subjects: one a seed."""

    level: str = "hard"  # of the twin, or "foreign": the other generator
    sessions: tuple[int, ...] = (1,)  # of each subject; the twin has one
    seeds: tuple[int, ...] | str  # numbers, or "1000-1009"
    duration_s: float = 600.0
    tr_s: float = 2.1
    rate_hz: float | None = None  # None: the twin's own
    channels: tuple[str, ...] | None = None


class Description(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A data set in words: one TOML."""

    name: str | None = None
    layout: Layout | None = None
    root: str = "."  # from the TOML's folder
    reading: dict[str, Any] = {}
    changes: dict[str, dict[str, Any]] = {}  # of one scan each, by its name
    scan: tuple[dict[str, Any], ...] = ()
    neurobolt: NeuroBoltChoice = NeuroBoltChoice()
    bids: BidsChoice = BidsChoice()
    xdf: XdfChoice = XdfChoice()
    twin: TwinChoice | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a data set lies, and what is said of all of its scans."""

    root: Path
    home: Path  # folder of the TOML; paths of its keys begin there
    reading: Reading


_Keys = TypeVar("_Keys", bound=msgspec.Struct)


def convert(given: Mapping[str, object], kind: type[_Keys]) -> _Keys:
    """Return a struct of what a TOML holds.

    Raises
    ------
    ConfigError : a key is unknown, missing, or of another type.
    """
    _check_keys(given, kind, "")
    layout = given.get("layout")
    if "layout" in kind.__struct_fields__ and layout not in (None, *LAYOUTS):
        raise ConfigError(
            f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}. Correct it, "
            "or leave it out: it is found."
        )
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{error}. Correct that value.") from error


def _check_keys(
    given: Mapping[str, object], kind: type[msgspec.Struct], where: str
) -> None:
    """Refuse unknown keys, also of tables in tables, with what they could be."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    if unknown := sorted(set(given) - set(fields)):
        raise ConfigError(
            f"unknown keys {', '.join(unknown)}{where}; known ones are "
            f"{', '.join(fields)}.{did_you_mean(unknown, fields)}"
        )
    for name, value in given.items():
        for inner in (fields[name], *get_args(fields[name])):
            struct = isinstance(inner, type) and issubclass(inner, msgspec.Struct)
            if struct and isinstance(value, Mapping):
                _check_keys(value, inner, f" in [{name}]")


def merged(base: Reading, given: Mapping[str, object]) -> Reading:
    """Return `base` with the keys that are given for one scan."""
    own = convert(given, Reading)
    known = {
        field: value
        for field in Reading.__struct_fields__
        if (value := getattr(own, field)) is not None
    }
    return msgspec.structs.replace(base, **known)


def file_at(home: Path, text: str, what: str) -> Path:
    """Return a file that a description names.

    Raises
    ------
    ConfigError : there is none.
    """
    path = home / Path(text).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"{what} is {text!r}, but there is no file {str(path)!r}. Correct the "
            "path; it begins at the description's folder."
        )
    return path


def numbers_of(seeds: tuple[int, ...] | str) -> tuple[int, ...]:
    """Return seeds: a list, or a span such as ``1000-1009``.

    Raises
    ------
    ConfigError : it is no such span, or empty.
    """
    if not isinstance(seeds, str):
        found = seeds
    else:
        span = _SPAN.fullmatch(seeds)
        if span is None:
            raise ConfigError(
                f"seeds is {seeds!r}, expected numbers such as [1, 2, 3], or a span "
                "such as '1000-1009'."
            )
        numbers = range(int(span[1]), int(span[2]) + 1)
        found = tuple(numbers[: MOST_SEEDS + 1])
    if not 0 < len(found) <= MOST_SEEDS:
        raise ConfigError(f"seeds is {seeds!r}, expected 1 to {MOST_SEEDS} numbers.")
    return found
