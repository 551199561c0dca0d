"""CRED-nf: what a report of a neurofeedback study must tell, item by item.

The 23 items are those of Ros et al. 2020 (Brain 143:1674), in words of our own. An
item is filled where the recording holds the answer; else it is the author's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["filled", "yours"]
YOURS: Final = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a checklist, and what can be said of it."""

    number: str
    domain: str
    asks: str
    state: State
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What the recordings tell of a study, each as a sentence; None: they do not."""

    control: str | None = None
    blinding: str | None = None
    guesses: str | None = None  # how far people stayed blind
    instructions: str | None = None  # strategy that was given
    processing: str | None = None  # online processing and artefact correction
    artefacts: str | None = None  # quality by condition
    feature: str | None = None
    schedule: str | None = None  # of reinforcement
    display: str | None = None
    displayed: str | None = None  # all variables that were shown
    software: str | None = None
    success: str | None = None
    plots: str | None = None


_ITEMS: Final[tuple[tuple[str, str, str, str | None], ...]] = (
    ("1a", "Before", "Where the study was registered before it began", None),
    ("1b", "Before", "How the number of participants was chosen", None),
    ("2a", "Control", "Which control group or condition there was", "control"),
    ("2b", "Control", "Whether participants and experimenters were blind", "blinding"),
    ("2c", "Control", "Whether raters and statisticians were blind", None),
    ("2d", "Control", "How far they stayed blind", "guesses"),
    ("2e", "Control", "In clinical studies: a group with the usual treatment", None),
    ("3a", "Measures", "Expectations, motivation and other psychosocial factors", None),
    ("3b", "Measures", "Whether a strategy was given", "instructions"),
    ("3c", "Measures", "Which strategies participants reported", None),
    ("3d", "Measures", "Online processing and artefact correction", "processing"),
    ("3e", "Measures", "Artefacts by condition and group", "artefacts"),
    ("4a", "Feedback", "How the feature was extracted", "feature"),
    ("4b", "Feedback", "How it was reinforced, and by which threshold", "schedule"),
    ("4c", "Feedback", "Modality and content of the feedback", "display"),
    ("4d", "Feedback", "All brain variables as they were shown", "displayed"),
    ("4e", "Feedback", "Hardware and software", "software"),
    ("5a", "Outcome: brain", "Whether the signal was regulated", "success"),
    ("5b", "Outcome: brain", "Plots within and between sessions", "plots"),
    ("5c", "Outcome: brain", "Comparison with the control condition", None),
    ("6a", "Outcome: behaviour", "Clinical or behavioural measures, and change", None),
    ("6b", "Outcome: behaviour", "Regulation against behaviour", None),
    ("7a", "Data", "Where materials and data are", None),
)


def cred_nf(
    facts: StudyFacts, given: Mapping[str, str] | None = None
) -> tuple[Item, ...]:
    """Return the checklist.

    Parameters
    ----------
    given : number of an item -> the author's own answer, which goes before ours.
    """
    own = given or {}
    return tuple(
        _item(number, domain, asks, own.get(number) or _known(facts, name))
        for number, domain, asks, name in _ITEMS
    )


def _known(facts: StudyFacts, name: str | None) -> str | None:
    return getattr(facts, name) if name else None


def _item(number: str, domain: str, asks: str, answer: str | None) -> Item:
    return Item(number, domain, asks, "filled" if answer else "yours", answer or YOURS)


def item_numbers() -> tuple[str, ...]:
    """Return the numbers of the checklist's items, in order."""
    return tuple(number for number, *_ in _ITEMS)


def as_json(items: Sequence[Item]) -> list[dict[str, str]]:
    """Return the items as ``cred-nf.json`` has them."""
    return [
        {"item": each.number, "domain": each.domain, "asks": each.asks,
         "state": each.state, "answer": each.answer}
        for each in items
    ]  # fmt: skip
