"""What a reader of a report asks next: what to do now, and what words mean. Pure."""

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from scipy import stats

from rtbold.bundle import FIT_FOR_FEEDBACK, Gate, Verdict
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.derived import length_s

# Section -> heading, in the order of the page.
HEADINGS: Final[Mapping[str, str]] = {
    "verdict": "Verdict",
    "next": "What to do next",
    "traces": "Predicted and measured, out of fold",
    "rois": "R of each ROI",
    "chance": "Against chance",
    "specificity": "Brain, or artefact and arousal?",
    "uses": "What the model uses",
    "horizons": "Looking ahead",
    "intervals": "Intervals of the prediction",
    "alignment": "Alignment of EEG and volumes",
    "eeg": "EEG: volumes and channels",
    "learning": "Learning curve",
    "published": "The published split, for comparison only",
    "provenance": "Provenance",
    "all-traces": "All ROIs over the scan",
    "glossary": "Words on this page",
}

TERMS: Final[Mapping[str, str]] = {
    "R": "Pearson correlation of predicted and measured BOLD over the volumes of the "
    "scan; 1 is perfect, 0 is none.",
    "95 %": "Interval of R: in 95 of 100 scans like this one, an interval so made "
    "holds the true R.",
    "p": "How often chance alone gives so high an R to the best of the models that "
    "were compared; below the level of the verdict it counts.",
    "p over ROIs": "The same, for the highest R of all ROIs: for choosing among them.",
    "n": "Independent volumes: successive volumes are alike, so these are fewer than "
    "were scanned.",
    "R with drift": "R with the slow drift of both series left in; the verdict takes "
    "it out.",
    "BOLD": "The signal of functional MRI, which follows the blood's oxygen.",
    "ROI": "Region of interest: a part of the brain with one BOLD value per volume.",
    "TR": "Time from one volume of the scanner to the next.",
    "volume": "One picture of the whole brain; the scanner sends a trigger for each.",
    "target": "What is fed back: one ROI, or a weighted sum of several (a contrast).",
    "out of fold": "Predicted by a model that was trained on the other parts of the "
    "scan, never on this one.",
    "fold": "One of the parts into which the scan is cut for that.",
    "chance": "Scans with random phases, fitted anew: what R is without a true "
    "relation.",
    "right side": "Share of volumes whose prediction and measurement lie on the same "
    "side of their means; half is chance.",
    "block mean": "R of the means over 20 s and 40 s: how reliable one block's number "
    "is.",
    "specific": "R is mostly left once artefacts, global signal and arousal are taken "
    "out.",
    "global signal": "What the whole brain shares: breath, motion, arousal drive it.",
    "vigilance": "How awake the subject is. It changes EEG and BOLD everywhere.",
    "ridge regression": "A linear model of the power of EEG bands.",
    "network": "The neural network that predicts BOLD from the last 16 s of EEG.",
    "base": "The model that a calibration starts from, trained on other subjects.",
    "lag": "By how many seconds BOLD follows the EEG; about 5 s.",
    "jitter": "How far triggers are from a regular beat.",
    "ppm": "Parts per million: two clocks 100 ppm apart drift by 6 ms a minute.",
    "model units": "BOLD without its mean and slow drift, divided by its spread.",
}

_POWER: Final = 0.8  # of the longer scan that is asked for
_FEW_MIN: Final = 3.0
_MOST_MIN: Final = 60.0
_LEAST_R: Final = 0.1
_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a step is for, and of which scan."""

    subject: str
    scan_min: float
    simulated: bool = False


def empty_sections(content: ReportContent, pictures: Mapping[str, object]) -> set[str]:
    """Return the sections that have nothing to show; they are folded."""
    specificity = content.verdict.specificity
    empty = {
        "specificity": not specificity.partial_r and not specificity.controls,
        "uses": not content.attributions,
        "horizons": len(content.horizons) < 2,
        "intervals": content.intervals is None,
        "learning": "learning" not in pictures,
        "published": content.published is None or not content.published.roi_r,
        "provenance": not any(content.provenance.values()),
        "all-traces": len(content.traces.rois) == 1,
    }
    return {name for name, folded in empty.items() if folded}


def next_steps(content: ReportContent) -> Iterator[tuple[str, str]]:
    """Yield what to do now, each with the command for it ("" where there is none)."""
    asked = Asked(
        subject=content.subject,
        scan_min=length_s(content.alignment) / 60,
        simulated=content.simulated,
    )
    yield from what_now(content.verdict, asked)
    windows = content.windows
    if 4 * windows.n_used < 3 * windows.n_volumes:
        yield (
            f"Only {windows.n_used} of {windows.n_volumes} volumes had usable EEG: see "
            "why under EEG, mend it, and scan again.",
            "",
        )


def what_now(verdict: Verdict, asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield what follows from a verdict, each with the command for it."""
    gate = verdict.gate
    if verdict.fit_for_feedback:
        yield from _run(verdict, asked)
    elif gate.label == "undecided":
        yield _longer(gate, asked.scan_min), ""
    elif gate.label == "global or vigilance":
        yield from _regional(verdict, asked)
    elif gate.label == "explained by artefact":
        yield (
            "Look at the cleaning of the EEG, at motion and at the cap. Record motion, "
            "heart and breath at the next scan, and give them to the calibration.",
            _calibrate(asked.subject, "--confounds", "TABLE.tsv"),
        )
    elif gate.label == "no signal":
        yield (
            f"{gate.target} cannot be predicted from this EEG. Another scan will "
            "hardly change that: look at the channels, or choose another target.",
            "",
        )
    if not verdict.fit_for_feedback:
        yield from _other_targets(verdict, asked)
    if verdict.specificity.not_known:
        named = ", ".join(verdict.specificity.not_known)
        yield f"Record at the next scan, so that it can be taken out: {named}.", ""


def _run(verdict: Verdict, asked: Asked) -> Iterator[tuple[str, str]]:
    words = ["rtbold", "run", "--subject", asked.subject]
    gate = verdict.gate
    if len(verdict.rois) > 1 and list(gate.weights) == [gate.target]:
        words += ["--target", gate.target]
    yield (
        "Check the streams before the session.",
        shlex.join(["rtbold", "preflight", *words[2:]]),
    )
    on = " on simulated EEG" if asked.simulated else ""
    yield f"Run a session that feeds back {gate.target}{on}.", shlex.join(words)


def _longer(gate: Gate, scan_min: float) -> str:
    """Say how long a scan must be for this R to be told from chance."""
    if gate.r < _LEAST_R:
        return (
            f"R of {gate.target} is below {_LEAST_R:g} in this scan: a longer one will "
            "hardly help. Look at channels and alignment, or choose another target."
        )
    whole_min = scan_min * needed_n(gate) / max(gate.n_eff, 1.0)
    planned = gate.declaration.looks_min if gate.declaration else ()
    whole_min = next((each for each in planned if each >= whole_min), whole_min)
    more_min = max(whole_min - scan_min, _FEW_MIN)
    if whole_min > _MOST_MIN:
        return (
            f"At this R it would take over {_MOST_MIN:g} minutes to tell it from "
            "chance: choose another target."
        )
    return (
        f"Scan longer: if R of {gate.target} stays as it is, about {more_min:.0f} "
        f"minutes more (about {scan_min + more_min:.0f} in all) tell it from chance in "
        "four scans of five. Testing again is one more look: plan looks before a scan "
        "(rtbold declare --looks)."
    )


def needed_n(gate: Gate) -> float:
    """Return the independent volumes at which an R like this passes in four of five.

    At the level of the verdict; where a first look is still to come, at 5 %.
    """
    alpha = (gate.alpha or 0.05) / gate.n_calibrations
    z = float(stats.norm.isf(alpha)) * math.sqrt(gate.reuse or 1.0)
    z += float(stats.norm.isf(1 - _POWER)) * math.sqrt(gate.reuse or 1.0)
    return 3 + (z / math.atanh(min(gate.r, 0.99))) ** 2


def _regional(verdict: Verdict, asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield what is left of a target without what the whole brain shares."""
    gate, less = verdict.gate, verdict.less_others
    command = _calibrate(
        asked.subject, "--contrast", f"{gate.target}=1", "--contrast", "others=-1"
    )
    if less is None:
        yield (
            "Take out what the whole brain shares: feed back the difference of "
            f"{gate.target} and a region that should not follow it.",
            _calibrate(asked.subject, "--contrast", "ROI=1", "--contrast", "OTHER=-1"),
        )
    elif less.label == FIT_FOR_FEEDBACK:
        yield (
            f"{less.target} is fit in this scan: R {less.r:.2f}, p {less.p:.2g} over "
            "all ROIs. It is what the region does beyond the whole brain. Declare it, "
            "and calibrate on another scan, as this one chose it.",
            command,
        )
    else:
        yield (
            f"{less.target} has R {less.r:.2f} (p {less.p:.2g} over all ROIs): "
            f"{less.label}. With more minutes it may be fit; the region itself will "
            "not be.",
            command,
        )


def _other_targets(verdict: Verdict, asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield the ROIs that passed, best first, by a p that allows for choosing."""
    passed = verdict.fit_rois
    if not passed:
        return
    named = ", ".join(f"{roi.roi} (R {roi.r:.2f})" for roi in passed[:_NAMED])
    yield (
        f"Other regions passed in this scan, over all ROIs: {named}. Calibrate with "
        "one of them as the target; better on another scan, as this one chose it.",
        _calibrate(asked.subject, "--target", passed[0].roi),
    )


def _calibrate(subject: str, *words: str) -> str:
    return f"rtbold calibrate --subject {shlex.quote(subject)} ... {shlex.join(words)}"
