"""From what a calibration found to what its report says, and where it comes from."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from rtbold.bundle import Cleaning
from rtbold.calibration.evaluate.confounds import cross_r
from rtbold.calibration.explain.attribution import (
    Attribution,
    ExplainSettings,
    WindowProgress,
    attribute,
    overlapping,
)
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.report.advice import Asked, what_now
from rtbold.calibration.report.brain import known_centres
from rtbold.calibration.report.content import (
    NETWORK,
    RIDGE,
    STACK,
    Chance,
    LearningCurve,
    ReportContent,
    Traces,
    WindowFacts,
)
from rtbold.calibration.report.derived import length_s
from rtbold.calibration.result import NAMES, CalibrationResult
from rtbold.errors import DataFileError, EngineError

# Windows, partners of each, steps: an explanation takes seconds, or a minute or two.
SMALL_NETWORK = (24, 4, 16)
LARGE_NETWORK = (16, 2, 8)
LARGE_FROM = 1_000_000  # parameters
MOST_EXPLAINED = 2  # ROIs, the heaviest of a contrast
INTERRUPTED = "the fit was interrupted; the best so far was kept"

Groups = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What only the edge knows."""

    files: Mapping[str, str] = field(default_factory=dict)  # name -> SHA-256
    software: Mapping[str, str] = field(default_factory=dict)  # name -> version


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a result: where it was written, and when."""

    bundle: str  # name of the model
    created: str  # date and time
    sources: Sources = field(default_factory=Sources)


def report_content(
    result: CalibrationResult, made: Made, progress: WindowProgress | None = None
) -> ReportContent:
    """Return everything that a report says of a calibration.

    Parameters
    ----------
    progress : is told the share of the explanation that is done, its longest part.
    """
    scan, choice = result.aligned.scan, result.choice
    attributions, not_explained = _explained(result, progress or (lambda _: None))
    return ReportContent(
        subject=result.settings.subject,
        bundle=made.bundle,
        created=made.created,
        simulated=result.simulated,
        simulated_lineage=result.simulated_lineage,
        verdict=result.verdict,
        kept=NAMES[choice.kept],
        beside=None if result.beside is result.kept else result.beside.verdict,
        beside_name=_beside_name(result),
        alignment=result.aligned.alignment,
        windows=_windows(scan),
        channels=result.aligned.channels,
        traces=traces_of(result),
        chance=_chance(result),
        lag=result.aligned.lag,
        intervals=result.intervals,
        horizons=choice.horizons,
        horizon_tr=choice.horizon_tr,
        learning=_learning(result),
        attributions=attributions,
        not_explained=not_explained,
        published=result.published,
        centres=known_centres(scan.rois),
        provenance=provenance_of(result, made.sources),
        warnings=_warnings(result),
        reasons=choice.reasons,
    )


def next_of(result: CalibrationResult) -> list[tuple[str, str]]:
    """Return what to do now, each with the command for it, as the report says it."""
    asked = Asked(
        subject=result.settings.subject,
        scan_min=length_s(result.aligned.alignment) / 60,
        simulated=result.simulated,
    )
    return list(what_now(result.verdict, asked))


def _chance(result: CalibrationResult) -> Chance:
    scored = result.kept.scored
    return Chance(
        null_r=result.kept.null_r,
        cross_r=cross_r(scored.predicted, scored.measured),
    )


def _windows(scan: CalibrationScan) -> WindowFacts:
    return WindowFacts(
        n_volumes=len(scan.bold),
        n_used=len(scan),
        why_left_out=scan.why_left_out,
        degraded={str(reason): n for reason, n in scan.degraded.items()},
    )


def traces_of(result: CalibrationResult) -> Traces:
    """Return what is kept beside the measurement, on the scan's grid of volumes."""
    scan, folded = result.aligned.scan, result.folded
    n = len(scan.bold)
    return Traces(
        rois=scan.rois,
        onsets_s=np.arange(n) * np.float64(scan.tr_s),
        predicted=folded.on_grid(result.choice.kept, scan.volume, n),
        measured=folded.on_grid("target", scan.volume, n),
        fold=_folds(folded, scan.volume, n),
    )


def _beside_name(result: CalibrationResult) -> str:
    if result.choice.kept != "subject":
        return RIDGE
    return STACK if result.settings.strategy in ("head", "ridge") else NETWORK


def _folds(folded: FoldedScan, volume: np.ndarray, n_volumes: int) -> np.ndarray:
    fold = np.full(n_volumes, -1)
    for number, fit in enumerate(folded.folds):
        fold[volume[fit.part.test]] = number
    return fold


def _learning(result: CalibrationResult) -> tuple[LearningCurve, ...]:
    """Return the curves of the network; the ridge has none."""
    if result.choice.kept != "network":
        return ()
    curves = [(f"fold {i + 1}", f.errors) for i, f in enumerate(result.folded.folds)]
    curves.append(("final", result.final.fitted.errors))
    return tuple(LearningCurve(name=name, errors=e) for name, e in curves if e)


def _explained(
    result: CalibrationResult, progress: WindowProgress
) -> tuple[tuple[Attribution, ...], str]:
    """Explain the target's ROIs on a few windows; or say why that was not possible."""
    # A copy without gradients of weights: those are never asked for, and need memory
    network = copy.deepcopy(result.module()).eval().requires_grad_(False)
    n_windows, n_partners, n_steps = _effort(network)
    rows = np.linspace(0, len(result.windows) - 1, n_windows).round().astype(int)
    scan, weights = result.aligned.scan, result.verdict.gate.weights
    settings = ExplainSettings(
        n_partners=n_partners,
        n_steps=n_steps,
        block_n=overlapping(scan.onsets_s[scan.volume[rows]]),
    )
    chosen = sorted(weights, key=lambda roi: -abs(weights[roi]))[:MOST_EXPLAINED]
    done = list[Attribution]()

    def report_share(share: float) -> None:
        progress((len(done) + share) / len(chosen))

    try:
        for roi in chosen:
            found = attribute(
                network,
                result.windows[rows],
                card=result.aligned.card,
                roi=roi,
                settings=settings,
                progress=report_share,
            )
            done.append(found)
    except (DataFileError, EngineError) as error:
        return (), f"It could not be explained: {error}"
    return tuple(done), ""


def _warnings(result: CalibrationResult) -> tuple[str, ...]:
    interrupted = (INTERRUPTED,) if result.interrupted else ()
    return (*interrupted, *((result.not_checked,) if result.not_checked else ()))


def _effort(network: nn.Module) -> tuple[int, int, int]:
    n_parameters = sum(p.numel() for p in network.parameters())
    return LARGE_NETWORK if n_parameters >= LARGE_FROM else SMALL_NETWORK


def provenance_of(result: CalibrationResult, sources: Sources) -> Groups:
    """Return heading -> name -> value."""
    return {
        "Files (SHA-256)": dict(sources.files),
        "Model": _model(result),
        "Options": _options(result),
        "Target": _target(result),
        "Software": dict(sources.software),
    }


def _model(result: CalibrationResult) -> dict[str, str]:
    base = result.aligned.base
    card = result.aligned.card
    return {
        "Kept": NAMES[result.choice.kept],
        "Base": "nothing" if base is None else base.card.name,
        "Base, SHA-256": "" if base is None else base.sha256,
        "Base from simulated data": ""
        if base is None
        else _yes(base.card.origin.simulated_lineage),
        "Anything simulated in it": _yes(result.simulated_lineage),
        "Channels": " ".join(card.channels),
        "Reference": card.reference,
        "Atlas": card.atlas or "not said",
        "Scanner": card.scanner.replace("_", " "),
        "EEG cleaning": cleaning_words(result.settings.cleaning),
    }


def _options(result: CalibrationResult) -> dict[str, str]:
    settings = result.settings
    asked = settings.horizon
    return {
        "EEG": settings.scan.eeg.name,
        "BOLD": settings.scan.bold.replace("\\", "/").rsplit("/", 1)[-1],
        "Other subjects' EEG": ", ".join(p.name for p in settings.scan.other_eeg),
        "Strategy": settings.strategy,
        "Split": "strict",
        "Folds": str(settings.n_folds),
        "Horizon asked": "auto" if asked is None else f"{asked} volumes",
        "Horizon kept": f"{result.choice.horizon_tr} volumes",
        "Candidates compared": str(result.choice.n_choices),
        "Seed": str(settings.seed),
    }


def _target(result: CalibrationResult) -> dict[str, str]:
    scaling, weights = result.scaling, result.verdict.gate.weights
    lowpass = scaling.lowpass_hz
    return {
        "Declared": result.declared.target,
        "Weights": ", ".join(f"{roi} {w:+g}" for roi, w in weights.items()),
        "Low-pass": "none" if lowpass is None else f"{lowpass:g} Hz, zero-phase",
        "Scaling": scaling.method,
        "Drift taken out": f"polynomial of degree {len(scaling.drift)}",
        "Confounds regressed": ", ".join(result.aligned.regressed) or "none",
    }


def cleaning_words(cleaning: Cleaning) -> str:
    """Return the cleaning chain as it was declared."""
    if cleaning.mode in ("none", "unknown"):
        return cleaning.mode
    version = f" {cleaning.version}" if cleaning.version else ""
    return f"{cleaning.software}{version}, {cleaning.mode}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
