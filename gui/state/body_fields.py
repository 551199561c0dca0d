"""Single fields of a message's body, checked: the wire has JSON and no types. Pure.

Each raises TypeError or ValueError on what is not what it should be.
"""

import math
from collections.abc import Collection
from typing import cast, get_args

import numpy as np

from rtbold.gui.state.received_kinds import LATENCY_STAGES, FloatArray, LogLevel
from rtbold.messages import Status

MOST_VALUES = 100_000  # in a row; more is a fault
LARGEST_COUNT = 2**53  # as JSON itself can be trusted with


def text(value: object) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return a list of strings."""
    return tuple(text(part) for part in listed(value))


def number(value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)


def maybe(value: object) -> float | None:
    """Return a number, or None for null."""
    return None if value is None else number(value)


def count(value: object) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    if abs(value) > LARGEST_COUNT:
        raise ValueError(f"{value} is no number of anything that is counted")
    return value


def maybe_count(value: object) -> int | None:
    """Return a whole number, or None for null."""
    return None if value is None else count(value)


def flag(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def status(value: object) -> Status:
    """Return a status of the closed list."""
    return cast(Status, _one_of(value, get_args(Status)))


def level(value: object) -> LogLevel:
    """Return a level of the log."""
    return cast(LogLevel, _one_of(value, get_args(LogLevel)))


def listed(value: object) -> list[object] | tuple[object, ...]:
    """Return a list as it is."""
    if not isinstance(value, list | tuple) or len(value) > MOST_VALUES:
        raise TypeError(f"{type(value).__name__}, expected a list")
    return value


def row(value: object, n: int | None = None) -> FloatArray:
    """Return (n,) numbers, nan for null; an empty list passes whatever `n` is."""
    parts = listed(value)
    if n is not None and len(parts) not in (0, n):
        raise ValueError(f"{len(parts)} numbers, expected {n}")
    return np.array(
        [math.nan if part is None else number(part) for part in parts], dtype=np.float64
    )


def maybe_row(value: object, n: int | None = None) -> FloatArray | None:
    """Return (n,) numbers; None for null."""
    if value is None:
        return None
    numbers = row(value, n)
    if n is not None and len(numbers) != n:
        raise ValueError(f"{len(numbers)} numbers, expected {n}")
    return numbers


def latency(value: object) -> dict[str, float | None]:
    """Return the milliseconds of each stage; None where one is not known."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} are no stages")
    return {stage: maybe(value.get(stage)) for stage in LATENCY_STAGES}


def _one_of(value: object, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r}, expected one of {', '.join(known)}")
    return cast(str, value)
