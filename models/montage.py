"""Electrode names that the published LaBraM weights have a position row for."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from rtbold.errors import ConfigError

N_POSITION_ROWS = 129  # row 0 is the class token
_N_ELECTRODES_WITH_ROW = N_POSITION_ROWS - 1

PUBLISHED_CHANNELS = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7",
    "T8", "P7", "P8", "FPZ", "FZ", "CZ", "PZ", "POZ", "OZ", "FT9", "FT10",
    "TP9", "TP10",
)  # fmt: skip


@cache
def electrode_table() -> tuple[str, ...]:
    """Return LaBraM's electrode names in table order (Jiang et al., ICLR 2024)."""
    text = files("rtbold.models").joinpath("labram_positions.json").read_text("utf-8")
    return tuple(json.loads(text))


def position_rows(channels: Sequence[str]) -> list[int]:
    """Return the row of the position embedding for each electrode name.

    Raises
    ------
    ConfigError : a name is not in the table, or beyond its rows. Upper-case 10-20
        names are expected; ``FTT9h`` and its like are spelled in mixed case.
    """
    rows = {
        name: row + 1
        for row, name in enumerate(electrode_table()[:_N_ELECTRODES_WITH_ROW])
    }
    unknown = [name for name in channels if name not in rows]
    if unknown:
        raise ConfigError(
            f"no position row for {', '.join(unknown)}: expected upper-case 10-20 "
            "electrode names of the LaBraM table (CZ, T7, FTT9h). Rename or drop them; "
            f"the nearest known names: {_nearest(unknown, list(rows))}"
        )
    return [rows[name] for name in channels]


def _nearest(unknown: Sequence[str], known: Sequence[str]) -> str:
    folded = {name.upper(): name for name in known}
    found = [get_close_matches(name.upper(), folded, n=3) for name in unknown]
    return "; ".join(
        f"{name}: {', '.join(folded[hit] for hit in hits) or 'none'}"
        for name, hits in zip(unknown, found, strict=True)
    )
