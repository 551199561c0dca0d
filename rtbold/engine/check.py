"""Whether an engine answers what it should: compared on the bundle's check windows."""

from dataclasses import dataclass

import numpy as np

from rtbold.bundle import Bundle
from rtbold.card import Card
from rtbold.check_file import read_check
from rtbold.engine.protocol import Engine
from rtbold.errors import EngineError
from rtbold.messages import Float32Array

EXACT = "f32"  # every other precision may err by `Card.reduced_tolerance`
# A ROI whose answers hardly vary is judged as if they had this sd, in model units (of
# which a ROI's BOLD has about one), or nothing but equality would do for it.
SMALLEST_SD = 0.01
WINDOWS_AT_OPENING = 3  # for float32, so that a session does not wait


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far an engine is from the reference."""

    worst: float  # largest |difference| / max(1, |reference|)
    share: float  # largest, over ROIs, of rms difference / sd over windows

    def __str__(self) -> str:
        return f"worst {self.worst:.1e}, rms {self.share:.2g} of a ROI's sd"


def deviation(
    answers: Float32Array, reference: Float32Array, *, sd: Float32Array | None = None
) -> Deviation:
    """Return how far `answers` are from `reference`, both (n, rois).

    Parameters
    ----------
    sd : (rois,), of the reference over all check windows; by default over these.
    """
    difference = answers.astype(np.float64) - reference
    spread = np.maximum(reference.std(axis=0) if sd is None else sd, SMALLEST_SD)
    relative = np.abs(difference) / np.maximum(1.0, np.abs(reference))
    rms = np.sqrt((difference**2).mean(axis=0))
    return Deviation(float(relative.max()), float((rms / spread).max()))


def why_refused(found: Deviation, card: Card, precision: str) -> str | None:
    """Return why an engine that deviates so may not be used, or None where it may.

    float32 engines agree to ``card.tolerance``. A reduced precision may err, in each
    ROI, by an rms of ``card.reduced_tolerance`` times the sd of the ROI's answers: with
    the default of 0.1 its answers correlate with the reference's by 0.995 or more, so
    that an error unrelated to the BOLD takes at most half a percent from any R.
    """
    if precision == EXACT:
        if found.worst <= card.tolerance:
            return None
        limit = f"{card.tolerance:g} * max(1, |answer|)"
        return f"differs by {found.worst:.1e}, the card allows {limit}"
    if found.share <= card.reduced_tolerance:
        return None
    return (
        f"errs in a ROI by {found.share:.2g} of its sd, the card allows "
        f"{card.reduced_tolerance:g}"
    )


def answers_of(
    engine: Engine, eeg_uv: Float32Array, *, n_batch: int = 1
) -> Float32Array:
    """Return the answers (n, rois), one window at a time as in the loop.

    Parameters
    ----------
    n_batch : windows that the engine takes at once; a window is repeated to fill them.
    """
    batches = (np.repeat(window[None], n_batch, axis=0) for window in eeg_uv)
    return np.concatenate([engine(batch)[:1] for batch in batches])


def verify(engine: Engine, bundle: Bundle, *, n_batch: int = 1) -> Deviation | None:
    """Compare an engine that was just opened with the stored answers.

    Float32 is asked for a few windows, a reduced precision for all. A bundle without
    check windows runs in float32 only; None is returned for it.

    Raises
    ------
    EngineError : it deviates by more than the card allows, or nothing is there to
        judge a reduced precision by.
    """
    check = read_check(bundle)
    exact = engine.precision == EXACT
    if check is None:
        if exact:
            return None
        raise EngineError(no_windows(bundle, engine.precision))
    some = check.some(WINDOWS_AT_OPENING) if exact else check
    answers = answers_of(engine, some.eeg_uv, n_batch=n_batch)
    found = deviation(answers, some.bold, sd=check.bold.std(axis=0))
    problem = why_refused(found, bundle.card, engine.precision)
    if problem is not None:
        raise EngineError(
            f"{engine.name} {engine.precision} is not to be used for bundle "
            f"'{bundle.card.name}' on this machine: on its check windows it {problem}. "
            + _advice(engine.precision)
        )
    return found


def no_windows(bundle: Bundle, precision: str) -> str:
    """Say why only float32 can be had."""
    return (
        f"bundle '{bundle.card.name}' carries no check windows, so nobody knows what "
        f"{precision} would cost; use --precision f32, or make the bundle again with "
        "this version of rtbold"
    )


def _advice(precision: str) -> str:
    if precision != EXACT:
        return "Use --precision f32 or auto."
    return "Try --engine torch, update openvino, or copy the bundle again."
