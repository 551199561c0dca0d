"""Where a calibration comes from: files, options, versions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtbold.calibration.result import CalibrationResult
from rtbold.card import Cleaning

Groups = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What only the edge knows."""

    files: Mapping[str, str] = field(default_factory=dict)  # name -> SHA-256
    software: Mapping[str, str] = field(default_factory=dict)  # name -> version


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
    base = result.base
    card = result.gathered.card
    return {
        "Kept": result.choice.kept.replace("_live", ""),
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
        "Confounds regressed": ", ".join(scaling.confound_names) or "none",
    }


def cleaning_words(cleaning: Cleaning) -> str:
    """Return the cleaning chain as it was declared."""
    if cleaning.mode in ("none", "unknown"):
        return cleaning.mode
    version = f" {cleaning.version}" if cleaning.version else ""
    return f"{cleaning.software}{version}, {cleaning.mode}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
