"""Read a protocol: a TOML file that is data. What is wrong is said with its line."""

import difflib
import hashlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from rtbold.config import FeedbackSettings
from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.protocol.check import problems_of
from rtbold.protocol.lines import Path as Place, key_lines
from rtbold.protocol.study import (
    FORMAT,
    Block,
    ByDirection,
    Placed,
    Question,
    Risky,
    Run,
    Safety,
    Study,
)

MAX_BYTES = 1_000_000
MOST_TOLD = 10  # problems of one file
_AT = re.compile(r" - at `\$(.*)`$")
_FED = re.compile(r"(?:feedback\.|at `\$\.)(\w+)")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol as it was read, and the file that it was read from."""

    study: Study
    text: bytes  # of the file, so that a recording can keep it
    where: str  # its name, for messages
    lines: Mapping[Place, int]

    @property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return hashlib.sha256(self.text).hexdigest()

    def place(self, *path: str | int) -> str:
        """Return file and line of a key, as a message begins: ``nf.toml, line 7``.

        A key that is not there is on the line of what should hold it.
        """
        return _where(self.where, self.lines, path)


def read_protocol(path: Path) -> Protocol:
    """Return the protocol in a file.

    Raises
    ------
    ConfigError : it cannot be read, or is wrong; each problem with its line.
    """
    try:
        text = read_file(path, at_most_bytes=MAX_BYTES)
    except OSError as error:
        raise ConfigError(
            f"cannot read the protocol {path}: {error.strerror or error}. Expected a "
            "TOML file; rtbold protocol new FILE writes one to begin with."
        ) from error
    return parse_protocol(text, where=str(path))


def parse_protocol(text: bytes, *, where: str) -> Protocol:
    """Return the protocol in these bytes.

    Parameters
    ----------
    where : name of the file, for messages.

    Raises
    ------
    ConfigError : it is none, or wrong; each problem with its line.
    """
    try:
        said = text.decode("utf-8")
        given = tomllib.loads(said)
        lines = key_lines(said)
    except RecursionError as error:
        raise ConfigError(f"{where} is nested deeper than any protocol") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    _refuse(where, lines, list(_unknown(given)))
    study = _convert(given, where, lines)
    _refuse(where, lines, [*problems_of(study), *_feedback(study)])
    return Protocol(study, text, where, lines)


def example() -> bytes:
    """Return a commented protocol to begin with."""
    return files("rtbold.protocol").joinpath("example.toml").read_bytes()


Problem = tuple[Place, str]


def _where(file: str, lines: Mapping[Place, int], path: Place) -> str:
    for n in range(len(path), 0, -1):
        if path[:n] in lines:
            return f"{file}, line {lines[path[:n]]}"
    return file


def _refuse(where: str, lines: Mapping[Place, int], problems: list[Problem]) -> None:
    if not problems:
        return
    told = [f"{_where(where, lines, path)}: {what}" for path, what in problems]
    more = len(told) - MOST_TOLD
    last = [f"and {more} problems more"] if more > 0 else []
    raise ConfigError("\n".join([*told[:MOST_TOLD], *last]))


# Keys that nobody knows: a misspelt one must not be passed over.

_BELOW: Final[dict[type, dict[str, type]]] = {
    Study: {"runs": Run, "safety": Safety, "feedback": FeedbackSettings},
    Safety: {"risky": Risky},
    Block: {"instruction": ByDirection},
    Run: {"blocks": Placed},
}
_NAMED: Final[dict[str, type]] = {"blocks": Block, "questions": Question}


def _unknown(given: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _unknown_in(given, Study, ())
    for table, kind in _NAMED.items():
        named = given.get(table)
        if isinstance(named, Mapping):
            for name, each in named.items():
                yield from _unknown_in(each, kind, (table, name))


def _unknown_in(given: object, kind: type, path: Place) -> Iterator[Problem]:
    if isinstance(given, list):
        for i, each in enumerate(given):
            yield from _unknown_in(each, kind, (*path, i))
        return
    if not isinstance(given, Mapping):
        return
    known = list(inspect.signature(kind).parameters)
    for key, value in given.items():
        if key not in known:
            yield (*path, key), _unknown_words(key, known)
        elif (below := _BELOW.get(kind, {}).get(key)) is not None:
            yield from _unknown_in(value, below, (*path, key))


def _unknown_words(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown key {key!r}, expected one of {', '.join(known)}.{hint}"


# Values of the wrong type


def _convert(given: dict[str, Any], where: str, lines: Mapping[Place, int]) -> Study:
    if given.get("format", FORMAT) != FORMAT:
        words = f"format is {given['format']!r}, expected {FORMAT}: another version"
        _refuse(where, lines, [(("format",), f"{words} of rtbold reads it.")])
    problems: list[Problem] = []
    whole = dict(given)
    for table, kind in _NAMED.items():
        if isinstance(given.get(table), dict):
            named = given[table].items()
            whole[table] = {
                name: _converted(each, kind, (table, name), problems.append)
                for name, each in named
            }
    _refuse(where, lines, problems)
    study = _converted(whole, Study, (), problems.append)
    _refuse(where, lines, problems)
    assert isinstance(study, Study)  # else a problem was told
    return study


def _converted(
    given: object, kind: type, path: Place, tell: Callable[[Problem], None]
) -> object:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        words = str(error)
        found = _AT.search(words)
        below = _steps(found.group(1)) if found else ()
        place: Place = (*path, *below)
        keys = [key for key in place if isinstance(key, str)]
        what = f"{keys[-1]}: " if keys else ""
        wanted = _choices(kind, below)
        mend = f"Expected one of {', '.join(wanted)}." if wanted else "Mend that value."
        tell((place, f"{what}{_AT.sub('', words)}. {mend}"))
        return given


def _choices(kind: object, below: Place) -> tuple[str, ...]:
    """Return the words that may stand at a place in a type; none: no such list."""
    for step in below:
        kinds = (kind, *get_args(kind))
        if isinstance(step, int):
            kind = next(iter(get_args(kind)), None)
            continue
        hints = [get_type_hints(k) for k in kinds if isinstance(k, type)]
        kind = next((each[step] for each in hints if step in each), None)
    words = [w for k in (kind, *get_args(kind)) for w in (k, *get_args(k))]
    return tuple(dict.fromkeys(word for word in words if isinstance(word, str)))


def _feedback(study: Study) -> Iterator[Problem]:
    """Yield what the feedback's own settings refuse, at the key that they name."""
    try:
        FeedbackSettings.build(study.feedback)
    except ConfigError as error:
        named = _FED.search(str(error))
        yield ("feedback", *(named.groups() if named else ())), str(error)


def _steps(text: str) -> Place:
    return tuple(int(index) if index else key for key, index in _STEP.findall(text))
