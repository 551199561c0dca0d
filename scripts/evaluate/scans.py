"""Simulated scans, read once by network and ridge; kept in a cache where asked.

The windows are slices of the EEG after the live loop's conditioning, as a calibration's
are while every channel is good.
"""

import os
import pickle
from dataclasses import dataclass, replace
from functools import cache as cached
from pathlib import Path

import numpy as np
from runner import SOURCES, code_hash

from rtbold.bundle import store as bundle
from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.fit.base import Base, adapt_base
from rtbold.calibration.fit.head import read_features
from rtbold.calibration.fit.protocol import Material, Pace, ignore_progress, untimed
from rtbold.calibration.fit.ridge import FitFeatures
from rtbold.calibration.fit.subject_ridge import RidgeTables, ridge_tables
from rtbold.sim import SimulatedRecording, simulate
from rtbold.sim.settings import Level, TwinSettings

MINUTES = 20.0
LIVE_FORMS = (("none", 16.0), ("laplacian", 16.0))


@dataclass(frozen=True, eq=False)
class Read:
    """One EEG as the models see it, beside the BOLD that was measured with it."""

    fit_features: FitFeatures
    tables: RidgeTables
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
    seed: int, *, level: Level = "hard", minutes: float = MINUTES
) -> Simulated:
    """Return a session of the subject `seed`; another length is another session."""
    card = shipped().card
    settings = TwinSettings(
        seed=seed,
        level=level,
        duration_s=60 * minutes,
        tr_s=card.tr_s,
        channels=card.channels,
    )
    twin = simulate(settings)
    scan = conditioned(as_recording(twin), card)
    volume = np.searchsorted(twin.volume_onsets_s, scan.onsets_s - 1e-6)
    return Simulated(twin, Material(scan.windows_uv(), scan.onsets_s, volume))


def read(session: Simulated, *, live_only: bool = False) -> Read:
    """Let network and ridge read all windows.

    Parameters
    ----------
    live_only : keep only the ridge's forms that a session can run.
    """
    material, rois = session.material, base().rois
    pace = Pace("features", 1, now_s=untimed, tell=ignore_progress)
    tables = ridge_tables(material, shipped().card.channels, len(rois), pace)
    if live_only:
        tables = RidgeTables(tables.channels, {f: tables.forms[f] for f in LIVE_FORMS})
    return Read(
        fit_features=read_features(base(), material, pace),
        tables=tables,
        volume=material.volume,
        bold=session.twin.bold,
        volume_onsets_s=session.twin.volume_onsets_s,
    )


def cached_read(seed: int, folder: Path) -> Read:
    """Return the 20 minutes of a `hard` subject, from the cache if they are there."""
    of = f"{shipped().sha256[:8]}-{code_hash(SOURCES)}"
    path = folder / f"hard-{seed}-{MINUTES:g}min-{of}.pickle"
    if not path.exists():
        found = read(simulated(seed), live_only=True)
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
    forms = {form: _rows(r, rows) for form, r in whole.tables.forms.items()}
    return Read(
        fit_features=_rows(whole.fit_features, rows),
        tables=RidgeTables(whole.tables.channels, forms),
        volume=whole.volume[rows],
        bold=whole.bold[:n],
        volume_onsets_s=whole.volume_onsets_s[:n],
        step=whole.step,
    )


def few_rois(whole: Read, step: int) -> Read:
    """Return the scan as if only every so many ROIs had been measured."""

    def columns(features: FitFeatures) -> FitFeatures:
        return replace(features, prior=features.prior[:, ::step])

    forms = {form: columns(each) for form, each in whole.tables.forms.items()}
    return replace(
        whole,
        fit_features=columns(whole.fit_features),
        tables=RidgeTables(whole.tables.channels, forms),
        bold=whole.bold[:, ::step],
        step=step,
    )


def _rows(fit_features: FitFeatures, rows: slice) -> FitFeatures:
    cut = ("features", "prior", "onsets_s")
    return replace(
        fit_features, **{name: getattr(fit_features, name)[rows] for name in cut}
    )
