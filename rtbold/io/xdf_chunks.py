"""The chunks of an XDF file: where each one is, and where the file breaks off.

pyxdf fills the end of a sample that was cut off with the bytes of the sample before
it, so a file is first measured here and only its whole chunks are given to pyxdf.
Layout: the XDF 1.0 specification (github.com/sccn/xdf/wiki/Specifications).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from rtbold.errors import DataFileError

MAGIC = b"XDF:"
_FILE_HEADER, _STREAM_HEADER, _FOOTER = 1, 2, 6
_TAGS = range(1, 7)


@dataclass(frozen=True, slots=True)
class XdfChunks:
    """What a walk over the chunks of a file found."""

    stream_xml: dict[int, str]  # stream id -> its header as XML
    n_whole_bytes: int  # up to the end of the last whole chunk
    n_bytes: int  # of the file
    n_footers: int

    @property
    def whole(self) -> bool:
        """Whether the file ends where its last chunk does."""
        return self.n_whole_bytes == self.n_bytes


def walk(path: Path) -> XdfChunks:
    """Walk over the chunks of `path`, reading headers only.

    Raises
    ------
    DataFileError
        The file does not start as XDF does.
    """
    n_bytes = path.stat().st_size
    stream_xml: dict[int, str] = {}
    n_footers = 0
    with path.open("rb") as file:
        if (magic := file.read(4)) != MAGIC:
            raise DataFileError(
                f"{path.name} is no XDF file: it starts with {magic!r}, expected "
                f"{MAGIC!r}. Rename it to what it is, or record it again."
            )
        end = file.tell()
        while end < n_bytes:
            n_content = _read_length(file.read(9))
            if n_content is None:
                break
            n_length, length = n_content
            start = end + n_length
            if length < 2 or start + length > n_bytes:
                break
            file.seek(start)
            (tag,) = struct.unpack("<H", file.read(2))
            if tag not in _TAGS:
                break
            if tag == _STREAM_HEADER:
                (stream_id,) = struct.unpack("<I", file.read(4))
                stream_xml[stream_id] = file.read(length - 6).decode("utf-8", "replace")
            n_footers += tag == _FOOTER
            end = start + length
            file.seek(end)
    return XdfChunks(stream_xml, end, n_bytes, n_footers)


def _read_length(head: bytes) -> tuple[int, int] | None:
    """Return (bytes of the length field, length); None where there is none."""
    if not head or head[0] not in (1, 4, 8) or len(head) < 1 + head[0]:
        return None
    width = head[0]
    return 1 + width, int.from_bytes(head[1 : 1 + width], "little")
