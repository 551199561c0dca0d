"""How many channels an ONNX graph takes and how many ROIs it answers.

Read from the file's own bytes, so that a bundle whose card names another number of
channels or ROIs than its model has is refused when it is loaded, whatever engine would
run it. Only the few fields that say so are read (onnx.proto of ONNX 1.x: ModelProto,
GraphProto, ValueInfoProto, TypeProto, TensorShapeProto); weights are stepped over.
"""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from rtbold.bundle.card import Card
from rtbold.disk import open_file
from rtbold.errors import BundleError
from rtbold.messages import WINDOW_SAMPLES

GRAPH_NAME: Final = "model.onnx"
INPUT, OUTPUT = "eeg_uv", "bold"
# Numbers of fields in onnx.proto, and how protobuf writes a field.
_GRAPH, _INPUT, _OUTPUT = 7, 11, 12
_NAME, _TYPE, _TENSOR, _SHAPE, _DIM, _DIM_VALUE = 1, 2, 1, 2, 1, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_PORT_BYTES: Final = 10_000  # of a name and a shape
_MOST_FIELDS: Final = 1_000_000  # of a graph: its nodes and weights
_MOST_VARINT_BYTES: Final = 10

Shape = tuple[int | None, ...]  # None where a size is free


class _NoGraph(Exception):
    """The bytes are not those of a model."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Sizes of a graph's inputs and outputs, by name."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def check_graph(file: Path, card: Card, *, at_most_bytes: int) -> None:
    """Refuse a card whose numbers of channels and ROIs are not its model's.

    Bytes that are no graph are left to the engine, which refuses them.

    Raises
    ------
    BundleError : says both numbers.
    """
    with open_file(file, at_most_bytes=at_most_bytes) as stream:
        ports = read_ports(stream)
    if ports is None:
        return
    for name, found, expected in (
        (INPUT, ports.inputs.get(INPUT), (None, len(card.channels), WINDOW_SAMPLES)),
        (OUTPUT, ports.outputs.get(OUTPUT), (None, len(card.rois))),
    ):
        if found and not _fits(found, expected):
            raise BundleError(
                f"{file}: {name} is {_said(found)}, expected {_said(expected)}, for "
                f"its card names {len(card.channels)} channels and {len(card.rois)} "
                "ROIs. Card and model do not belong together: copy the bundle again "
                "from where it was made, or make it again."
            )


def _fits(found: Shape, expected: Shape) -> bool:
    """Whether every size that both name is the same."""
    return len(found) == len(expected) and all(
        None in (here, there) or here == there
        for here, there in zip(found, expected, strict=True)
    )


def _said(shape: Shape) -> str:
    return f"({', '.join('batch' if n is None else str(n) for n in shape)})"


def read_ports(stream: BinaryIO) -> Ports | None:
    """Return the ports of a model; None where the bytes are not those of one."""
    ports = Ports({}, {})
    stream.seek(0, os.SEEK_END)
    n_bytes = stream.tell()
    stream.seek(0)
    try:
        for graph in _fields(stream, n_bytes):
            if graph.number == _GRAPH:
                _read_graph(stream, graph, ports)
    except _NoGraph:
        return None
    return ports if ports.inputs and ports.outputs else None


def _read_graph(stream: BinaryIO, graph: "_Field", ports: Ports) -> None:
    for field in _fields(stream, graph.end):
        if field.number in (_INPUT, _OUTPUT):
            name, shape = _port(field.read(stream))
            (ports.inputs if field.number == _INPUT else ports.outputs)[name] = shape


def _port(value_info: bytes) -> tuple[str, Shape]:
    """Return name and sizes of one input or output."""
    parts = _parts(value_info)
    name = parts.get(_NAME, [b""])[-1]
    sizes: list[int | None] = []
    for kind in parts.get(_TYPE, []):
        for tensor in _parts(kind).get(_TENSOR, []):
            for shape in _parts(tensor).get(_SHAPE, []):
                sizes += [_size(dim) for dim in _parts(shape).get(_DIM, [])]
    return name.decode("utf-8", errors="replace"), tuple(sizes)


def _size(dim: bytes) -> int | None:
    fields = _fields(io.BytesIO(dim), len(dim))
    return next((f.value for f in fields if f.number == _DIM_VALUE), None)


def _parts(message: bytes) -> dict[int, list[bytes]]:
    """Return the messages and texts in a message, by number of the field."""
    stream, found = io.BytesIO(message), dict[int, list[bytes]]()
    for field in _fields(stream, len(message)):
        if field.value is None:
            found.setdefault(field.number, []).append(field.read(stream))
    return found


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: a number, or bytes that lie from `start` to `end`."""

    number: int
    value: int | None
    start: int
    end: int

    def read(self, stream: BinaryIO) -> bytes:
        if self.value is not None or self.end - self.start > _MOST_PORT_BYTES:
            raise _NoGraph
        stream.seek(self.start)
        return stream.read(self.end - self.start)


def _fields(stream: BinaryIO, end: int) -> Iterator[_Field]:
    """Yield the fields from here to `end`; what is not read is stepped over."""
    place = stream.tell()
    for _ in range(_MOST_FIELDS):
        if place == end:
            return
        stream.seek(place)
        number, kind = divmod(_varint(stream), 8)
        value = _varint(stream) if kind == _VARINT else None
        length = _varint(stream) if kind == _BYTES else _LENGTHS.get(kind)
        if length is None:
            raise _NoGraph
        start = stream.tell()
        place = start + length
        if number == 0 or place > end:
            raise _NoGraph
        yield _Field(number, value, start, place)
    raise _NoGraph


_LENGTHS: Final = {_VARINT: 0, _FIXED64: 8, _FIXED32: 4}


def _varint(stream: BinaryIO) -> int:
    found = 0
    for at in range(_MOST_VARINT_BYTES):
        byte = stream.read(1)
        if not byte:
            raise _NoGraph
        found |= (byte[0] & 0x7F) << (7 * at)
        if byte[0] < 0x80:
            return found
    raise _NoGraph
