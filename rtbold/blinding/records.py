"""What stands beside a blinded session: that it is blinded, guesses, who unblinded it.

blinding.json      study, place and whose key opens it; no arm
guesses.jsonl      which arm operator and participant guess, before unblinding
unblinding.jsonl   who asked, when and why; also where the key did not fit
unblinded.jsonl    what the sealed file held; its first line names the arm
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from rtbold.blinding.design import ARMS, ArmName
from rtbold.blinding.keys import SecretKeys
from rtbold.blinding.sealed import SEALED_NAME, Opened, open_sealed
from rtbold.disk import read_file
from rtbold.errors import ConfigError, DataFileError
from rtbold.owner_only import create, write_all, write_bytes
from rtbold.text import printable

BLINDING_NAME: Final = "blinding.json"
GUESSES_NAME: Final = "guesses.jsonl"
UNBLINDING_NAME: Final = "unblinding.jsonl"
UNBLINDED_NAME: Final = "unblinded.jsonl"
BLINDING_FORMAT: Final = "rtbold.blinded/1"
ARM_RECORD: Final = "arm"
_LONGEST_NOTE: Final = 1_000_000  # bytes
_LONGEST_OPENED: Final = 4_000_000_000
_LONGEST_TEXT: Final = 200  # characters

Guesser = Literal["operator", "participant"]
GUESSERS: tuple[Guesser, ...] = get_args(Guesser)
Guessed = ArmName | Literal["sham", "unknown"]
GUESSED: tuple[str, ...] = (*ARMS, "sham", "unknown")


class BlindedNote(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may know of a blinded session."""

    format: str = BLINDING_FORMAT
    study: str
    code: str  # the opaque code of the place
    statistician: str  # fingerprint of the key that opens it
    protocol_sha256: str | None = None


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody thinks the arm was."""

    who: Guesser
    guess: str
    confidence: int  # 0: a mere guess; 100: certain
    t_unix_s: float


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody asked for the arm, with a key that fits or not."""

    who: str
    why: str
    t_unix_s: float
    key: str  # fingerprint
    guessed: tuple[str, ...]  # who had guessed by then


def note_of(folder: Path) -> BlindedNote | None:
    """Return what a session's folder says of its blinding; None: it is not blinded.

    Raises
    ------
    DataFileError : it cannot be read.
    """
    path = folder / BLINDING_NAME
    if not path.exists():
        if (folder / SEALED_NAME).exists():
            raise DataFileError(
                f"{folder} has {SEALED_NAME} and no {BLINDING_NAME}, expected both of "
                "a blinded session. Restore it from a copy."
            )
        return None
    try:
        data = read_file(path, at_most_bytes=_LONGEST_NOTE)
        return msgspec.json.decode(data, type=BlindedNote)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected what a blinded session is. "
            "Restore it from a copy."
        ) from error


def needed_note(folder: Path) -> BlindedNote:
    """Return what a blinded session is.

    Raises
    ------
    ConfigError : it is not blinded.
    DataFileError : it cannot be read.
    """
    if (note := note_of(folder)) is None:
        raise ConfigError(
            f"{folder} is no blinded session: it has no {BLINDING_NAME}. Expected the "
            "folder of a run that was started with --blind."
        )
    return note


def write_note(folder: Path, note: BlindedNote) -> None:
    """Write what everybody may know.

    Raises
    ------
    OSError : it cannot be written.
    """
    write_bytes(folder / BLINDING_NAME, msgspec.json.encode(note) + b"\n")


def guess(folder: Path, given: Guess) -> None:
    """Write down a guess; nobody may guess once somebody has asked for the arm.

    Raises
    ------
    ConfigError : it is not blinded, is no guess, or comes too late.
    """
    needed_note(folder)
    if given.guess not in GUESSED:
        raise ConfigError(
            f"the guess is {printable(given.guess)!r}, expected one of "
            f"{', '.join(GUESSED)}."
        )
    if not 0 <= given.confidence <= 100:
        raise ConfigError(
            f"the confidence is {given.confidence}, expected 0 (a mere guess) to 100."
        )
    if (folder / UNBLINDING_NAME).exists():
        raise ConfigError(
            f"{folder} was unblinded, or somebody tried; a guess after it is none. See "
            f"{UNBLINDING_NAME}."
        )
    if given.who in {each.who for each in guesses(folder)}:
        raise ConfigError(f"the {given.who} has guessed already; the first one counts.")
    _append(folder / GUESSES_NAME, given)


def guesses(folder: Path) -> tuple[Guess, ...]:
    """Return the guesses so far.

    Raises
    ------
    DataFileError : they cannot be read.
    """
    path = folder / GUESSES_NAME
    if not path.exists():
        return ()
    try:
        lines = read_file(path, at_most_bytes=_LONGEST_NOTE).splitlines()
        return tuple(msgspec.json.decode(line, type=Guess) for line in lines)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path} cannot be read: {error}. Restore it.") from error


def unblind(
    folder: Path, secret: SecretKeys, *, who: str, why: str, now_unix_s: float
) -> Opened:
    """Open a blinded session, and write beside it who asked, before anything opens.

    Raises
    ------
    ConfigError : it is not blinded, or nobody says who asks.
    NotOpened : the key does not fit; that it was tried stays written.
    DataFileError : the sealed file is missing or damaged.
    """
    needed_note(folder)
    if not who.strip():
        raise ConfigError("nobody is named who asks, expected initials or a role: --by")
    asked = Asked(
        who=printable(who, _LONGEST_TEXT),
        why=printable(why, _LONGEST_TEXT),
        t_unix_s=round(now_unix_s, 3),
        key=secret.public.fingerprint,
        guessed=tuple(each.who for each in guesses(folder)),
    )
    _append(folder / UNBLINDING_NAME, asked)
    opened = open_sealed(folder / SEALED_NAME, secret)
    if not opened.of(ARM_RECORD):
        raise DataFileError(
            f"{folder / SEALED_NAME} opens and does not say which arm it was: its "
            f"beginning is missing ({'; '.join(opened.notes)}). The allocation says "
            "it: rtbold blind list."
        )
    lines = [msgspec.json.encode(record) for record in opened.records]
    write_bytes(folder / UNBLINDED_NAME, b"\n".join([*lines, b""]))
    return opened


def opened_records(folder: Path) -> Sequence[Mapping[str, Any]] | None:
    """Return what `unblind` has opened before; None: nobody has.

    Raises
    ------
    DataFileError : it cannot be read.
    """
    path = folder / UNBLINDED_NAME
    if not path.exists():
        return None
    try:
        lines = read_file(path, at_most_bytes=_LONGEST_OPENED).splitlines()
        found: list[dict[str, Any]] = [
            msgspec.json.decode(line, type=dict) for line in lines
        ]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataFileError(
            f"{path} cannot be read: {error}. Unblind the session again."
        ) from error
    return found


def _append(path: Path, line: msgspec.Struct) -> None:
    with create(path) as stream:
        write_all(stream, msgspec.json.encode(line) + b"\n")
        os.fsync(stream.fileno())
