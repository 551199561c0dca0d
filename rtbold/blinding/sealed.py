"""Predictions of a blinded session: into a file that only the statistician can open.

The file has one line for each record, so that a crash loses what was not yet on disk
and nothing before it. Its first line holds a new key, sealed to the statistician; the
process keeps that key in its memory alone. Each record is sealed by itself
(XChaCha20-Poly1305) and tied to its number and to this file, so that a record that was
cut out, exchanged or brought in from elsewhere is found. All records are padded.
"""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rtbold.blinding.keys import (
    NotOpened,
    PublicKeys,
    SecretKeys,
    padded,
    unpadded,
)
from rtbold.clock import Clock
from rtbold.disk import open_file
from rtbold.errors import DataFileError
from rtbold.record import EventLogState, LineLog

if TYPE_CHECKING:
    from nacl.secret import Aead

SEALED_NAME: Final = "sealed.jsonl"
SEALED_FORMAT: Final = "rtbold.sealed/1"
LARGEST_SEALED: Final = 4_000_000_000  # bytes
LONGEST_LINE: Final = 16_000_000
PADDED_BYTES: Final = 1024
_END: Final = b"end"


class Sealer:
    """Turns records into lines; pure but for the randomness of keys.

    Parameters
    ----------
    keys : of the statistician.
    session : ties the records to this session.
    """

    def __init__(self, keys: PublicKeys, session: str) -> None:
        from nacl.secret import Aead

        key = os.urandom(Aead.KEY_SIZE)
        self._box = Aead(key)
        self._n = 0
        self.header = {
            "type": "header",
            "format": SEALED_FORMAT,
            "session": session,
            "to": keys.fingerprint,
            "key": base64.b64encode(keys.seal(key)).decode("ascii"),
        }
        self._tie = session.encode()

    def line(self, record: bytes, *, last: bool = False) -> str:
        """Return the next record as a line, without its break."""
        n, self._n = self._n, self._n + 1
        tie = _tie(self._tie, n, last=last)
        box = self._box.encrypt(padded(record, PADDED_BYTES), tie)
        text = base64.b64encode(bytes(box)).decode("ascii")
        fields: dict[str, object] = {"n": n, "box": text}
        return json.dumps(fields | ({"last": True} if last else {}))


def _tie(session: bytes, n: int, *, last: bool) -> bytes:
    return b"\0".join((session, str(n).encode(), _END if last else b""))


class SealedLog(LineLog):
    """``sealed.jsonl``; handing over never waits, see `LineLog`.

    Parameters
    ----------
    path : a new file.
    clock : paces retries and syncs to disk.
    sealer : of this session.
    """

    def __init__(self, path: Path, clock: Clock, sealer: Sealer) -> None:
        super().__init__(path, clock, header=sealer.header)
        self._sealer = sealer
        self._ended = False

    def append(self, what: str, fields: Mapping[str, object]) -> None:
        """Hand over one record; the file never says of which kind it is."""
        record = msgspec.json.encode({"record": what, **fields})
        self.put("a sealed record", lambda: self._sealer.line(record))

    def close(self, timeout_s: float = 5.0) -> EventLogState:
        """Write the last record, without which the file is not whole, and close."""
        if not self._ended:
            self._ended = True
            self.put("the end", lambda: self._sealer.line(b"{}", last=True))
        return super().close(timeout_s)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sealed file holds, in its order."""

    session: str
    records: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]  # what is missing or altered

    def of(self, what: str) -> tuple[Mapping[str, Any], ...]:
        """Return the records of one kind."""
        return tuple(each for each in self.records if each["record"] == what)


class _Header(msgspec.Struct, frozen=True):
    format: str
    session: str
    to: str
    key: str


class _Line(msgspec.Struct, frozen=True):
    n: int | None = None
    box: str = ""
    last: bool = False
    type: str = ""


def open_sealed(path: Path, secret: SecretKeys) -> Opened:
    """Return what a session has sealed, and what is missing of it.

    Raises
    ------
    DataFileError : it is no sealed file, or is damaged in its first line.
    NotOpened : it was sealed to another key.
    """
    from nacl.secret import Aead

    lines = _lines(path)
    try:
        header = msgspec.json.decode(next(lines, b""), type=_Header)
        sealed_key = base64.b64decode(header.key, validate=True)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DataFileError(
            f"{path} has no first line that can be read ({error}), expected what a "
            "blinded session has sealed. Restore it from a copy."
        ) from error
    if header.format != SEALED_FORMAT:
        raise DataFileError(
            f"{path} is {header.format!r}, expected {SEALED_FORMAT!r}. Another version "
            "of rtbold wrote it."
        )
    if header.to != secret.public.fingerprint:
        raise NotOpened(
            f"{path} was sealed to key {header.to}, this is "
            f"{secret.public.fingerprint}. Expected the key of that statistician."
        )
    return _opened(header.session, Aead(secret.open(sealed_key)), lines)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_file(path, at_most_bytes=LARGEST_SEALED) as stream:
            while line := stream.readline(LONGEST_LINE):
                yield line
    except OSError as error:
        raise DataFileError(
            f"cannot read {path}: {error.strerror or error}. Expected the sealed file "
            "of a blinded session."
        ) from error


def _opened(session: str, box: "Aead", lines: Iterator[bytes]) -> Opened:
    """Open line by line; what does not open is told and left out."""
    records: list[Mapping[str, Any]] = []
    notes: list[str] = []
    due, ended = 0, False
    for number, text in enumerate(lines, 2):
        line = _line(text)
        if line is None or line.n is None or line.type or ended:
            if text.strip() and (text.endswith(b"\n") or ended):
                notes.append(_said(number, line, ended=ended))
            continue
        record = _record(session, box, line)
        if record is None:
            notes.append(f"line {number} was altered, or is of another session")
            continue
        if line.n != due:
            notes.append(f"line {number} has record {line.n}, expected {due}")
        due, ended = line.n + 1, line.last
        if not line.last:
            records.append(record)
    if not ended:
        notes.append("it has no last record: the session crashed, or it was cut off")
    return Opened(session, tuple(records), tuple(notes))


def _said(number: int, line: _Line | None, *, ended: bool) -> str:
    if line is not None and line.type == "lost":
        return f"records were lost before line {number}: the disk took none"
    return f"line {number} " + ("stands after the end" if ended else "is damaged")


def _line(text: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(text, type=_Line)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _record(session: str, box: "Aead", line: _Line) -> Mapping[str, Any] | None:
    from nacl.exceptions import CryptoError

    assert line.n is not None  # the caller looked
    tie = _tie(session.encode(), line.n, last=line.last)
    try:
        data = box.decrypt(base64.b64decode(line.box, validate=True), tie)
        record = msgspec.json.decode(unpadded(bytes(data)))
    except (CryptoError, ValueError, TypeError, msgspec.MsgspecError):
        return None
    if not isinstance(record, dict) or not (line.last or "record" in record):
        return None
    return record
