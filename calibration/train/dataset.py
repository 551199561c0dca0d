"""Scans that a model is trained on: frozen scaling of targets, and simulated ones."""

import hashlib
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rtbold.bundle import Card, Normalisation
from rtbold.calibration.datasets.cache import entry_of, open_cache
from rtbold.calibration.datasets.prepare import PrepareSettings, prepare
from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.calibration.fit.target import TargetSettings
from rtbold.messages import (
    Float32Array,
    FloatArray,
)
from rtbold.sim import Level, TwinRecording, TwinSettings, simulate


def fit_normalisation(scans: Sequence[Scan], lowpass_hz: float | None) -> Normalisation:
    """Return the mean and sd of each ROI over the training volumes, to be frozen."""
    bold = np.concatenate([scan.bold for scan in scans])
    mean, scale = bold.mean(axis=0), bold.std(axis=0)
    return Normalisation(
        method="zscore",
        mean=tuple(float(value) for value in mean),
        scale=tuple(float(value) for value in scale),
        lowpass_hz=lowpass_hz,
    )


def normalised(bold: FloatArray, normalisation: Normalisation) -> Float32Array:
    """Return targets in model units."""
    mean, scale = np.array(normalisation.mean), np.array(normalisation.scale)
    units: Float32Array = ((bold - mean) / scale).astype(np.float32)
    return units


def data_sha256(scans: Sequence[Scan]) -> str:
    """Return a hash of everything a fit on these scans sees."""
    digest = hashlib.sha256()
    for scan in scans:
        made = (scan.eeg_uv, scan.first, scan.bold, scan.matrices, scan.matrix_of)
        for array in made:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TwinScans:
    """Which simulated scans: one subject per seed."""

    level: Level
    duration_s: float
    card: Card  # channels, TR and conditioning are used
    cache: Path

    def make(self, seeds: Sequence[int], *, n_processes: int) -> list[Scan]:
        """Return the scans, made in parallel where they are not in the cache."""
        missing = [seed for seed in seeds if not self._known(seed)]
        # Spawned, not forked: this process may have run threads of torch by now.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
            for _ in pool.map(self.ensure, missing):
                pass
        return [self.read(seed) for seed in seeds]

    def recording(self, seed: int) -> TwinRecording:
        """Return the simulated session itself, truth and all."""
        return simulate(self._settings(seed))

    def ensure(self, seed: int) -> None:
        """Put the scan of a seed into the cache, unless it is there."""
        lowpass_hz = self.card.normalisation.lowpass_hz
        settings = PrepareSettings(
            out=self._folder,
            channels=self.card.channels,
            reference=self.card.reference,
            conditioning=self.card.conditioning,
            targets=TargetSettings(lowpass_hz=lowpass_hz, drift_degree=0),
            confounds=(),  # of the body: a model has to do with them as they are
        )
        source = ScanSource(
            name=self._name(seed), subject=f"twin{seed}", twin=self._settings(seed)
        )
        for _ in prepare("twin", [source], settings):
            pass

    def read(self, seed: int) -> Scan:
        """Return a scan from the cache; its targets in the simulated scanner's unit."""
        found = open_cache(self._folder).read(self._name(seed))
        scaling = found.scaling
        bold = found.scan.bold * np.array(scaling.scale) + np.array(scaling.mean)
        return replace(found.scan, bold=bold)

    def _known(self, seed: int) -> bool:
        return entry_of(self._folder, self._name(seed)) is not None

    def _settings(self, seed: int) -> TwinSettings:
        return TwinSettings(
            seed=seed,
            level=self.level,
            duration_s=self.duration_s,
            tr_s=self.card.tr_s,
            channels=self.card.channels,
        )

    def _name(self, seed: int) -> str:
        return f"twin-{self.level}-{seed}"

    @property
    def _folder(self) -> Path:
        return self.cache / f"{self.level}-{self.duration_s:g}s"
