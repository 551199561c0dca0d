"""Simulated scans, read once by the network and as band power; kept where asked.

The windows are slices of the EEG after the live loop's conditioning, as a calibration's
are while every channel is good.
"""

import os
import pickle
from dataclasses import dataclass, replace
from functools import cache as cached
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from runner import SOURCES, code_hash

from rtbold.bundle import LikenessReference, store as bundle
from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.fit.base import Base, adapt_base
from rtbold.calibration.fit.head import read_features
from rtbold.calibration.fit.protocol import Material, Pace, ignore_progress, untimed
from rtbold.calibration.fit.ridge import FitFeatures
from rtbold.calibration.fit.subject import BandPowerTable, band_power_table
from rtbold.sim import SimulatedRecording, simulate
from rtbold.sim.settings import FOREIGN, ForeignSettings, Level, TwinSettings

World = Level | Literal["foreign"]
MINUTES = 20.0


@dataclass(frozen=True, eq=False)
class Read:
    """One EEG as the models see it, beside the BOLD that was measured with it."""

    fit_features: FitFeatures
    table: BandPowerTable
    volume: np.ndarray  # (windows,), number of each window's volume
    bold: np.ndarray  # (volumes, rois), as measured, of all volumes
    volume_onsets_s: np.ndarray  # (volumes,)
    step: int = 1  # between the ROIs that are used

    @property
    def onsets_s(self) -> np.ndarray:
        """Onset of each window's volume."""
        return self.fit_features.onsets_s


@dataclass(frozen=True, eq=False)
class Simulated:
    """One session with its windows."""

    twin: SimulatedRecording
    material: Material


@cached
def shipped() -> bundle.Bundle:
    """Return the base that every wheel carries."""
    return bundle.load("demo")


@cached
def base(step: int = 1) -> Base:
    """Return the shipped network on its own montage and every so many of its ROIs."""
    card = shipped().card
    return adapt_base(shipped(), card.channels, card.rois[::step])


def simulated(
    seed: int, *, level: World = "hard", minutes: float = MINUTES
) -> Simulated:
    """Return a session of the subject `seed`; another length is another session.

    As in a calibration, no window is left out for being unlike the base's scans.
    """
    card = msgspec.structs.replace(shipped().card, likeness=LikenessReference())
    own = {"tr_s": card.tr_s, "channels": card.channels, "duration_s": 60 * minutes}
    twin = simulate(
        ForeignSettings(seed, **own)
        if level == FOREIGN
        else TwinSettings(seed, level=level, **own)
    )
    scan = conditioned(as_recording(twin), card)
    volume = np.searchsorted(twin.volume_onsets_s, scan.onsets_s - 1e-6)
    return Simulated(twin, Material(scan.windows_uv(), scan.onsets_s, volume))


def read(session: Simulated) -> Read:
    """Let the network read all windows, and take their band power."""
    material = session.material
    pace = Pace("features", 1, now_s=untimed, tell=ignore_progress)
    return Read(
        fit_features=read_features(base(), material, pace),
        table=band_power_table(material, shipped().card.channels, pace),
        volume=material.volume,
        bold=session.twin.bold,
        volume_onsets_s=session.twin.volume_onsets_s,
    )


def cached_read(seed: int, folder: Path) -> Read:
    """Return the 20 minutes of a `hard` subject, from the cache if they are there."""
    of = f"{shipped().sha256[:8]}-{code_hash(SOURCES)}"
    path = folder / f"hard-{seed}-{MINUTES:g}min-{of}.pickle"
    if not path.exists():
        found = read(simulated(seed))
        bare = replace(found, fit_features=replace(found.fit_features, earlier=None))
        draft = path.with_suffix(f".{os.getpid()}.part")
        draft.write_bytes(pickle.dumps(bare))
        draft.replace(path)
    bare = pickle.loads(path.read_bytes())  # noqa: S301 - written above
    return replace(
        bare, fit_features=replace(bare.fit_features, earlier=base().earlier)
    )


def first_minutes(whole: Read, minutes: float) -> Read:
    """Return the scan as if it had ended after so many minutes."""
    n = int((whole.volume_onsets_s < 60 * minutes).sum())
    rows = slice(0, int((whole.volume < n).sum()))
    names = ("features", "prior", "onsets_s")
    cut = {name: getattr(whole.fit_features, name)[rows] for name in names}
    return Read(
        fit_features=replace(whole.fit_features, **cut),
        table=replace(whole.table, features=whole.table.features[rows]),
        volume=whole.volume[rows],
        bold=whole.bold[:n],
        volume_onsets_s=whole.volume_onsets_s[:n],
        step=whole.step,
    )


def few_rois(whole: Read, step: int) -> Read:
    """Return the scan as if only every so many ROIs had been measured."""
    features = whole.fit_features
    return replace(
        whole,
        fit_features=replace(features, prior=features.prior[:, ::step]),
        bold=whole.bold[:, ::step],
        step=step,
    )
