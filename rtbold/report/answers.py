"""The author's own answers to checklist items, read from a TOML file."""

import tomllib
from pathlib import Path

from rtbold.config import MAX_SETTINGS_BYTES
from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.report.checklists import all_numbers


def read_answers(path: Path | None) -> dict[str, str]:
    """Return the answers by number of the item; none without a file.

    Raises
    ------
    ConfigError : the file cannot be read, or answers what no list asks.
    """
    if path is None:
        return {}
    try:
        text = read_file(path, at_most_bytes=MAX_SETTINGS_BYTES).decode("utf-8")
        given = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}. Expected a TOML file of "
            "answers, such as 1a = 'osf.io/x'."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    known = all_numbers()
    odd = [key for key, said in given.items() if key not in known or not _text(said)]
    if odd:
        raise ConfigError(
            f"{path} answers {', '.join(odd)}, expected a text for each of these "
            f"items: {', '.join(known)}."
        )
    return given


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
