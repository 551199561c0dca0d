"""What a reader of a report asks next: what to do now, and what words mean. Pure."""

import math
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from rtbold.bundle import Gate
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
    "p": "How often chance alone gives so high an R; below the level of the verdict it "
    "counts.",
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
    "chance": "Predictions with random phases, or from the EEG of other subjects: what "
    "R is without a true relation.",
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

# One-sided 5 %, met in four scans of five: 1.645 + 0.842
_Z: Final = 2.49
_FEW_MIN: Final = 3.0
_MOST_MIN: Final = 60.0
_LEAST_R: Final = 0.1
_NAMED: Final = 5


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
    verdict = content.verdict
    gate, subject = verdict.gate, content.subject
    if verdict.fit_for_feedback:
        yield from _run(content)
    elif gate.label == "undecided":
        yield _longer(gate, length_s(content.alignment) / 60), ""
    elif gate.label == "global or vigilance":
        yield (
            f"Take out what the whole brain shares: feed back the difference of "
            f"{gate.target} and a region that should not follow it.",
            _calibrate(subject, "--contrast", "ROI=1", "--contrast", "OTHER=-1"),
        )
    elif gate.label == "explained by artefact":
        yield (
            "Look at the cleaning of the EEG, at motion and at the cap; then scan "
            "again. Record what can explain it away and give it to the calibration.",
            _calibrate(subject, "--confounds", "TABLE.tsv"),
        )
    elif gate.label == "no signal":
        yield (
            f"{gate.target} cannot be predicted from this EEG. Another scan will "
            "hardly change that: look at the channels below, or choose another target.",
            "",
        )
    if not verdict.fit_for_feedback:
        yield from _other_targets(content)
    if verdict.specificity.not_known:
        named = ", ".join(verdict.specificity.not_known)
        yield f"Record at the next scan, so that it can be taken out: {named}.", ""
    windows = content.windows
    if 4 * windows.n_used < 3 * windows.n_volumes:
        yield (
            f"Only {windows.n_used} of {windows.n_volumes} volumes had usable EEG: see "
            "why under EEG, mend it, and scan again.",
            "",
        )


def _run(content: ReportContent) -> Iterator[tuple[str, str]]:
    words = ["rtbold", "run", "--subject", content.subject]
    gate = content.verdict.gate
    if len(content.verdict.rois) > 1 and list(gate.weights) == [gate.target]:
        words += ["--target", gate.target]
    yield (
        "Check the streams before the session.",
        shlex.join(["rtbold", "preflight", *words[2:]]),
    )
    on = " on simulated EEG" if content.simulated else ""
    yield f"Run a session that feeds back {gate.target}{on}.", shlex.join(words)


def _longer(gate: Gate, scan_min: float) -> str:
    """Say how long a scan must be for this R to be told from chance."""
    if gate.r < _LEAST_R:
        return (
            f"R of {gate.target} is below {_LEAST_R:g} in this scan: a longer one will "
            "hardly help. Look at channels and alignment below, or choose another "
            "target."
        )
    needed_n = 3 + (_Z / math.atanh(min(gate.r, 0.99))) ** 2
    whole_min = scan_min * needed_n / max(gate.n_eff, 1.0)
    more_min = max(whole_min - scan_min, _FEW_MIN)
    if whole_min > _MOST_MIN:
        return (
            f"At this R it would take over {_MOST_MIN:g} minutes to tell it from "
            "chance: choose another target."
        )
    return (
        f"Scan longer: if R of {gate.target} stays as it is, about {more_min:.0f} "
        f"minutes more (about {scan_min + more_min:.0f} in all) tell it from chance in "
        "four scans of five."
    )


def _other_targets(content: ReportContent) -> Iterator[tuple[str, str]]:
    """Yield the ROIs that passed, best first, by a p that allows for choosing."""
    verdict = content.verdict
    passed = [
        roi
        for roi in sorted(verdict.rois, key=lambda roi: -roi.r)
        if roi.label == "specific"
        and roi.p_max <= verdict.gate.alpha
        and roi.roi not in verdict.gate.weights
    ]
    if not passed:
        return
    named = ", ".join(f"{roi.roi} (R {roi.r:.2f})" for roi in passed[:_NAMED])
    yield (
        f"Other regions passed in this scan, over all ROIs: {named}. Calibrate with "
        "one of them as the target; better on another scan, as this one chose it.",
        _calibrate(content.subject, "--target", passed[0].roi),
    )


def _calibrate(subject: str, *words: str) -> str:
    return f"rtbold calibrate --subject {shlex.quote(subject)} ... {shlex.join(words)}"
