"""Electrode names that the published LaBraM weights have a position row for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from rtbold.electrodes import canonical
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


# Which of the electrodes that a checkpoint was trained on are wanted.


@dataclass(frozen=True)
class Montage:
    """Electrodes by name: those of the training, and those wanted of them."""

    wanted: tuple[str, ...] = ()  # empty: all, in the order of the training
    trained: tuple[str, ...] = ()  # empty: the published 26

    def rows(self, n_tokens: int) -> list[int]:
        """Return which of the trained channels are wanted, in the order wanted.

        Raises
        ------
        ConfigError : the trained channels are not known, or a wanted one is not among
            them, or is named twice (T3 and T7).
        """
        trained = self.trained_names(n_tokens)
        if not self.wanted:
            return list(range(n_tokens))
        place = {canonical(name): row for row, name in enumerate(trained)}
        unknown = [given for given in self.wanted if canonical(given) not in place]
        if unknown:
            raise ConfigError(
                f"--channels names {', '.join(unknown)}, for which these weights have "
                f"no channel token; expected some of {' '.join(trained)}"
            )
        _refuse_twins(self.wanted)
        return [place[canonical(name)] for name in self.wanted]

    def trained_names(self, n_tokens: int) -> tuple[str, ...]:
        """Return the electrodes of the training in its order."""
        if not self.trained and n_tokens != len(PUBLISHED_CHANNELS):
            raise ConfigError(
                f"the checkpoint has {n_tokens} channel tokens, the published ones "
                f"have {len(PUBLISHED_CHANNELS)}: which electrodes it was trained on "
                "cannot be seen. Name them in the order of the training: "
                "--trained-channels A,B,..."
            )
        trained = self.trained or PUBLISHED_CHANNELS
        if len(trained) != n_tokens:
            raise ConfigError(
                f"--trained-channels names {len(trained)} electrodes, the checkpoint "
                f"has {n_tokens} channel tokens; name every one, in training order"
            )
        # The training read the table's own rows, T3 beside T7: no alias is resolved.
        table = {name.upper(): name for name in electrode_table()}
        names = tuple(table.get(name.strip().upper(), name) for name in trained)
        _refuse_twins(names)
        return names

    def free(self) -> tuple[str, ...]:
        """Return the electrodes for weights that do not depend on their number.

        Raises
        ------
        ConfigError : `trained` was given, or an electrode is named twice.
        """
        if self.trained:
            raise ConfigError(
                "--trained-channels was given, but these weights have no channel "
                "tokens of electrodes; choose electrodes with --channels"
            )
        _refuse_twins(self.wanted)
        return tuple(map(canonical, self.wanted)) or PUBLISHED_CHANNELS


def _refuse_twins(given: Sequence[str]) -> None:
    names = [canonical(name) for name in given]
    twins = [g for g, name in zip(given, names, strict=True) if names.count(name) > 1]
    if twins:
        raise ConfigError(
            f"{', '.join(twins)} name one electrode more than once, expected each once"
        )
