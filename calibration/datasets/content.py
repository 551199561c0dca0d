"""What a prepared scan is made from, as a hash: files, settings, samples."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rtbold.calibration.datasets.cache import CacheSettings
from rtbold.calibration.datasets.sources import LoadedScan, ScanSource
from rtbold.disk import sha256_of
from rtbold.errors import DataFileError
from rtbold.record import EVENTS_NAME  # of a session, beside its EEG

MOST_BYTES: Final = 1 << 40  # of one file
MADE_BY: Final = 1  # raised when the same files would give other windows or targets

_HEADER: Final = ".vhdr"
_HEADER_BYTES: Final = 1 << 20
_NAMED = re.compile(rb"^(?:DataFile|MarkerFile)\s*=\s*(.+?)\s*$", re.MULTILINE)


def key_of(source: ScanSource, settings: CacheSettings) -> str:
    """Return the hash that a prepared scan is known by.

    It holds the content of all files of the scan, how they are read, and the settings
    of the cache; not where the files lie.

    Raises
    ------
    DataFileError : a file is not there, or cannot be read.
    """
    digest = hashlib.sha256()
    digest.update(f"{MADE_BY}\n".encode())
    digest.update(msgspec.json.encode(settings, order="sorted"))
    read = msgspec.json.encode(_how_it_is_read(source), order="sorted", enc_hook=str)
    digest.update(read)
    for path in files_of(source):
        try:
            sha256 = sha256_of(path, at_most_bytes=MOST_BYTES)
        except OSError as error:
            raise DataFileError(
                f"{source.what}: {path} cannot be read ({error.strerror or error}), "
                "expected a file of the scan. Put it back, or leave the scan out "
                "(--skip-bad)."
            ) from error
        digest.update(f"{path.name} {sha256}\n".encode())
    return digest.hexdigest()


def files_of(source: ScanSource) -> tuple[Path, ...]:
    """Return every file that a scan is read from, sorted.

    Of a recording that lies in several files (BrainVision, EEGLAB) each one; of a
    folder everything in it.
    """
    named = (source.eeg, source.bold, source.atlas, source.confounds)
    found: set[Path] = set()
    for path in named:
        if path is not None:
            found.update(_with_companions(_without_part(path)))
    return tuple(sorted(found))


def content_sha256(loaded: LoadedScan) -> str:
    """Return a hash of the samples that were measured, whatever file they came from."""
    digest = hashlib.sha256()
    alignment = loaded.alignment
    for row in loaded.eeg.recording.data_uv:
        digest.update(np.ascontiguousarray(row).data)
    for array in (alignment.onsets_s, alignment.bold, loaded.global_signal):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    for name in sorted(loaded.confounds):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(loaded.confounds[name]).data)
    return digest.hexdigest()


def _how_it_is_read(source: ScanSource) -> ScanSource:
    """Return a source without its places, and without what makes no difference."""
    there = Path("there")
    return replace(
        source,
        eeg=source.eeg and there,
        bold=source.bold and there.with_name(f"there{_part(source.bold)}"),
        atlas=source.atlas and there,
        confounds=source.confounds and there,
        blocks=replace(source.blocks, table=None),
    )


def _without_part(path: Path) -> Path:
    """Return ``FILE`` of ``FILE:NAME``."""
    name, colon, _ = path.name.rpartition(":")
    return path.with_name(name) if colon and not path.exists() else path


def _part(path: Path) -> str:
    return path.name[len(_without_part(path).name) :]


def _with_companions(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (p for p in sorted(path.rglob("*")) if p.is_file())
        return
    yield path
    if not path.parent.is_dir():
        return
    stem = f"{path.name.partition('.')[0]}."
    for beside in path.parent.iterdir():
        if beside.is_file() and (
            beside.name.startswith(stem) or beside.name == EVENTS_NAME
        ):
            yield beside
    if path.suffix.lower() == _HEADER and path.is_file():
        yield from _named_by(path)


def _named_by(header: Path) -> Iterator[Path]:
    """Yield the files that a BrainVision header names, where they are there."""
    with header.open("rb") as stream:
        text = stream.read(_HEADER_BYTES)
    for found in _NAMED.findall(text):
        beside = header.parent / found.decode("utf-8", "replace")
        if beside.is_file():
            yield beside
