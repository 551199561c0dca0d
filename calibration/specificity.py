"""Does a prediction read its region, or artefact and arousal? Pure.

The rules are stated at `label_of`. They speak of one scan, and only of what was given:
a nuisance that nobody measured cannot be excluded, and is listed as not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rtbold.calibration.evaluate.nuisances import ARTEFACT, EVERYTHING, GLOBAL
from rtbold.verdict import Label

USEFUL_R: Final = 0.2  # below, feedback would be noise whatever the p
KEPT_SHARE: Final = 0.5  # of R that must be left when a nuisance is taken out


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers that a label rests on."""

    r: float
    r_high: float
    passed: bool  # the gate, or for other ROIs the max statistic
    partial_r: Mapping[str, float]  # group -> R; empty: no nuisance was given
    partial_p: Mapping[str, float]
    rank: int | None
    n_rois: int
    alpha: float


def label_of(evidence: Evidence) -> tuple[Label, str]:
    """Return the label and its reason.

    In this order:

    1. R did not pass: `no signal` if the interval excludes a useful R (0.2), else
       `undecided`.
    2. Nuisances were not all given: `undecided`.
    3. Less than half of R is left without artefacts: `explained by artefact`; without
       global signal, vigilance index and slow time: `global or vigilance`; without both
       at once: the one of the two that leaves less.
    4. At least half is left, but it does not pass by itself: `undecided`.
    5. The prediction fits most other ROIs better than its own: `global or vigilance`.
    6. `specific`.
    """
    if not evidence.passed:
        return _without_signal(evidence)
    left, p = evidence.partial_r, evidence.partial_p
    if not {ARTEFACT, GLOBAL, EVERYTHING} <= set(left):
        return "undecided", "artefacts, global signal and vigilance were not controlled"
    floor = KEPT_SHARE * evidence.r
    for group, label in _EXPLANATIONS.items():
        if left[group] < floor:
            return label, _falls(evidence, group)
    if left[EVERYTHING] < floor:
        worse = min(_EXPLANATIONS, key=lambda group: left[group])
        return _EXPLANATIONS[worse], _falls(evidence, EVERYTHING)
    loose = [group for group in left if p[group] > evidence.alpha]
    if loose:
        return "undecided", (
            f"R {left[loose[0]]:.2f} without {loose[0]} is not told from chance "
            f"(p {p[loose[0]]:.2g}); more minutes would decide"
        )
    if evidence.rank is not None and evidence.rank > (evidence.n_rois + 1) / 2:
        return "global or vigilance", (
            f"the prediction fits {evidence.rank - 1} of {evidence.n_rois - 1} other "
            "ROIs better than its own"
        )
    return "specific", (
        f"R {left[EVERYTHING]:.2f} of {evidence.r:.2f} is left without artefacts, "
        "global signal and vigilance"
    )


_EXPLANATIONS: Final[dict[str, Label]] = {
    ARTEFACT: "explained by artefact",
    GLOBAL: "global or vigilance",
}


def _without_signal(evidence: Evidence) -> tuple[Label, str]:
    if evidence.r_high < USEFUL_R:
        return "no signal", (
            f"the interval of R ends at {evidence.r_high:.2f}, below a useful "
            f"{USEFUL_R:g}"
        )
    return "undecided", (
        f"R {evidence.r:.2f} is not told from chance, but its interval reaches "
        f"{evidence.r_high:.2f}: too little data to say"
    )


def _falls(evidence: Evidence, group: str) -> str:
    left = evidence.partial_r[group]
    return f"R falls from {evidence.r:.2f} to {left:.2f} without {group}"
