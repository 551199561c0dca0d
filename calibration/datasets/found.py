"""What a layout finds in a folder: scans, and files that make none, with the reason."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rtbold.calibration.datasets.sources import ScanSource
from rtbold.errors import ConfigError

_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_ENTITY: Final = re.compile(r"([A-Za-z]+)-([A-Za-z0-9]+)")


class LeftOutScan(NamedTuple):
    """A scan that is not among the sources, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The scans of one layout."""

    sources: tuple[ScanSource, ...]
    left_out: tuple[LeftOutScan, ...] = ()


def safe_name(text: str) -> str:
    """Return text as it can stand in a file name."""
    return _SAFE.sub("-", text).strip("-.") or "scan"


def entities(stem: str) -> dict[str, str]:
    """Return the BIDS entities of a file name: ``sub-01_run-1_bold`` -> sub, run."""
    pairs = (_ENTITY.fullmatch(part) for part in stem.split("_"))
    return {pair[1]: pair[2] for pair in pairs if pair}


def same_value(one: str | None, other: str | None) -> bool:
    """Whether two values of an entity are one; numbers count (``01`` and ``1``)."""
    if one is None or other is None:
        return one == other
    if one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    return one == other


def fits(
    wanted: Mapping[str, str], found: Mapping[str, str], keys: Sequence[str]
) -> bool:
    """Whether two files agree in these entities."""
    return all(same_value(wanted.get(key), found.get(key)) for key in keys)


def is_there(path: Path) -> bool:
    """Whether a file has content; a link of git-annex that was not fetched has none."""
    return path.is_file()


def files_below(root: Path) -> Iterator[Path]:
    """Yield all files below a folder, sorted; what is hidden (``.git``) is left out."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(files))


def glob_below(root: Path, pattern: str, key: str) -> list[Path]:
    """Return the files that fit a pattern, sorted.

    Raises
    ------
    ConfigError : it is no pattern.
    """
    try:
        return sorted(root.glob(pattern))
    except (NotImplementedError, ValueError) as error:
        raise ConfigError(
            f"{key} is {pattern!r}, which is no pattern of files ({error}). Expected "
            "one that begins at root, such as 'derivatives/**/*_timeseries.tsv'."
        ) from error


def not_fetched(path: Path) -> str:
    """Return why a file is not there."""
    if path.is_symlink():
        return (
            f"{path.name} is a link to content that was not fetched (datalad get "
            f"{path.name})"
        )
    return f"there is no file {path.name}"


def check_unique(sources: Iterable[ScanSource]) -> None:
    """Refuse two scans of one name.

    Raises
    ------
    ConfigError : says which.
    """
    seen: dict[str, ScanSource] = {}
    for source in sources:
        if source.name in seen:
            raise ConfigError(
                f"two scans are called {source.name!r}: {source.what} and "
                f"{seen[source.name].what}. Expected names that differ; give name."
            )
        seen[source.name] = source
