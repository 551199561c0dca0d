"""Simulated scans, read once by network and ridge; kept in a cache where asked.

The windows are slices of the EEG after the live loop's conditioning, as a calibration's
are while every channel is good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as cached
from pathlib import Path

import msgspec
import numpy as np
from measure_calibration_log import READ_SOURCES, code_hash

from rtbold import bundle
from rtbold.calibration.base import Base, adapt_base
from rtbold.calibration.dataset import conditioned
from rtbold.calibration.progress import Pace, untimed, untold
from rtbold.calibration.strategies.closed_form import Readings
from rtbold.calibration.strategies.protocol import Material
from rtbold.calibration.strategies.reading import read_features
from rtbold.calibration.subject_ridge import RidgeTables, ridge_tables
from rtbold.calibration.twin_data import as_recording
from rtbold.sim.settings import Level, TwinSettings
from rtbold.sim.twin import TwinRecording, simulate

MINUTES = 20.0
LIVE_FORMS = (("none", 16.0), ("laplacian", 16.0))


@dataclass(frozen=True, eq=False)
class Read:
    """One EEG as the models see it, beside the BOLD that was measured with it."""

    readings: Readings
    tables: RidgeTables
    volume: np.ndarray  # (windows,), number of each window's volume
    bold: np.ndarray  # (volumes, rois), as measured, of all volumes
    volume_onsets_s: np.ndarray  # (volumes,)

    @property
    def onsets_s(self) -> np.ndarray:
        """Onset of each window's volume."""
        return self.readings.onsets_s


@dataclass(frozen=True, eq=False)
class Simulated:
    """One session with its windows."""

    twin: TwinRecording
    material: Material


@cached
def shipped() -> bundle.Bundle:
    """Return the base that every wheel carries."""
    return bundle.load("demo")


@cached
def base() -> Base:
    """Return the shipped network on its own montage and ROIs."""
    return adapt_base(shipped(), shipped().card.channels, shipped().card.rois)


def simulated(
    seed: int,
    *,
    level: Level = "hard",
    minutes: float = MINUTES,
    channels: Sequence[str] | None = None,
) -> Simulated:
    """Return a session of the subject `seed`; another length is another session.

    Parameters
    ----------
    channels : None: those of the shipped base.
    """
    card = shipped().card
    if channels is not None:
        card = msgspec.structs.replace(card, channels=tuple(channels))
    twin = simulate(
        TwinSettings(
            seed=seed,
            level=level,
            duration_s=60 * minutes,
            tr_s=card.tr_s,
            channels=card.channels,
        )
    )
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
    pace = Pace("features", 1, now_s=untimed, tell=untold)
    tables = ridge_tables(material, shipped().card.channels, len(rois), pace)
    if live_only:
        tables = _of_forms(tables.channels, {f: tables.forms[f] for f in LIVE_FORMS})
    return Read(
        readings=read_features(base(), material, pace),
        tables=tables,
        volume=material.volume,
        bold=session.twin.bold,
        volume_onsets_s=session.twin.volume_onsets_s,
    )


def cached_read(seed: int, folder: Path) -> Read:
    """Return the 20 minutes of a `hard` subject, from the cache if they are there."""
    of = f"{shipped().sha256[:8]}-{code_hash(READ_SOURCES)}"
    path = folder / f"hard-{seed}-{MINUTES:g}min-{of}.npz"
    if not path.exists():
        found = read(simulated(seed), live_only=True)
        draft = path.with_suffix(f".{seed}.part.npz")
        np.savez(draft, **_arrays(found))
        draft.replace(path)
    with np.load(path, allow_pickle=False) as arrays:
        return _from_arrays(dict(arrays))


def first_minutes(whole: Read, minutes: float) -> Read:
    """Return the scan as if it had ended after so many minutes."""
    n = int((whole.volume_onsets_s < 60 * minutes).sum())
    rows = slice(0, int((whole.volume < n).sum()))
    forms = {form: _rows(r, rows) for form, r in whole.tables.forms.items()}
    return Read(
        readings=_rows(whole.readings, rows),
        tables=_of_forms(whole.tables.channels, forms),
        volume=whole.volume[rows],
        bold=whole.bold[:n],
        volume_onsets_s=whole.volume_onsets_s[:n],
    )


def _rows(readings: Readings, rows: slice) -> Readings:
    return Readings(
        readings.features[rows],
        readings.prior[rows],
        readings.onsets_s[rows],
        readings.earlier,
    )


def _of_forms(channels: Sequence[str], forms: dict) -> RidgeTables:
    return RidgeTables(tuple(channels), forms)


def _arrays(found: Read) -> dict[str, np.ndarray]:
    forms = {f"form_{f[0]}": found.tables.forms[f].features for f in LIVE_FORMS}
    return {
        "features": found.readings.features,
        "prior": found.readings.prior,
        "onsets_s": found.onsets_s,
        "volume": found.volume,
        "bold": found.bold,
        "volume_onsets_s": found.volume_onsets_s,
        **forms,
    }


def _from_arrays(arrays: dict[str, np.ndarray]) -> Read:
    onsets_s, prior = arrays["onsets_s"], arrays["prior"]
    nothing = np.zeros_like(prior)
    forms = {f: Readings(arrays[f"form_{f[0]}"], nothing, onsets_s) for f in LIVE_FORMS}
    return Read(
        readings=Readings(arrays["features"], prior, onsets_s, base().earlier),
        tables=_of_forms(shipped().card.channels, forms),
        volume=arrays["volume"],
        bold=arrays["bold"],
        volume_onsets_s=arrays["volume_onsets_s"],
    )
