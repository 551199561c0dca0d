"""The published NeuroBOLT table, a pickled DataFrame, read without running anything.

Unpickling calls whatever the file names. Here the few names that a DataFrame of
numbers needs are admitted, by an exact list, and each stands for an inert record of
what was to be called with what. The table is then put together from those records: no
code of pandas or numpy sees a state that a stranger wrote. pandas need not be there.

Layouts: pandas 1.3 to 3 (blocks as arguments of the manager), and pandas before 1.3
(blocks in the manager's state, under the key "0.14.1").
"""

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

MOST_BYTES = 64 * 2**20  # 20 minutes of 66 columns are 0.3 MB

_MANAGERS = ("pandas.core.internals.managers", "pandas.core.internals")
ADMITTED: dict[tuple[str, str], str] = {
    ("pandas", "DataFrame"): "frame",
    ("pandas.core.frame", "DataFrame"): "frame",
    **{(module, "BlockManager"): "manager" for module in _MANAGERS},
    ("pandas._libs.internals", "_unpickle_block"): "block",
    ("pandas.core.indexes.base", "_new_Index"): "new_index",
    ("pandas", "Index"): "index",
    ("pandas.core.indexes.base", "Index"): "index",
    ("pandas", "RangeIndex"): "index",
    ("pandas.core.indexes.range", "RangeIndex"): "index",
    ("pandas.core.indexes.numeric", "Int64Index"): "index",
    ("pandas.core.indexes.numeric", "Float64Index"): "index",
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): "new_strings",
    ("pandas.arrays", "StringArray"): "strings",
    ("pandas.core.arrays.string_", "StringArray"): "strings",
    ("pandas", "StringDtype"): "string_dtype",
    ("pandas.core.arrays.string_", "StringDtype"): "string_dtype",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "new_array",
    ("numpy._core.multiarray", "_reconstruct"): "new_array",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("builtins", "slice"): "slice",
    ("__builtin__", "slice"): "slice",
    ("_codecs", "encode"): "encode",
}
_NUMBERS = re.compile(r"[fiu][1248]|b1")
Item = Any  # whatever a pickle holds; trusted in nothing
_PUT = ("PUT", "BINPUT", "LONG_BINPUT")


class _Record:
    """What was to be called, with what, and the state it was to be given."""

    kind: ClassVar[str] = ""
    args: tuple[Item, ...]
    state: Item

    def __new__(cls, *args: Item) -> Self:  # a pickle may skip __init__
        made = super().__new__(cls)
        made.args, made.state = args, None
        return made

    def __setstate__(self, state: Item) -> None:
        self.state = state


class _Refused(Exception):
    """The pickle is none that this reader takes; the text says why."""


class _Inert(pickle.Unpickler):
    """Gives records in place of everything that a pickle names."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._types: dict[str, type[_Record]] = {}

    def find_class(self, module: str, name: str) -> type[_Record]:
        kind = ADMITTED.get((module, name))
        if kind is None:
            raise _Refused(f"it names {module}.{name}, which no table needs")
        if kind not in self._types:
            # A type of this read alone: a state put on it reaches nobody else.
            self._types[kind] = type(kind, (_Record,), {"kind": kind})
        return self._types[kind]

    def persistent_load(self, pid: Item) -> NoReturn:
        raise _Refused("it refers to objects outside of itself")


def read_pickle(path: Path) -> RawTable:
    """Read a pickled DataFrame of numbers, with its column names.

    Raises
    ------
    DataFileError : it is damaged, no DataFrame of numbers, or names anything else.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _Refused(f"it has {path.stat().st_size} bytes, a scan has far fewer")
        content = path.read_bytes()
        _check_opcodes(content)
        names, values = _frame(_Inert(content).load())
    except _Refused as refusal:
        raise DataFileError(
            f"{path.name} is refused: {refusal}. Expected a pickled pandas DataFrame "
            "of numbers with one named column per ROI; nothing in it was run. Save the "
            "table as TSV: frame.to_csv(name, sep='\\t', index=False)."
        ) from None
    except Exception as error:  # a damaged pickle fails in any way
        raise DataFileError(
            f"{path.name} is damaged or no pickle ({type(error).__name__}: {error}), "
            "expected a pickled pandas DataFrame. Copy it again, or save it as TSV."
        ) from error
    return RawTable(values=values, names=names, counts=True)


def _check_opcodes(content: bytes) -> None:
    """Refuse what would make the unpickler itself take any amount of memory."""
    for opcode, arg, _ in pickletools.genops(content):
        if opcode.name in _PUT and isinstance(arg, int) and arg > len(content):
            raise _Refused("it asks for a memo larger than itself")
        if opcode.name.startswith("EXT"):
            raise _Refused("it names something by a number of a registry")


def _is(item: object, kind: str) -> bool:
    return isinstance(item, _Record) and item.kind == kind


def _frame(root: Item) -> tuple[tuple[str, ...], FloatArray]:
    if not _is(root, "frame") or not isinstance(root.state, dict):
        raise _Refused("it holds no DataFrame")
    manager = root.state.get("_mgr", root.state.get("_data"))
    if not _is(manager, "manager"):
        raise _Refused("its DataFrame has no blocks of values")
    blocks, axes = _blocks_and_axes(manager)
    names = _labels(axes[0])
    values = np.full((len(names), _length(blocks)), np.nan)
    seen = np.zeros(len(names), bool)
    for block, where in blocks:
        rows = _places(where, len(names))
        if seen[rows].any() or block.shape[0] != len(rows):
            raise _Refused("its blocks do not fit its columns")
        values[rows], seen[rows] = block, True
    if not seen.all():
        raise _Refused("some of its columns have no values")
    return names, np.ascontiguousarray(values.T)


def _blocks_and_axes(manager: Item) -> tuple[list[tuple[np.ndarray, Item]], list[Item]]:
    if manager.args:
        blocks, axes = manager.args
        return [(_array(b.args[0]), b.args[1]) for b in blocks if _block(b)], axes
    state = manager.state[3]["0.14.1"]
    return [(_array(b["values"]), b["mgr_locs"]) for b in state["blocks"]], state[
        "axes"
    ]


def _block(item: Item) -> bool:
    if not _is(item, "block"):
        raise _Refused("one of its blocks is none")
    return True


def _length(blocks: list[tuple[np.ndarray, Item]]) -> int:
    lengths = {block.shape[1] for block, _ in blocks if block.ndim == 2}
    if len(lengths) != 1 or any(block.ndim != 2 for block, _ in blocks):
        raise _Refused("its blocks are no tables of one length")
    return int(lengths.pop())


def _places(where: Item, n: int) -> np.ndarray:
    """Return the columns of one block."""
    if _is(where, "slice"):
        start, stop, step = where.args
        places = np.arange(start, stop, step or 1)
    else:
        places = _array(where).astype(np.int64)
    if places.ndim != 1 or ((places < 0) | (places >= n)).any():
        raise _Refused("its blocks lie outside of its columns")
    return places


def _labels(axis: Item) -> tuple[str, ...]:
    if not _is(axis, "new_index"):
        raise _Refused("its columns have no names")
    held = axis.args[1].get("data")
    if _is(held, "new_strings"):
        held = next(part for part in held.state if isinstance(part, _Record)
                    and part.kind in ("new_array", "frombuffer"))  # fmt: skip
    labels = _array(held) if isinstance(held, _Record) else None
    if labels is None or not all(isinstance(label, str) for label in labels):
        raise _Refused("its columns are numbered, expected names")
    return tuple(labels)


def _array(item: Item) -> np.ndarray:
    """Return the array that a record describes: numbers, or a list of objects."""
    if _is(item, "frombuffer"):
        raw, dtype, shape, order = item.args
        return _from_bytes(raw, dtype, shape, order)
    if not _is(item, "new_array") or not isinstance(item.state, tuple):
        raise _Refused("its values are no numpy array")
    _, shape, dtype, fortran, raw = item.state
    if isinstance(raw, list):
        objects = np.empty(len(raw), dtype=object)
        objects[:] = raw
        return objects.reshape(shape)
    return _from_bytes(raw, dtype, shape, "F" if fortran else "C")


def _from_bytes(raw: Item, dtype: Item, shape: Item, order: Item) -> np.ndarray:
    if _is(raw, "encode"):  # how protocol 2 writes bytes
        raw = str(raw.args[0]).encode("latin-1")
    code = dtype.args[0] if _is(dtype, "dtype") else None
    if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
        raise _Refused(f"it holds values of type {code!r}, expected numbers")
    byte_order = dtype.state[1] if dtype.state else "<"
    if byte_order not in ("<", ">", "=", "|") or order not in ("C", "F"):
        raise _Refused(f"its values have the byte order {byte_order!r}")
    numbers = np.frombuffer(bytes(raw), np.dtype(f"{byte_order}{code}"))
    return numbers.reshape(tuple(int(n) for n in shape), order=order).copy()
