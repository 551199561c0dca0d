"""Whether what a card says can be. Pure.

The seal finds every change of a card; this finds what can never have been right: in a
bundle without a seal, and in one that is about to be written. Each check is one that
would otherwise let a wrong number pass for a right one, or fail long after the start.
"""

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from rtbold.bundle.card import N_QUANTILES, Card, Intervals, LikenessReference
from rtbold.electrodes import canonical, has_position
from rtbold.errors import BundleError
from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES

WINDOW_S: Final = WINDOW_SAMPLES / MODEL_RATE_HZ
CHECK_FILE: Final = "check.npz"
_LONGEST_TR_S: Final = 10.0
_MOST_AHEAD: Final = 20  # volumes that a prediction may lie ahead
_SMALLEST_SD: Final = 1e-9  # of predictions; below, z is rounding
_MOST_TOLERANCE: Final = 0.1  # of float32 engines; above, a check finds nothing
# Names in LaBraM's table and of amplifiers that the 10-05 system does not have.
_ELSEWHERE: Final = frozenset(
    [
        *("A1", "A2", "M1", "M2", "T1", "T2", "O9", "O10", "CB1", "CB2"),
        *("CCP7", "CCP8", *(f"CFC{n}" for n in range(1, 9))),
        *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
    ]
)
_AT_MOST_SAID: Final = 3


def check_sense(card: Card, *, where: str) -> None:
    """Refuse a card that says what cannot be.

    Raises
    ------
    BundleError : names the first few things, and what was expected.
    """
    problems = [problem for look in _LOOKS for problem in look(card)]
    if not problems:
        return
    more = len(problems) - _AT_MOST_SAID
    said = "; ".join(problems[:_AT_MOST_SAID]) + (f"; {more} more" if more > 0 else "")
    raise BundleError(
        f"{where} says what cannot be: {said}. Do not use this bundle: copy it again "
        "from where it was made, or make it again."
    )


def _texts_and_numbers(card: Card) -> Iterator[str]:
    for place, value in _leaves(msgspec.to_builtins(card), ""):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{place} is {value}, expected a finite number"
        if isinstance(value, str) and any(map(_is_control, value)):
            yield f"{place} is {value!r}, expected text without control characters"


def _leaves(value: object, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"a key of {place or 'the card'}", key
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{at}]")
    else:
        yield place, value


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"


def _channels(card: Card) -> Iterator[str]:
    names = [canonical(name) for name in card.channels]
    if not names:
        yield "it has no channels, expected the model's"
    if twice := _twice(names):
        yield f"channel {twice!r} stands there twice, expected each electrode once"
    strange = [name for name in names if not _known(name)]
    if strange:
        yield f"channel {strange[0]!r} is no electrode that is known"
    reference = canonical(card.reference)
    if reference != "AVERAGE" and not _known(reference):
        yield f"reference is {card.reference!r}, expected 'average' or an electrode"


def _known(electrode: str) -> bool:
    return has_position(electrode) or electrode in _ELSEWHERE


def _times(card: Card) -> Iterator[str]:
    if card.rate_hz != MODEL_RATE_HZ:
        yield f"rate_hz is {card.rate_hz:g}, expected {MODEL_RATE_HZ:g}"
    if card.window_s != WINDOW_S:
        yield f"window_s is {card.window_s:g}, expected {WINDOW_S:g}"
    if not 0 < card.tr_s <= _LONGEST_TR_S:
        yield f"tr_s is {card.tr_s:g}, expected seconds up to {_LONGEST_TR_S:g}"
    if not 0 <= (card.slice_reference or 0.0) <= 1:
        yield f"slice_reference is {card.slice_reference:g}, expected 0 to 1"
    if not 0 <= card.horizon_tr <= _MOST_AHEAD:
        yield f"horizon_tr is {card.horizon_tr}, expected 0 to {_MOST_AHEAD}"


def _rois(card: Card) -> Iterator[str]:
    if not card.rois or not all(name.strip() for name in card.rois):
        yield "it has no ROIs or one without a name, expected a name for each output"
    if twice := _twice(card.rois):
        yield f"ROI {twice!r} stands there twice, expected each name once"
    for what, names in (
        ("scores.per_roi", [each.roi for each in card.scores.per_roi]),
        ("verdict.rois", [each.roi for each in card.verdict.rois]
         if card.verdict else []),
    ):  # fmt: skip
        yield from _same_rois(what, names, card.rois)
    contrasts = [card.contrast.weights] if card.contrast else []
    gates = [card.verdict.gate.weights] if card.verdict else []
    for weights in (*contrasts, *gates):
        for name in weights:
            if name not in card.rois:
                yield f"a target is made of {name!r}, which is none of its ROIs"
    if card.contrast and card.contrast.name in card.rois:
        yield f"its contrast has the name of a ROI, {card.contrast.name!r}"
    named = (*card.rois, card.contrast.name if card.contrast else "", "")
    if card.target not in named:
        yield f"target is {card.target!r}, expected one of its ROIs or its contrast"


def _same_rois(what: str, names: Sequence[str], rois: Sequence[str]) -> Iterator[str]:
    """Find names that were exchanged: tables of all ROIs stand in the card's order."""
    strange = [name for name in names if name not in rois]
    if strange:
        yield f"{what} names {strange[0]!r}, which is none of its ROIs"
    elif len(names) == len(rois) and tuple(names) != tuple(rois):
        other = next(i for i, name in enumerate(names) if name != rois[i])
        yield (
            f"ROI {other + 1} is {rois[other]!r}, but {what} has {names[other]!r} "
            "there: names were exchanged"
        )


def _scaling(card: Card) -> Iterator[str]:
    n_rois, base, norm = len(card.rois), card.baseline, card.normalisation
    for what, values in (
        ("normalisation.mean", norm.mean),
        ("normalisation.scale", norm.scale),
        ("baseline.mean", base.mean),
        ("baseline.sd", base.sd),
        *((f"normalisation.drift[{i}]", row) for i, row in enumerate(norm.drift)),
        *((f"normalisation.confounds.{k}", v) for k, v in norm.confounds.items()),
    ):
        yield from _one_per("ROI", what, values, n_rois)
    if min(norm.scale, default=1.0) <= 0:
        yield f"normalisation.scale is {min(norm.scale):g}, expected above 0"
    if min(base.sd, default=1.0) < _SMALLEST_SD:
        yield f"baseline.sd is {min(base.sd):g}, expected above 0"
    if len(base.mean) != len(base.sd):
        yield "baseline has means without sd, or the other way round"
    if base.n < 0 or (base.n_eff or 0.0) < 0:
        yield f"baseline counts {base.n} predictions, expected 0 or more"
    if norm.lowpass_hz is not None and norm.lowpass_hz <= 0:
        yield f"normalisation.lowpass_hz is {norm.lowpass_hz:g}, expected above 0"
    if norm.drift_s[0] >= norm.drift_s[1]:
        yield f"normalisation.drift_s is {norm.drift_s}, expected a time span"
    if card.contrast and card.contrast.sd < _SMALLEST_SD:
        yield f"contrast.sd is {card.contrast.sd:g}, expected above 0"


def _conditioning(card: Card) -> Iterator[str]:
    chain, half_hz = card.conditioning, MODEL_RATE_HZ / 2
    if not 0 < chain.highpass_hz < chain.fir_passband_hz:
        yield (
            f"conditioning.highpass_hz is {chain.highpass_hz:g}, expected above 0 and "
            "below the pass band's end"
        )
    if not 1 <= chain.highpass_order <= 8:
        yield f"conditioning.highpass_order is {chain.highpass_order}, expected 1 to 8"
    if not 0 < chain.fir_passband_hz < chain.fir_stopband_hz <= half_hz:
        yield (
            f"conditioning.fir_* is {chain.fir_passband_hz:g} to "
            f"{chain.fir_stopband_hz:g} Hz, expected a band that ends at "
            f"{half_hz:g} Hz at most"
        )
    if not 0 < chain.fir_attenuation_db <= 200:
        yield (
            f"conditioning.fir_attenuation_db is {chain.fir_attenuation_db:g}, "
            "expected 0 to 200"
        )
    if (card.cleaning.lowpass_hz or 1.0) <= 0:
        yield f"cleaning.lowpass_hz is {card.cleaning.lowpass_hz:g}, expected above 0"


def _spread(card: Card) -> Iterator[str]:
    yield from _intervals(card.intervals, len(card.rois))
    if card.contrast and card.contrast.half_width:
        widths, n = card.contrast.half_width, len(card.intervals.levels)
        yield from _one_per("level", "contrast.half_width", widths, n)
        if min((w for w in widths if w is not None), default=0.0) < 0:
            yield "contrast.half_width is negative, expected 0 or more"


def _intervals(found: Intervals, n_rois: int) -> Iterator[str]:
    levels = found.levels
    if list(levels) != sorted(set(levels)) or not all(0 < p < 1 for p in levels):
        yield f"intervals.levels is {levels}, expected rising shares between 0 and 1"
    for name in ("half_width", "n_eff", "quantiles"):
        yield from _one_per("ROI", f"intervals.{name}", getattr(found, name), n_rois)
    for widths in found.half_width:
        yield from _one_per("level", "intervals.half_width", widths, len(levels))
        known = [width for width in widths if width is not None]
        if known != sorted(known) or min(known, default=0.0) < 0:
            yield f"intervals.half_width is {widths}, expected rising widths from 0"
    if min(found.n_eff, default=0.0) < 0:
        yield f"intervals.n_eff is {min(found.n_eff):g}, expected 0 or more"
    for row in found.quantiles:
        yield from _one_per("level", "intervals.quantiles", row, N_QUANTILES)
        if list(row) != sorted(row) or min(row, default=0.0) < 0:
            yield "intervals.quantiles do not rise from 0, expected quantiles"


def _likeness(card: Card) -> Iterator[str]:
    found: LikenessReference = card.likeness
    n_channels = len(card.channels)
    for name in ("log_power", "log_power_sd", "slope", "slope_sd", "covariance"):
        values = getattr(found, name)
        yield from _one_per("channel", f"likeness.{name}", values, n_channels)
    n_bands = len(found.log_power[0]) if found.log_power else 0
    for row in (*found.log_power, *found.log_power_sd):
        yield from _one_per("band", "likeness.log_power", row, n_bands)
    for row in found.covariance:
        yield from _one_per("channel", "likeness.covariance", row, n_channels)
    sds = [*found.slope_sd, *(sd for row in found.log_power_sd for sd in row)]
    if min(sds, default=1.0) <= 0:
        yield f"an sd of likeness is {min(sds):g}, expected above 0"
    if found.limit <= 0 or found.n_windows < 0:
        yield f"likeness.limit is {found.limit:g}, expected above 0"
    for name, spread in found.spreads.items():
        low = spread.middle if spread.low is None else spread.low
        if not low <= spread.middle <= spread.high:
            yield f"likeness.spreads.{name} does not rise, expected quantiles"


def _lines(card: Card) -> Iterator[str]:
    known = card.likeness.lines
    for line in known.lines if known else ():
        if not 0 < line.low_hz <= line.high_hz:
            yield (
                f"a line of likeness lies from {line.low_hz:g} to {line.high_hz:g} Hz, "
                "expected frequencies above 0 that rise"
            )
        if line.mean_uv2 < 0 or line.channel_uv2 < 0:
            yield "the power of a line of likeness is below 0"


def _muscle(card: Card) -> Iterator[str]:
    found = card.muscle
    if found is None:
        return
    n_channels = len(found.channels)
    for name in ("level", "below"):
        values = getattr(found, name)
        yield from _one_per("channel of it", f"muscle.{name}", values, n_channels)
    if not found.channels or not set(found.channels) <= set(card.channels):
        yield f"muscle.channels are {found.channels}, expected some of the model's"
    if found.limit <= 0 or found.n_windows < 1:
        yield f"muscle.limit is {found.limit:g}, expected above 0"


def _limits(card: Card) -> Iterator[str]:
    if not 0 < card.tolerance <= _MOST_TOLERANCE:
        yield f"tolerance is {card.tolerance:g}, expected up to {_MOST_TOLERANCE:g}"
    if not 0 < card.reduced_tolerance <= 1:
        yield f"reduced_tolerance is {card.reduced_tolerance:g}, expected up to 1"


def _files(card: Card) -> Iterator[str]:
    paths = [entry.path for entry in card.files]
    if twice := _twice(paths):
        yield f"file {twice!r} stands there twice, expected each once"
    for entry in card.files:
        if len(entry.sha256) != 64 or not set(entry.sha256) <= set("0123456789abcdef"):
            yield f"the hash of {entry.path!r} is no SHA-256"
    if card.check.windows != "none" and CHECK_FILE not in paths:
        yield (
            f"it has {card.check.n} {card.check.windows} windows to check engines on, "
            f"but no {CHECK_FILE} among its files"
        )


_LOOKS: Final[tuple[Callable[[Card], Iterator[str]], ...]] = (
    _texts_and_numbers,
    _channels,
    _times,
    _rois,
    _scaling,
    _conditioning,
    _spread,
    _likeness,
    _lines,
    _muscle,
    _limits,
    _files,
)


def _twice(names: Sequence[str]) -> str | None:
    seen = set[str]()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _one_per(of: str, what: str, values: Sequence[object], n: int) -> Iterator[str]:
    """Find a table that is neither left out nor has one entry for each."""
    if values and len(values) != n:
        yield f"{what} has {len(values)} entries, expected one per {of}: {n}"
