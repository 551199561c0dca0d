"""The top of the page: the verdict in a sentence, and what it allows."""

from typing import Final

from rtbold.calibration.report.content import RIDGE, ReportContent
from rtbold.calibration.report.markup import (
    Markup,
    Piece,
    element,
    listed,
    paragraph,
    section,
    together,
)
from rtbold.calibration.report.words import count, number, p_value, span
from rtbold.verdict import Gate, Label

MEANING: Final[dict[Label, str]] = {
    "specific": (
        "More than half of R is left without artefacts, global signal and vigilance, "
        "as far as these were measured."
    ),
    "global or vigilance": (
        "The prediction follows what the whole brain shares, or arousal, more than "
        "its region."
    ),
    "explained by artefact": (
        "Most of R is gone once motion, heart, muscle and scanner artefacts are taken "
        "out."
    ),
    "undecided": "There is too little data to say; this is not a finding of absence.",
    "no signal": "The interval of R excludes a useful prediction.",
}
SIMULATED: Final = (
    "Simulated data. Every figure on this page is of a simulation: it says nothing "
    "about a person, and the model may not run on real EEG."
)
LINEAGE: Final = (
    "The weights go back to simulated data, through the base; the scan on this page is "
    "not simulated, and the figures are of this scan."
)


def summary(content: ReportContent) -> Markup:
    """Return what a reader must see first."""
    gate = content.verdict.gate
    return section(
        "verdict",
        "Verdict",
        _sentence(gate),
        _allowed(content),
        paragraph(element("strong", "Why: "), f"{_sentence_case(gate.reason)}.")
        if gate.reason
        else "",
        _beside(content),
        element("h3", "Warnings") if _warnings(content) else "",
        listed(_warnings(content)),
    )


def banner(content: ReportContent) -> Markup:
    """Return the word "simulated" where it is so; else nothing."""
    if content.simulated:
        return element("p", SIMULATED, class_="banner", role="note")
    if content.simulated_lineage:
        return element("p", LINEAGE, class_="banner", role="note")
    return Markup("")


def fit_word(content: ReportContent) -> str:
    """Return whether the target may be fed back, in few words."""
    where = "in the simulation, " if content.simulated else ""
    negated = "" if content.verdict.fit_for_feedback else "not "
    return f"{where}{negated}fit for feedback"


def _sentence(gate: Gate) -> Markup:
    scored = (
        f" is predicted with R {number(gate.r)} (95 % {span(gate.r_low, gate.r_high)}, "
        f"p {p_value(gate.p)}, {number(gate.n_eff, 0)} independent volumes): "
    )
    tone = "good" if gate.passed and gate.label == "specific" else "held"
    return paragraph(
        element("strong", gate.target),
        _weights(gate),
        scored,
        element("strong", gate.label, class_=tone),
        ".",
        class_="lead",
    )


def _weights(gate: Gate) -> str:
    """Return what a contrast is made of; nothing for a ROI."""
    if set(gate.weights) == {gate.target}:
        return ""
    return f" ({', '.join(f'{roi} {w:+g}' for roi, w in gate.weights.items())})"


def _allowed(content: ReportContent) -> Markup:
    verdict, gate = content.verdict, content.verdict.gate
    meaning = MEANING[gate.label]
    if verdict.fit_for_feedback:
        where = "On simulated EEG, the" if content.simulated else "The"
        allowed = (
            f"{where} model may be used for feedback on {gate.target}, and on no other "
            "target, while the EEG is like this scan's."
        )
    else:
        allowed = (
            f"The model is not fit for feedback on {gate.target}: rtbold run refuses "
            "it unless told --allow-unvalidated, and then every message says so."
        )
    return together([paragraph(meaning, " ", element("strong", allowed))])


def _beside(content: ReportContent) -> Markup:
    if content.beside is None:
        return paragraph(
            "Nothing was run beside it, so it is not known whether a simpler model "
            "does as well.",
            class_="note",
        )
    other, gate = content.beside.gate, content.verdict.gate
    told = (
        f"This is the {content.kept}. The {content.beside_name} on the same folds has "
        f"R {number(other.r)} (95 % {span(other.r_low, other.r_high)})."
    )
    if content.yardstick_r is not None:
        told += (
            f" A ridge that reads 24 s, which no session can, has R "
            f"{number(content.yardstick_r)}."
        )
    if content.reasons:
        told += f" Kept because: {'; '.join(content.reasons)}."
    if content.beside_name != RIDGE or other.r <= gate.r:
        return paragraph(told)
    advice = (
        "The simpler model does better on this subject: calibrate with --strategy "
        "ridge to use it."
    )
    return paragraph(told, " ", element("strong", advice))


def _warnings(content: ReportContent) -> list[Piece]:
    verdict = content.verdict
    told = [*content.warnings, *content.alignment.warnings]
    if content.lag is not None and content.lag.warning:
        told.append(f"lag scan: {content.lag.warning}")
    if verdict.specificity.not_known:
        told.append(
            "not measured, so not excluded: " + ", ".join(verdict.specificity.not_known)
        )
    if not verdict.n_other_subjects:
        told.append(
            "no other subject's EEG was given (--other-eeg): what every session "
            "shares, such as falling vigilance, was tested by random phases only"
        )
    if content.windows.n_used < content.windows.n_volumes:
        lost = content.windows.n_volumes - content.windows.n_used
        told.append(
            f"{count(lost, 'volume')} of {content.windows.n_volumes} had no EEG that "
            "could be used"
        )
    return list(told)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
