"""New subjects of three worlds: base, head, subject's model and stack, now and before.

Out of fold over the whole scan, in five strict folds, without cubic drift; mean over
all ROIs. Ten minutes are the first ten of the twenty. Nothing was developed on these
subjects; the foreign generator made none of the scans that the base learned from.
"""

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from runner import code_hash

from evaluate.before import series_before
from evaluate.fit import WHOLE, session_of
from evaluate.scans import Read, World, base, first_minutes, read, shipped, simulated
from rtbold.calibration.compare.effects import effect, mean_with_interval
from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.fit.folds import out_of_fold
from rtbold.calibration.fit.ridge import FitFeatures
from rtbold.calibration.fit.split import strict_folds
from rtbold.calibration.fit.subject import BandPowerTable
from rtbold.calibration.inputs.windows import on_grid
from rtbold.sim.settings import FIELD_MODEL_SEEDS, FOREIGN_MODEL_SEEDS, MODEL_SEEDS

WORLDS: dict[World, range] = {
    "hard": MODEL_SEEDS,
    "foreign": FOREIGN_MODEL_SEEDS,
    "field": FIELD_MODEL_SEEDS,
}
DEFAULT_N = len(MODEL_SEEDS)
MINUTES = (10.0, 20.0)
SERIES = ("base", "head_before", "ridge_before", "head", "subject", "stack", "equal")
COMPARISONS = (
    ("subject", "ridge_before"), ("stack", "head_before"), ("stack", "base"),
    ("head", "base"), ("stack", "subject"), ("equal", "stack"),
)  # fmt: skip
# What the windows as they were read depend on.
READ_BY = ("rtbold/sim/*.py", "rtbold/condition/*.py", "rtbold/predict/*.py")


def items(n: int) -> list[tuple[str, int]]:
    """Return world and seed, one subject of each world after the other."""
    return [(w, seeds[i]) for i in range(n) for w, seeds in WORLDS.items()]


def work(item: Sequence, cache: Path) -> dict:
    """Return R of every model at both lengths."""
    whole = kept_read(item[0], item[1], cache)
    return {
        "r": {f"{m:g}": r_of_models(first_minutes(whole, m)) for m in MINUTES},
        "n_windows": len(whole.volume),
    }


def r_of_models(eeg: Read) -> dict[str, float]:
    """Return mean R over ROIs of every series."""
    session = session_of(eeg)
    folded = out_of_fold(session, strict_folds(eeg.onsets_s, WHOLE))
    before = series_before(session)
    series = {
        "base": folded.base,
        "head_before": before["head"],
        "ridge_before": before["ridge"],
        "head": folded.network,
        "subject": folded.subject,
        "stack": folded.stack,
        "equal": _standard(folded.base) + _standard(folded.subject),
    }
    n = len(eeg.bold)
    measured = on_grid(folded.scored, eeg.volume, n)
    return {
        name: round(float(pairing(on_grid(own, eeg.volume, n), measured).r.mean()), 5)
        for name, own in series.items()
    }


def summary(lines: Sequence[dict]) -> dict:
    """Return means and paired differences for each world and length."""
    found: dict = {}
    for world in WORLDS:
        own = [line["r"] for line in lines if line["key"][0] == world]
        for minutes in own[0]:
            values = {s: np.array([r[minutes][s] for r in own]) for s in SERIES}
            found[f"{world}, {minutes} min"] = {
                "mean": {s: mean_with_interval(v) for s, v in values.items()},
                "difference": {
                    f"{a} - {b}": effect(values[a] - values[b]) for a, b in COMPARISONS
                },
            }
    return {"worlds": found}


def kept_read(world: World, seed: int, folder: Path) -> Read:
    """Return 20 minutes of a subject, from the cache if they are there."""
    of = f"{shipped().sha256[:8]}-{code_hash(READ_BY)}"
    path = folder / f"{world}-{seed}-{of}.npz"
    if not path.exists():
        session = read(simulated(seed, level=world))
        features = session.fit_features
        draft = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(
            draft,
            features=features.features,
            prior=features.prior,
            onsets_s=features.onsets_s,
            power=session.table.features,
            volume=session.volume,
            bold=session.bold,
            volume_onsets_s=session.volume_onsets_s,
        )
        draft.replace(path)
    with np.load(path) as kept:
        held = dict(kept)
    names = [f.name for f in fields(FitFeatures) if f.name in held]
    own = FitFeatures(**{n: held[n] for n in names}, earlier=base().earlier)
    return Read(
        fit_features=own,
        table=BandPowerTable(tuple(shipped().card.channels), held["power"]),
        volume=held["volume"],
        bold=held["bold"],
        volume_onsets_s=held["volume_onsets_s"],
    )


def _standard(series: np.ndarray) -> np.ndarray:
    return (series - np.nanmean(series, axis=0)) / np.nanstd(series, axis=0)
