"""What programs want to know of a bundle before they choose it, as plain JSON."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rtbold.bundle import Bundle, Card


def described(path: "Path", **named: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the facts of the bundle at `path`; one that cannot be read says why.

    Parameters
    ----------
    named : further entries, which go first: ``code``, ``name``, ``place``, ...
    """
    from rtbold.bundle import load
    from rtbold.errors import BundleError

    try:
        found = load(path)
    except BundleError as error:
        return {**named, "path": str(path), "error": str(error)}
    return {**named, "path": str(path), "error": "", **_facts(found)}


def _facts(bundle: "Bundle") -> dict[str, Any]:
    card = bundle.card
    origin = card.origin
    targets = [*card.rois, *([card.contrast.name] if card.contrast else [])]
    return {
        "sha256": bundle.sha256,
        "sealed": bundle.sealed,
        "architecture": card.architecture,
        "origin": origin.kind,  # "start": has no trained head, cannot run
        "simulated": origin.simulated_lineage and not origin.verdict_on_real_data,
        "unvalidated": card.conditioning.source == "published",
        "rois": list(card.rois),
        "targets": targets,
        "target": card.target or card.rois[0],
        "unfit": _unfit(card, targets),
        "r_of": _r_of(card),
        "gate": _gate(card),
        "calibrated": card.created if card.verdict else "",
        "tr_s": card.tr_s,
        "horizon_tr": card.horizon_tr,
        "channels": list(card.channels),
        "reference": card.reference,
        "cleaning": _cleaning(card),
        "scanner": card.scanner,
    }


def _unfit(card: "Card", targets: list[str]) -> dict[str, str]:
    """Return why calibration found a target unfit for feedback, where it did."""
    from rtbold.bundle import unfit_because

    why = {target: unfit_because(card, target) for target in targets}
    return {target: said for target, said in why.items() if said}


def _r_of(card: "Card") -> dict[str, float]:
    """Return the out-of-fold R of each target that was scored; nan is left out."""
    if card.verdict is None:
        return {}
    found = {roi.roi: roi.r for roi in card.verdict.rois}
    found[card.verdict.gate.target] = card.verdict.gate.r
    return {target: r for target, r in found.items() if r == r}


def _gate(card: "Card") -> dict[str, Any] | None:
    if card.verdict is None:
        return None
    gate = card.verdict.gate
    names = ("target", "label", "passed", "r", "r_low", "r_high", "p", "reason")
    return {name: getattr(gate, name) for name in names}


def _cleaning(card: "Card") -> str:
    """Return the chain as ``--cleaning`` would name it; empty: not known."""
    if card.cleaning.mode in ("none", "unknown"):
        return "none" if card.cleaning.mode == "none" else ""
    return f"{card.cleaning.mode}:{card.cleaning.software}"
