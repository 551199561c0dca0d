"""Whether a session's EEG comes from where the model's came from. Pure.

A model learns what its cleaning chain and its scanner leave in the EEG. Behind another
chain, or outside the scanner, it may answer anything, and nothing in its verdict holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rtbold.bundle.card import (
    FIT_FOR_FEEDBACK,
    Card,
    Cleaning,
)
from rtbold.config import SCANNERS
from rtbold.errors import ConfigError, DomainRefused
from rtbold.messages import ModelOrigin, Reason, StreamDescription
from rtbold.text import first_few

_FIT_SHOWN = 5  # targets in a message
HOW = "online:NAME or offline:NAME, such as online:RecView, or none"


@dataclass(frozen=True, slots=True)
class SessionDomain:
    """What was said of a session's EEG; None: nothing."""

    cleaning: str | None = None  # online:NAME, offline:NAME, none
    scanner: str | None = None

    def __post_init__(self) -> None:
        """Refuse a chain that is not named as it should be."""
        if self.cleaning is not None:
            parse_cleaning(self.cleaning)


def parse_cleaning(text: str) -> Cleaning:
    """Return the chain that ``--cleaning`` names, such as ``online:RecView``.

    Raises
    ------
    ConfigError : it is neither ``online:NAME``, ``offline:NAME`` nor ``none``.
    """
    bare = text.strip()
    if bare.casefold() in ("none", "online:none", "offline:none"):
        return Cleaning(mode="none")
    mode, _, name = bare.partition(":")
    software = name.strip()
    if mode.casefold() == "online" and software:
        return Cleaning(mode="online", software=software)
    if mode.casefold() == "offline" and software:
        return Cleaning(mode="offline", software=software)
    raise ConfigError(f"--cleaning is {text!r}, expected {HOW}.")


def domain_reasons(
    card: Card,
    stream: StreamDescription,
    said: SessionDomain,
    *,
    triggers: bool,
    allowed: bool,
) -> tuple[Reason, ...]:
    """Return ``domain_shift`` where the session's EEG is of another domain.

    Parameters
    ----------
    said : on the command line; it goes over what the stream declares.
    triggers : the session is locked to the scanner's volumes, so it is running.
    allowed : --allow-domain-shift.

    Raises
    ------
    DomainRefused : another domain, or nobody said which, and it was not allowed.
    """
    problems = [*_cleaning(card, stream, said), *_scanner(card, stream, said, triggers)]
    if not problems:
        return ()
    if allowed:
        return ("domain_shift",)
    raise DomainRefused(
        f"bundle '{card.name}' may not fit stream '{stream.name}': "
        + "; ".join(problems)
        + ". With --allow-domain-shift it runs all the same, degraded at best and "
        "without intervals."
    )


def _cleaning(card: Card, stream: StreamDescription, said: SessionDomain) -> list[str]:
    known = card.cleaning
    if known.mode == "unknown":
        return []
    told = said.cleaning or stream.cleaning
    if not told:
        # The twin stands for the chain of whatever was calibrated on it.
        return (
            []
            if stream.simulated
            else [
                f"the model was made on EEG that {_treated(known)}, and nothing says "
                f"what this stream comes through: give --cleaning {_option(known)}"
                f"what it is ({HOW})"
            ]
        )
    try:
        here = parse_cleaning(told)
    except ConfigError:  # of the stream; the command line's was read before
        return [
            f"the stream says that it comes through {told!r}, expected {HOW}: give "
            "--cleaning, which goes over it"
        ]
    if _same(here, known):
        return []
    return [f"it was made on EEG that {_treated(known)}, this EEG {_treated(here)}"]


def _scanner(
    card: Card, stream: StreamDescription, said: SessionDomain, triggers: bool
) -> list[str]:
    known = card.scanner
    if known in ("unknown", "simulated"):
        return []
    here = said.scanner or ("inside_running" if triggers else None)
    if here is None:
        return (
            []
            if stream.simulated
            else [
                f"the model was made {_where(known)}, and a free run does not say "
                f"where this is: give --scanner, one of {', '.join(SCANNERS)}"
            ]
        )
    if here == known:
        return []
    return [f"it was made {_where(known)}, this is {_where(here)}"]


def _same(a: Cleaning, b: Cleaning) -> bool:
    return (a.mode, a.software.strip().casefold()) == (
        b.mode, "" if b.mode == "none" else b.software.strip().casefold(),
    )  # fmt: skip


def _treated(cleaning: Cleaning) -> str:
    if cleaning.mode == "none":
        return "was not cleaned"
    name = cleaning.software or "something without a name"
    return f"was cleaned by {name} ({cleaning.mode})"


def _option(cleaning: Cleaning) -> str:
    if cleaning.mode == "none":
        return "none if it was not cleaned either, or "
    if not cleaning.software:
        return ""  # as published weights have it: no name that could be the same
    return f"{cleaning.mode}:{cleaning.software} if it is the same, or "


def _where(state: str) -> str:
    return {
        "inside_running": "inside the running scanner",
        "inside_idle": "inside the scanner at rest",
        "outside": "outside the scanner",
    }[state]


def check_trained(card: Card) -> ModelOrigin:
    """Return where a model comes from; refuse what is only a start for training.

    Raises
    ------
    DomainRefused : its head was never trained, so that every answer would be zero.
    """
    if card.origin.kind == "start":
        raise DomainRefused(
            f"bundle '{card.name}' is a start for training: a published encoder "
            "without a trained head, so it predicts nothing. Calibrate with it as the "
            "base first, and use the bundle that this writes."
        )
    return card.origin.kind


def unfit_because(
    card: Card, target: str | None = None, *, parts: Sequence[str] = ()
) -> str:
    """Return why calibration found a target unfit for feedback; empty: it did not.

    A contrast that was not calibrated has no verdict, whatever those of its parts are.

    Parameters
    ----------
    target : ROI or contrast; None: the declared one.
    parts : the ROIs of a contrast.
    """
    verdict = card.verdict
    if verdict is None:
        return ""
    gate = verdict.gate
    if target in (None, gate.target):
        return "" if verdict.fit_for_feedback else f"'{gate.label}': {gate.reason}"
    labels = {found.roi: found.label for found in verdict.rois}
    if target not in card.rois and parts:
        told = [f"{roi} {labels.get(roi, 'undecided')!r}" for roi in parts]
        return (
            "'undecided': a contrast needs a verdict of its own, and this one was not "
            f"calibrated (its parts: {first_few(told)})"
        )
    label = labels.get(target or "", "undecided")
    return "" if label == FIT_FOR_FEEDBACK else f"'{label}' over all ROIs"


def check_domain(
    card: Card,
    stream: StreamDescription,
    *,
    target: str | None = None,
    parts: Sequence[str] = (),
    allow_simulated_model: bool = False,
    allow_unvalidated: bool = False,
) -> tuple[Reason, ...]:
    """Decide whether a bundle may run on a stream of this origin.

    Parameters
    ----------
    target : ROI or contrast that is fed back; None: the card's.
    parts : the ROIs of a contrast.

    Returns
    -------
    Reasons that every prediction must carry. ``unvalidated`` also without an override:
    a model that has no reference of this subject is degraded at best.

    Raises
    ------
    DomainRefused : simulated lineage without a verdict on real data, on a stream that
        does not declare itself simulated; weights of a chain that is not ours; a target
        that calibration did not find specific; or no trained head at all, which
        nothing overrides.
    """
    check_trained(card)
    reasons: list[Reason] = []
    origin = card.origin
    unproven = origin.simulated_lineage and not origin.verdict_on_real_data
    if unproven and not stream.simulated:
        if not allow_simulated_model:
            raise DomainRefused(
                f"bundle '{card.name}' was made from simulated data and has no verdict "
                f"on real data, but stream '{stream.name}' does not declare itself "
                "simulated: its numbers would mean nothing. Calibrate on a real scan, "
                "or pass --allow-simulated-model (feedback stays invalid)."
            )
        reasons.append("simulated_model")
    if card.conditioning.source == "published":
        if not allow_unvalidated:
            raise DomainRefused(
                f"bundle '{card.name}' was trained on another conditioning chain than "
                "the live one and was not calibrated since. Calibrate it, or pass "
                "--allow-unvalidated."
            )
        reasons.append("unvalidated")
    if check_verdict(card, target, parts=parts, allowed=allow_unvalidated):
        reasons.append("unvalidated")
    name = target or card.target or card.rois[0]
    if card.verdict is None and name not in card.rois:
        reasons.append("unvalidated")  # a contrast that nothing has judged
    if not reasons and not knows_subject(card, stream):
        reasons.append("unvalidated")
    return tuple(dict.fromkeys(reasons))


def knows_subject(card: Card, stream: StreamDescription) -> bool:
    """Return whether a bundle holds a reference of the subject whose EEG this is.

    A calibration writes one. A model of the twin knows the twin's simulated subjects.
    What anyone else's model answers was never held against this subject's BOLD, and its
    card's EEG is other people's: where they differ most, it sees least.
    """
    kind = card.origin.kind
    return kind == "subject" or (kind == "simulated" and stream.simulated)


def check_verdict(
    card: Card, target: str | None, *, allowed: bool, parts: Sequence[str] = ()
) -> bool:
    """Return whether a target is unfit for feedback and runs all the same.

    Raises
    ------
    DomainRefused : it is unfit, and that was not allowed.
    """
    why = unfit_because(card, target, parts=parts)
    if why and not allowed:
        raise DomainRefused(
            f"calibration found {target or card.target!r} of bundle '{card.name}' "
            f"{why}. Expected 'specific', which alone is fit for feedback. "
            f"{_fit_targets(card)}, or pass --allow-unvalidated: every message then "
            "says 'unvalidated', and nothing is fed back without --approval ID."
        )
    return bool(why)


def _fit_targets(card: Card) -> str:
    """Return what may be chosen instead, by name and R."""
    verdict = card.verdict
    assert verdict is not None
    fit = [f"{roi.roi!r} (R {roi.r:.2f})" for roi in verdict.fit_rois]
    if verdict.fit_for_feedback:
        fit.insert(0, f"{verdict.gate.target!r} (R {verdict.gate.r:.2f})")
    if not fit:
        return "No target of this calibration is fit: scan longer and calibrate again"
    more = f" and {len(fit) - _FIT_SHOWN} more" if len(fit) > _FIT_SHOWN else ""
    return f"Fit is {', '.join(fit[:_FIT_SHOWN])}{more}: give one of these as --target"
