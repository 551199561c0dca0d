"""Scans of simulated subjects, conditioned as the live loop would, kept in a cache."""

import multiprocessing
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from rtbold.bundle.card import Card, SeenScan
from rtbold.calibration.train.dataset import Recording, Scan, conditioned
from rtbold.sim.settings import Level, TwinSettings
from rtbold.sim.twin import TwinRecording, simulate

_SEEN = "seen_"  # before the names of a scan's marks


@dataclass(frozen=True, slots=True)
class TwinScans:
    """Which simulated scans: one subject per seed."""

    level: Level
    duration_s: float
    card: Card  # channels, TR and conditioning are used
    cache: Path

    def make(self, seeds: Sequence[int], *, n_processes: int) -> list[Scan]:
        """Return the scans, made in parallel where they are not in the cache."""
        self.cache.mkdir(parents=True, exist_ok=True)
        missing = [seed for seed in seeds if not self._path(seed).exists()]
        # Spawned, not forked: this process may have run threads of torch by now.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
            for _ in pool.map(self.ensure, missing):
                pass
        return [self.read(seed) for seed in seeds]

    def recording(self, seed: int) -> TwinRecording:
        """Return the simulated session itself, truth and all."""
        return simulate(
            TwinSettings(
                seed=seed,
                level=self.level,
                duration_s=self.duration_s,
                tr_s=self.card.tr_s,
                channels=self.card.channels,
            )
        )

    def ensure(self, seed: int) -> None:
        """Write the scan of a seed to the cache, unless it is there."""
        if self._path(seed).exists():
            return
        scan = conditioned(as_recording(self.recording(seed)), self.card)
        draft = self._path(seed).with_suffix(".part.npz")
        arrays = {n: getattr(scan, n) for n in ("eeg_uv", "first", "bold", "onsets_s")}
        marks = {} if scan.seen is None else msgspec.structs.asdict(scan.seen)
        np.savez(draft, **arrays, **{f"{_SEEN}{n}": v for n, v in marks.items()})
        draft.replace(self._path(seed))

    def read(self, seed: int) -> Scan:
        """Return a scan from the cache."""
        with np.load(self._path(seed), allow_pickle=False) as arrays:
            found = dict(arrays)
        marks = {
            name.removeprefix(_SEEN): str(found.pop(name))
            for name in list(found)
            if name.startswith(_SEEN)
        }
        seen = SeenScan(**marks) if marks else None  # an older cache has none
        return Scan(name=f"twin {self.level} {seed}", **found, seen=seen)

    def _path(self, seed: int) -> Path:
        chain = msgspec.json.encode(self.card.conditioning)
        tag = f"{self.duration_s:g}s-{zlib.crc32(chain):08x}"
        return self.cache / f"{self.level}-{seed}-{tag}.npz"


def as_recording(twin: TwinRecording) -> Recording:
    """Return what an experimenter would have: EEG, volume times, measured BOLD."""
    return Recording(
        name=f"twin {twin.settings.level} {twin.settings.seed}",
        eeg_uv=twin.eeg_uv,
        rate_hz=twin.rate_hz,
        labels=tuple(channel.label for channel in twin.channels),
        volume_onsets_s=twin.volume_onsets_s,
        bold=twin.bold,
    )
