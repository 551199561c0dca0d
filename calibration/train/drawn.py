"""Sessions of the twin of which nothing but band power is made, to learn from.

A network that reads band power alone needs no EEG. So a recipe may name many more
sessions than anybody would condition, of many populations (`data.drawn`). They are made
once and kept beside the cache; what validates and tests is whole sessions, always.
"""

import hashlib
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch

from rtbold.bundle import Card
from rtbold.calibration.fit.protocol import Progress, Tell, ignore_progress
from rtbold.calibration.train.batches import Batch, Share
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array
from rtbold.models import FINE_BANDS_HZ, N_LAGS, BandPowerNet
from rtbold.sim import (
    PIECE_S,
    TwinSettings,
    as_level,
    read_rois,
    simulate_powers,
)

FOLDER: Final = "drawn"
VERSION: Final = 1  # of what is kept; another one is made anew
N_PIECES: Final = 304  # 10 minutes, and the first window before them
N_SCALING: Final = 100  # sessions that say how large each power is


class DrawnRange(NamedTuple):
    """Some sessions of one level: ``hard:1000-1599``."""

    level: str
    first: int
    last: int

    @property
    def seeds(self) -> range:
        """The subjects."""
        return range(self.first, self.last + 1)


def parse_drawn(words: Iterable[str]) -> list[DrawnRange]:
    """Return what a recipe's `data.drawn` names.

    Raises
    ------
    ConfigError : a word is no level and range of seeds.
    """
    found = []
    for word in words:
        level, _, seeds = word.partition(":")
        first, _, last = seeds.partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise ConfigError(
                f"data.drawn has {word!r}, expected a level of the twin and its seeds, "
                "such as hard:1000-1599"
            )
        found.append(DrawnRange(as_level(level), int(first), int(last)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class DrawnSessions:
    """Log power of every piece and the targets at their beginnings."""

    powers: np.ndarray  # float16 (sessions, pieces, channels, bands)
    targets: Float32Array  # (sessions, pieces, rois), of sd 1 in each session
    sha256: str  # of both

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.powers) * int(self.powers.shape[1] - N_LAGS)

    @property
    def measured(self) -> list[Float32Array]:
        """Return the targets that have a window, session by session."""
        return list(self.targets[:, N_LAGS:])


def refuse_drawn(drawn: Sequence[DrawnRange], seeds: Iterable[int]) -> None:
    """Refuse to learn from subjects that choose or score the model.

    Raises
    ------
    ConfigError : names the first of them.
    """
    for seed in seeds:
        if any(seed in each.seeds for each in drawn):
            raise ConfigError(
                f"data.drawn holds seed {seed}, which is a subject of the validation "
                "or test part. Leave it out of data.drawn, or choose another split"
            )


def draw_sessions(
    drawn: Sequence[DrawnRange],
    network: torch.nn.Module,
    card: Card,
    *,
    folder: Path,
    share: Share | None = None,
    tell: Tell = ignore_progress,
) -> DrawnSessions:
    """Make what is not there yet, and return all of it.

    Several processes make one share each; whoever calls lets them wait for each other
    and calls again.

    Raises
    ------
    ConfigError : the network reads more than band power, or the card is not the twin's.
    """
    if not isinstance(network, BandPowerNet):
        raise ConfigError(
            f"data.drawn is given to a {type(network).__name__}, expected a "
            "bandpower_net: any other network reads what drawn sessions do not have"
        )
    rows, share = _rows(card), share or Share()
    unmix = network.unmix.numpy().astype(np.float64)
    key = hashlib.sha256(
        repr((VERSION, card.channels, FINE_BANDS_HZ, unmix.tolist())).encode()
    ).hexdigest()[:12]
    places = [(each.level, seed) for each in drawn for seed in each.seeds]
    paths = [folder / key / f"{level}-{seed}.npz" for level, seed in places]
    for number, ((level, seed), path) in enumerate(zip(places, paths, strict=True)):
        if number % share.world == share.rank and not path.exists():
            _make(level, seed, card.channels, unmix=unmix, path=path)
            tell(Progress("drawing sessions", number + 1, len(places), None))
    return _read([path for path in paths if path.exists()], rows)


def _rows(card: Card) -> list[int]:
    names = [roi.name for roi in read_rois()]
    strange = [roi for roi in card.rois if roi not in names]
    if strange:
        raise ConfigError(
            f"data.drawn is of the twin, which has no ROI {strange[0]!r}; expected a "
            "cache of the twin's 64 regions of DiFuMo"
        )
    return [names.index(roi) for roi in card.rois]


def _make(
    level: str, seed: int, channels: tuple[str, ...], *, unmix: np.ndarray, path: Path
) -> None:
    settings = TwinSettings(
        seed,
        as_level(level),
        duration_s=N_PIECES * PIECE_S,
        tr_s=PIECE_S,
        first_volume_s=0.0,
        channels=channels,
    )
    made = simulate_powers(settings, unmix, FINE_BANDS_HZ)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as stream:
        np.savez(
            stream,
            powers=made.log_power.astype(np.float16),
            bold=made.bold.astype(np.float32),
        )
    os.replace(draft, path)


def _read(paths: Sequence[Path], rows: Sequence[int]) -> DrawnSessions:
    powers, targets, digest = [], [], hashlib.sha256()
    for path in paths:
        with np.load(path, allow_pickle=False) as found:
            powers.append(found["powers"])
            bold = found["bold"][:, rows]
        targets.append((bold - bold.mean(axis=0)) / bold.std(axis=0))
        digest.update(powers[-1].tobytes())
        digest.update(targets[-1].tobytes())
    return DrawnSessions(np.stack(powers), np.stack(targets), digest.hexdigest())


def scale_by(network: torch.nn.Module, sessions: DrawnSessions) -> None:
    """Freeze mean and sd of each channel's and band's power into the network."""
    assert isinstance(network, BandPowerNet)
    some = sessions.powers[:: max(1, len(sessions.powers) // N_SCALING)]
    table = some.astype(np.float32)
    mean, sd = table.mean(axis=(0, 1)), table.std(axis=(0, 1))  # (channels, bands)
    with torch.no_grad():
        network.power_mean.copy_(torch.from_numpy(mean)[:, None])
        network.power_scale.copy_(torch.from_numpy(np.maximum(sd, 1e-6))[:, None])


class DrawnBatches:
    """Shuffled batches over all drawn sessions; as `TrainingBatches` are.

    Parameters
    ----------
    size : windows of one process.
    jitter : sd of the log gain of a window.
    """

    def __init__(
        self,
        sessions: DrawnSessions,
        *,
        size: int,
        jitter: float,
        seed: int,
        share: Share,
    ) -> None:
        self._sessions, self._jitter = sessions, jitter
        self._size, self._seed, self._share = size, seed, share
        self.n_steps = len(sessions) // (size * share.world)
        if not self.n_steps:
            raise ConfigError(
                f"data.drawn has {len(sessions)} windows, expected at least one batch "
                f"of {size} in each process ({share.world}). Lower "
                "training.batch_size, or name more seeds."
            )

    def epoch(self, number: int, first: int = 0) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch from step `first` on."""
        rng = np.random.default_rng((self._seed, number))
        order = rng.permutation(len(self._sessions))
        whole = self._size * self._share.world
        own = slice(self._share.rank * self._size, (self._share.rank + 1) * self._size)
        each = self._sessions.powers.shape[1] - N_LAGS
        lags = np.arange(-N_LAGS, 0)
        for step in range(first, self.n_steps):
            drawn = np.random.default_rng((self._seed, number, step))
            louder = 2.0 * self._jitter * drawn.standard_normal(whole)[own]
            session, volume = np.divmod(
                order[step * whole : (step + 1) * whole][own], each
            )
            volume += N_LAGS
            powers = self._sessions.powers[session[:, None], volume[:, None] + lags]
            x = powers.astype(np.float32).transpose(0, 2, 1, 3)  # (b, c, lag, band)
            if self._jitter:
                x += louder.astype(np.float32)[:, None, None, None]
            target = self._sessions.targets[session, volume]
            yield Batch(
                step,
                torch.from_numpy(np.ascontiguousarray(x)),
                torch.from_numpy(target),
            )
