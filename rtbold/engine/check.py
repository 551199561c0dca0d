"""Whether an engine answers what it should: compared on the bundle's check windows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rtbold.bundle import Bundle, Card, CheckSet, read_check, spread
from rtbold.engine.protocol import Engine
from rtbold.errors import EngineError
from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES, Float32Array

# Check windows made worse: louder, fainter, with noise, muscle, blinks and drift.
#
# A reduced precision may be right on the EEG that it was judged on and wrong beyond it:
# int8 clips what is outside its ranges, and says nothing. So it is judged on these,
# too. Nobody stored torch's answers to them; the float32 engine gives them.

GAINS = (0.25, 0.5, 2.0, 4.0)
NOISE_UV = (1.0, 2.0, 5.0)  # sd, white, on every channel
MUSCLE_UV = (10.0, 20.0)  # sd, white, on a temporal pair
SLOW_UV = 100.0
BLINK_S, BLINK_EVERY_S = 0.3, 4.0
# The first pair of which a bundle has both, else its first two channels.
TEMPORAL = (("T7", "T8"), ("T3", "T4"), ("FT9", "FT10"), ("TP9", "TP10"), ("C3", "C4"))
FRONTAL = (("FP1", "FP2"), ("AF7", "AF8"), ("F7", "F8"), ("F3", "F4"))


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """Windows that were all made worse in one way."""

    name: str  # "gain 2", "noise 5 uV", ...
    eeg_uv: Float32Array  # (n, channels, 3200)


def disturbed(eeg_uv: Float32Array, channels: tuple[str, ...]) -> Iterator[Disturbed]:
    """Yield the windows once per disturbance; the same bits each time.

    Their reference is not taken again: whatever the input is, an engine must answer
    what float32 answers.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200) microvolt.
    """
    noise = np.random.default_rng(0).standard_normal(eeg_uv.shape, dtype=np.float32)
    temporal, frontal = _pair(channels, TEMPORAL), _pair(channels, FRONTAL)
    for gain in GAINS:
        yield Disturbed(f"gain {gain:g}", eeg_uv * np.float32(gain))
    for sd_uv in NOISE_UV:
        yield Disturbed(f"noise {sd_uv:g} uV", eeg_uv + np.float32(sd_uv) * noise)
    for sd_uv in MUSCLE_UV:
        added_uv = np.float32(sd_uv) * noise * temporal
        yield Disturbed(f"muscle {sd_uv:g} uV", eeg_uv + added_uv)
    yield Disturbed(f"blinks {SLOW_UV:g} uV", eeg_uv + frontal * _blinks_uv())
    yield Disturbed(f"drift {SLOW_UV:g} uV", eeg_uv + temporal * _drift_uv())


def range_windows(eeg_uv: Float32Array, channels: tuple[str, ...]) -> Float32Array:
    """Return what the ranges of int8 come from: every second window in all its forms.

    The other half is left to judge by.
    """
    worse = (one.eeg_uv[::2] for one in disturbed(eeg_uv, channels))
    return np.concatenate([eeg_uv[::2], *worse])


def _pair(
    channels: tuple[str, ...], pairs: tuple[tuple[str, str], ...]
) -> Float32Array:
    """Return 1 for two channels and 0 for the others, (channels, 1)."""
    upper = [name.upper() for name in channels]
    found = next((pair for pair in pairs if set(pair) <= set(upper)), upper[:2])
    return np.array([[name in found] for name in upper], dtype=np.float32)


def _blinks_uv() -> Float32Array:
    """Return half a sine of 0.3 s every 4 s, mean removed, (3200,)."""
    since_s = np.arange(WINDOW_SAMPLES) / MODEL_RATE_HZ % BLINK_EVERY_S
    wave = np.where(since_s < BLINK_S, np.sin(np.pi * since_s / BLINK_S), 0.0)
    blinks_uv: Float32Array = (SLOW_UV * (wave - wave.mean())).astype(np.float32)
    return blinks_uv


def _drift_uv() -> Float32Array:
    """Return one period of a cosine, (3200,)."""
    turn = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    drift_uv: Float32Array = (SLOW_UV * np.cos(turn)).astype(np.float32)
    return drift_uv


EXACT = "f32"  # every other precision may err by `Card.reduced_tolerance`
# A ROI whose answers hardly vary is judged as if they had this sd, in model units (of
# which a ROI's BOLD has about one), or nothing but equality would do for it.
SMALLEST_SD = 0.01
WINDOWS_AT_OPENING = 3  # for float32, so that a session does not wait
DISTURBED_AT_OPENING = 2  # of each disturbance
DISTURBED_FACTOR = 2.0  # on disturbed windows, times `Card.reduced_tolerance`


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far an engine is from the reference."""

    worst: float  # largest |difference| / max(1, |reference|)
    share: float  # largest, over ROIs, of rms difference / sd over windows
    disturbed: float = 0.0  # the same from float32, over disturbances too; 0: not asked
    disturbance: str = ""  # the one where it is largest

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
    that an error unrelated to the BOLD takes at most half a percent from any R. On
    disturbed windows it may err twice as much, by the same sd (0.98, two percent).
    """
    if precision == EXACT:
        if found.worst <= card.tolerance:
            return None
        limit = f"{card.tolerance:g} * max(1, |answer|)"
        return f"differs by {found.worst:.1e}, the card allows {limit}"
    if found.share > card.reduced_tolerance:
        return (
            f"errs in a ROI by {found.share:.2g} of its sd, the card allows "
            f"{card.reduced_tolerance:g}"
        )
    limit_disturbed = DISTURBED_FACTOR * card.reduced_tolerance
    if found.disturbed > limit_disturbed:
        return (
            f"errs in a ROI by {found.disturbed:.2g} of its sd once the EEG is "
            f"disturbed ({found.disturbance}), allowed is {limit_disturbed:g}"
        )
    return None


def predictions_of(
    engine: Engine, eeg_uv: Float32Array, *, n_batch: int = 1
) -> Float32Array:
    """Return the answers (n, rois), one window at a time as in the loop.

    Parameters
    ----------
    n_batch : windows that the engine takes at once; a window is repeated to fill them.
    """
    batches = (np.repeat(window[None], n_batch, axis=0) for window in eeg_uv)
    return np.concatenate([engine(batch)[:1] for batch in batches])


def disturbed_checks(
    exact: Engine, check: CheckSet, channels: tuple[str, ...], *, n: int | None = None
) -> dict[str, CheckSet]:
    """Return disturbed windows with the float32 engine's answers, by disturbance.

    Parameters
    ----------
    exact : takes one window at a time.
    n : windows of each disturbance, at most; by default half of the check windows, and
        never those that int8's ranges come from.
    """
    checks = {}
    for one in disturbed(check.eeg_uv, channels):
        unseen_uv = one.eeg_uv[1::2]
        if n is not None:
            unseen_uv = unseen_uv[spread(len(unseen_uv), n)]
        checks[one.name] = CheckSet(unseen_uv, predictions_of(exact, unseen_uv))
    return checks


def with_disturbed(
    found: Deviation,
    engine: Engine,
    checks: Mapping[str, CheckSet],
    *,
    sd: Float32Array,
    n_batch: int = 1,
) -> Deviation:
    """Return `found` with the largest deviation on disturbed windows.

    The few that are asked again at opening are judged by themselves, too: what is
    accepted once is not refused then.

    Parameters
    ----------
    sd : (rois,), of the reference over the undisturbed windows.
    """
    for name, check in checks.items():
        answers = predictions_of(engine, check.eeg_uv, n_batch=n_batch)
        few = spread(len(check), DISTURBED_AT_OPENING)
        share = max(
            deviation(answers, check.bold, sd=sd).share,
            deviation(answers[few], check.bold[few], sd=sd).share,
        )
        if share > found.disturbed:
            found = replace(found, disturbed=share, disturbance=name)
    return found


def verify(
    engine: Engine, bundle: Bundle, *, exact: Callable[[], Engine], n_batch: int = 1
) -> Deviation | None:
    """Compare an engine that was just opened with the stored answers.

    Float32 is asked for a few windows, a reduced precision for all, and for a few
    disturbed ones. A bundle without check windows runs in float32 only; None is
    returned for it.

    Parameters
    ----------
    exact : opens a float32 engine for one window at a time; for the disturbed windows.

    Raises
    ------
    EngineError : it deviates by more than the card allows, or nothing is there to
        judge a reduced precision by.
    """
    check = read_check(bundle)
    reduced = engine.precision != EXACT
    if check is None:
        if reduced:
            raise EngineError(no_windows(bundle, engine.precision))
        return None
    some = check if reduced else check.some(WINDOWS_AT_OPENING)
    answers = predictions_of(engine, some.eeg_uv, n_batch=n_batch)
    sd = check.bold.std(axis=0)
    found = deviation(answers, some.bold, sd=sd)
    _refuse(found, bundle, engine)
    if reduced:
        checks = _few_disturbed(exact, check, bundle)
        found = with_disturbed(found, engine, checks, sd=sd, n_batch=n_batch)
        _refuse(found, bundle, engine)
    return found


def _few_disturbed(
    exact: Callable[[], Engine], check: CheckSet, bundle: Bundle
) -> dict[str, CheckSet]:
    reference = exact()
    try:
        return disturbed_checks(
            reference, check, bundle.card.channels, n=DISTURBED_AT_OPENING
        )
    finally:
        reference.close()


def _refuse(found: Deviation, bundle: Bundle, engine: Engine) -> None:
    problem = why_refused(found, bundle.card, engine.precision)
    if problem is not None:
        raise EngineError(
            f"{engine.name} {engine.precision} is not to be used for bundle "
            f"'{bundle.card.name}' on this machine: on its check windows it {problem}. "
            + _advice(engine.precision)
        )


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
