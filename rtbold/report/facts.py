"""Facts for methods and checklists, each a sentence: of a model, a recording. Pure.

A fact that nobody told is left out, so that the author sees it is theirs to fill.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rtbold.report.material import SessionMaterial
from rtbold.report.summary import SessionSummary
from rtbold.report.words import effect_words

UNKNOWN: Final = "not recorded"
_ORIGIN: Final = {
    "subject": "calibrated on the participant's own simultaneous EEG-fMRI scan",
    "group": "trained on other people's scans",
    "published": "of published weights",
    "simulated": "trained on SIMULATED data",
}
_CHANNELS_FROM: Final = "neighbouring electrodes"


def model_facts(card: Mapping[str, Any]) -> dict[str, str]:
    """Return what a bundle's card tells.

    Parameters
    ----------
    card : as JSON has it; what is missing is left out.
    """
    facts = {
        "reference": _reference(card),
        "windows": _windows(card),
        "filters": _filters(_part(card, "conditioning")),
        "bad_channels": (
            "Each channel is watched for flat, railed, noisy and missing signal over "
            f"each window; up to a quarter may be filled from {_CHANNELS_FROM}, which "
            "makes the value degraded; beyond that there is no value."
        ),
        "training": _training(card),
        "verdict": _verdict(card),
        "atlas": _atlas(card),
        "targets": _targets(_part(card, "normalisation")),
        "confounds": _confounds(_part(card, "normalisation")),
        "pairing": _pairing(_part(card, "alignment")),
        "volumes": _volumes(_part(card, "alignment")),
        "cleaning": _cleaning(_part(card, "cleaning")),
        "software": _software(card),
        "processing": " ".join(
            filter(None, (_filters(_part(card, "conditioning")), _windows(card)))
        ),
    }
    return {name: said for name, said in facts.items() if said}


def session_facts(
    materials: Sequence[SessionMaterial], session: SessionSummary
) -> dict[str, str]:
    """Return what recordings tell beside the card of their model."""
    newest = materials[-1]
    settings, run = newest.facts.settings, newest.facts.run
    codes = ", ".join(code for code, _ in session.by_condition)
    facts = {
        "control": (
            f"Runs carried the condition codes {codes}; what they mean is in the "
            "sealed allocation."
            if codes
            else ""
        ),
        "quality": _quality(session),
        "feature": (
            f"Predicted BOLD of {newest.target or UNKNOWN}, once per TR of "
            f"{newest.facts.tr_s:g} s; shown only while its status was ok or degraded."
        ),
        "displayed": (
            "Every value with its status is in published.jsonl of each recording."
        ),
        "success": (
            f"Regulation against rest: {effect_words(session.effect, session.unit)}."
            if session.effect
            else ""
        ),
        "plots": "Fed back value over time and effect by run: the report's figures.",
        "cleaning": str(run.get("cleaning") or ""),
        "software": (
            f"rtbold {settings.get('rtbold') or UNKNOWN}, engine "
            f"{engine_words(settings.get('engine'))}."
        ),
        **_protocol(newest),
    }
    return {name: said for name, said in facts.items() if said}


def engine_words(engine: object) -> str:
    """Return engine and precision."""
    if not isinstance(engine, Mapping):
        return UNKNOWN
    return f"{engine.get('name', UNKNOWN)} {engine.get('precision', '')}".strip()


def origin_words(card: Mapping[str, Any]) -> str:
    """Return what the weights learned from."""
    return _ORIGIN.get(str(_part(card, "origin").get("kind")), "of unknown origin")


def _part(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = card.get(name)
    return found if isinstance(found, Mapping) else {}


def _reference(card: Mapping[str, Any]) -> str:
    reference = card.get("reference")
    if not reference:
        return ""
    return (
        f"Re-referenced to the {reference}."
        if reference == "average"
        else (f"Re-referenced to {reference}.")
    )


def _windows(card: Mapping[str, Any]) -> str:
    if "window_s" not in card:
        return ""
    horizon = card.get("horizon_tr") or 0
    ahead = f" {horizon} volumes ahead" if horizon else ""
    return (
        f"Each volume was predicted{ahead} from the {card['window_s']:g} s of EEG "
        "before its onset; nothing after it was used."
    )


def _filters(chain: Mapping[str, Any]) -> str:
    if not chain:
        return ""
    if chain.get("source") == "published":
        return "Zero-phase filters as published with the model."
    return (
        f"Causal: Butterworth high-pass {chain.get('highpass_hz', 0.5):g} Hz of order "
        f"{chain.get('highpass_order', 2)}, linear-phase FIR low-pass with pass band "
        f"to {chain.get('fir_passband_hz', 80):g} Hz and stop band from "
        f"{chain.get('fir_stopband_hz', 100):g} Hz "
        f"({chain.get('fir_attenuation_db', 60):g} dB), resampled to 200 Hz."
    )


def _training(card: Mapping[str, Any]) -> str:
    fitting = _part(card, "fitting")
    said = f"{card.get('architecture') or UNKNOWN}, {origin_words(card)}."
    if fitting:
        said += (
            f" Strategy {fitting.get('strategy')}, base {fitting.get('base')}, "
            f"{fitting.get('n_volumes')} volumes, {fitting.get('n_folds')} folds in "
            f"time, seed {fitting.get('seed')}."
        )
    return said


def _verdict(card: Mapping[str, Any]) -> str:
    verdict = _part(card, "verdict")
    gate = _part(verdict, "gate")
    if not gate:
        return ""
    return (
        f"Out of fold, {gate.get('target')}: R {gate.get('r', 0):.2f} (95 % "
        f"{gate.get('r_low', 0):.2f} to {gate.get('r_high', 0):.2f}), one-sided p "
        f"{gate.get('p', 1):.3g} against {verdict.get('n_surrogates')} surrogates of "
        f"random phase, {verdict.get('n_volumes')} volumes; "
        f"verdict: {gate.get('label')}."
    )


def _atlas(card: Mapping[str, Any]) -> str:
    rois = card.get("rois") or ()
    return (
        f"{card.get('atlas') or 'Atlas not told'}, {len(rois)} regions." if rois else ""
    )


def _targets(norm: Mapping[str, Any]) -> str:
    if not norm:
        return ""
    lowpass = norm.get("lowpass_hz")
    filtered = f"low-passed at {lowpass:g} Hz (zero-phase), " if lowpass else ""
    return f"Targets {filtered}slow drift removed, scaled by {norm.get('method')}."


def _confounds(norm: Mapping[str, Any]) -> str:
    names = sorted(norm.get("confounds") or {})
    return f"Regressed out of the targets: {', '.join(names)}." if names else ""


def _pairing(alignment: Mapping[str, Any]) -> str:
    if not alignment:
        return ""
    return (
        f"By the volume marker '{alignment.get('marker')}': {alignment.get('n_found')} "
        f"of {alignment.get('n_volumes')} found, jitter "
        f"{alignment.get('jitter_sd_ms', 0):.2f} ms (sd); BOLD followed EEG power by "
        f"{alignment.get('lag_peak_s', 0):.1f} s."
    )


def _volumes(alignment: Mapping[str, Any]) -> str:
    if not alignment:
        return ""
    return f"{alignment.get('n_volumes')} volumes in the calibration scan."


def _cleaning(cleaning: Mapping[str, Any]) -> str:
    if cleaning.get("mode") in (None, "unknown"):
        return ""
    software = f"{cleaning.get('software', '')} {cleaning.get('version', '')}".strip()
    mode = str(cleaning["mode"])
    return f"{mode}: {software}" if software not in ("", mode) else mode


def _software(card: Mapping[str, Any]) -> str:
    versions = _part(card, "software")
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _quality(session: SessionSummary) -> str:
    if session.by_condition:
        return "; ".join(
            f"{code}: {100 * quality.usable_share:.0f} % of {quality.n} volumes usable"
            for code, quality in session.by_condition
        )
    quality = session.quality
    return (
        f"{100 * quality.usable_share:.0f} % of {quality.n} volumes were usable, "
        f"{quality.missed_n} were missed."
    )


def _protocol(material: SessionMaterial) -> dict[str, str]:
    if material.protocol is None:
        return {}
    study = material.protocol.study
    said: list[str] = []
    for name, block in study.blocks.items():
        for way in ("up", "down"):
            text = block.instruction_for(way)
            if text and (entry := f"{name}: {text}") not in said:
                said.append(entry)
    blocks = ", ".join(
        f"{name} ({block.task}, {block.volumes or block.seconds} "
        f"{'volumes' if block.volumes else 's'})"
        for name, block in study.blocks.items()
    )
    schedule = "; ".join(f"{key} = {value}" for key, value in study.feedback.items())
    return {
        "instructions": "; ".join(said),
        "blocks": f"Protocol '{study.name}', {study.n_runs} runs of: {blocks}.",
        "schedule": schedule,
    }
