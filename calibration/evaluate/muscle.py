"""Muscle tension at a calibration: what a session compares with, and who leans on it.

A prediction *leans* on tension if tension explains a quarter of its variance, or if a
quarter of its R is gone once tension is taken out of both. Then a participant can move
it by clenching, whatever the brain does, and a session in which muscles stay tense has
no feedback of it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from rtbold.bundle import MuscleLine, MuscleReference
from rtbold.calibration.evaluate.confounds import Confounds, explained
from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.evaluate.scores import Declared, OutOfFold, combined
from rtbold.messages import Float32Array, FloatArray
from rtbold.predict import muscle_channels, muscle_power, tension_of

LEANS_SHARE: Final = 0.25  # of the prediction's variance
LEANS_LOSS: Final = 0.25  # of R
QUANTILE: Final = 0.995
N_BLOCKS: Final = 5
LEAST_LIMIT: Final = 0.35  # ln, 1.5 dB: less is no tension, however calm a scan was
DIGITS: Final = 6  # on the card


def muscle_line(
    confounds: Confounds | None, scored: OutOfFold, column: int = 0
) -> MuscleLine | None:
    """Return what tension has to do with one column; None: it is not known."""
    if confounds is None or confounds.muscle is None:
        return None
    predicted = scored.predicted[:, column : column + 1]
    measured = scored.measured[:, column : column + 1]
    r = float(pairing(predicted, measured).r[0])
    by_tension = explained(confounds.muscle, predicted)
    both = np.concatenate([explained(confounds.muscle, measured), by_tension], axis=1)
    r_without = float(pairing(predicted, measured, both).r[0])
    share = _share(by_tension, predicted)
    control = confounds.muscle_control
    alone = 0.0
    if control is not None:
        alone = float(pairing(control[:, column : column + 1], measured).r[0])
    return MuscleLine(
        r=alone,
        r_without=r_without,
        share=share,
        leans=share >= LEANS_SHARE or (r > 0 and r_without < (1 - LEANS_LOSS) * r),
    )


def leaning(
    confounds: Confounds, scored: OutOfFold, declared: Declared
) -> tuple[str, ...]:
    """Return the targets that lean on tension: ROIs, and a contrast by its name."""
    lines = ((roi, muscle_line(confounds, scored, k))
             for k, roi in enumerate(scored.rois))  # fmt: skip
    found = [name for name, line in lines if line is not None and line.leans]
    if declared.target not in scored.rois:
        weights = declared.column(scored.rois)
        line = muscle_line(confounds.combined(weights), combined(scored, weights))
        if line is not None and line.leans:
            found.append(declared.target)
    return tuple(found)


def muscle_reference(
    batches: Iterable[Float32Array],
    channels: Sequence[str],
    leans_on: tuple[str, ...] = (),
) -> MuscleReference:
    """Return the calibration's own tension; its limit from blocks that it had not seen.

    Parameters
    ----------
    batches : windows in order, (windows, channels, 3200) each, microvolt.
    """
    near = muscle_channels(channels)
    rows = [channels.index(name) for name in near]
    power: FloatArray = np.array(
        [muscle_power(window[rows]) for windows in batches for window in windows]
    )
    parts = np.array_split(np.arange(len(power)), min(N_BLOCKS, len(power)))
    above = [_above(power, part) for part in parts]
    limit = float(np.quantile(np.concatenate(above), QUANTILE))
    return MuscleReference(
        channels=near,
        level=_row(power[..., 0].mean(axis=0)),
        below=_row(power[..., 1].mean(axis=0)),
        limit=_rounded(max(limit, LEAST_LIMIT)),
        n_windows=len(power),
        leans_on=leans_on,
    )


def _above(power: FloatArray, part: np.ndarray) -> FloatArray:
    others = np.delete(power, part, axis=0)
    level = (others if len(others) else power).mean(axis=0)
    return tension_of(power[part], level)


def _share(by_tension: FloatArray, predicted: FloatArray) -> float:
    """Return the share of a prediction's variance, both without drift."""
    pair = pairing(by_tension, predicted)
    whole = float((pair.measured**2).sum())
    return float((pair.predicted**2).sum()) / whole if whole > 0 else 0.0


def _row(values: FloatArray) -> tuple[float, ...]:
    return tuple(_rounded(value) for value in values.tolist())


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
