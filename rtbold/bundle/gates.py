"""Whether a session's EEG comes from where the model's came from. Pure.

A model learns what its cleaning chain and its scanner leave in the EEG. Behind another
chain, or outside the scanner, it may answer anything, and nothing in its verdict holds.
"""

from dataclasses import dataclass

from rtbold.bundle.card import Card, Cleaning
from rtbold.config import SCANNERS
from rtbold.errors import ConfigError, DomainRefused
from rtbold.messages import Reason, StreamDescription

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
