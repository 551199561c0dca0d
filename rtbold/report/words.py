"""What recordings tell of a session, as sentences for methods and checklists. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rtbold.report.checklists import StudyFacts
from rtbold.report.effects import Effect
from rtbold.report.material import SessionMaterial
from rtbold.report.summary import SessionSummary

UNKNOWN: Final = "not recorded"
FEWEST_FOR_SIZE: Final = 5  # blocks; of fewer, d is far too large by chance
_ORIGIN: Final = {
    "subject": "calibrated on the participant's own simultaneous EEG-fMRI scan",
    "group": "trained on other people's scans",
    "published": "of published weights",
    "simulated": "trained on SIMULATED data",
}


def effect_words(effect: Effect | None, unit: str) -> str:
    """Return an effect with its interval, in words."""
    if effect is None:
        return "not to be said: no regulation block with rest beside it"
    if effect.low is None or effect.high is None:
        return f"{effect.mean:+.2f} {unit} (one block: no interval)"
    told = effect.size is not None and effect.n >= FEWEST_FOR_SIZE
    size = f", d {effect.size:.2f}" if told else ""
    return (
        f"{effect.mean:+.2f} {unit} (95 % {effect.low:+.2f} to {effect.high:+.2f}, "
        f"{effect.n} blocks{size})"
    )


def methods_text(material: SessionMaterial) -> str:
    """Return a paragraph for a paper's methods; what is not known is said to be."""
    return " ".join(_sentences(material))


def _sentences(material: SessionMaterial) -> Iterator[str]:
    run, card = material.facts.run, material.facts.card
    settings = material.facts.settings
    n_rois, channels = len(material.facts.rois), card.get("channels") or []
    origin = _ORIGIN.get(str(material.facts.origin.get("kind")), "of unknown origin")
    tr_s = material.facts.tr_s
    yield (
        f"BOLD of {n_rois} regions was predicted from EEG in real time with rtbold "
        f"{settings.get('rtbold') or UNKNOWN}, once per TR ({tr_s:g} s), from the "
        f"preceding {card.get('window_s', 16):g} s of {len(channels)} channels "
        f"(conditioned causally to {card.get('rate_hz', 200):g} Hz, reference "
        f"{card.get('reference') or UNKNOWN})."
    )
    yield (
        f"The model was {card.get('architecture') or UNKNOWN}, {origin} "
        f"(bundle {card.get('name') or UNKNOWN}, SHA-256 "
        f"{str(settings.get('model_sha256') or UNKNOWN)[:16]}), run with "
        f"{_engine(settings.get('engine'))}."
    )
    cleaning = run.get("cleaning")
    yield f"EEG was cleaned by: {cleaning or UNKNOWN}."
    yield f"Feedback was computed from {material.target or UNKNOWN}."
    yield (
        "A value was shown only while its status was ok or degraded; at other times "
        "the display was neutral."
    )
    if material.protocol is not None:
        study = material.protocol.study
        yield (
            f"Blocks followed the protocol '{study.name}' (SHA-256 "
            f"{material.protocol.sha256[:16]}, {study.n_runs} runs)."
        )


def _engine(engine: object) -> str:
    if not isinstance(engine, Mapping):
        return UNKNOWN
    return f"{engine.get('name', UNKNOWN)} {engine.get('precision', '')}".strip()


def study_facts(
    materials: Sequence[SessionMaterial], session: SessionSummary
) -> StudyFacts:
    """Return what CRED-nf asks and the recordings answer."""
    newest = materials[-1]
    study = newest.protocol.study if newest.protocol else None
    conditions = [code for code, _ in session.by_condition]
    shares = ", ".join(
        f"{code}: {100 * quality.usable_share:.0f} % of {quality.n} volumes usable"
        for code, quality in session.by_condition
    )
    display: dict[str, Any] = dict(study.feedback) if study else {}
    return StudyFacts(
        control=(
            f"Runs carried the condition codes {', '.join(conditions)}; what they mean "
            "is in the sealed allocation."
            if conditions
            else None
        ),
        instructions=_instructions(newest),
        processing=" ".join(list(_sentences(newest))[:3]),
        artefacts=shares
        or (
            f"{100 * session.quality.usable_share:.0f} % of {session.quality.n} "
            "volumes were usable; one condition"
        ),
        feature=f"Predicted BOLD of {newest.target or UNKNOWN}, once per TR.",
        schedule=(
            "; ".join(f"{key} = {value}" for key, value in sorted(display.items()))
            or None
        ),
        displayed=(
            "Every value with its status is in published.jsonl of each recording, and "
            "as a table beside this report."
        ),
        software=f"rtbold {newest.facts.settings.get('rtbold') or UNKNOWN}, engine "
        f"{_engine(newest.facts.settings.get('engine'))}.",
        success=(
            f"Regulation against rest: {effect_words(session.effect, session.unit)}."
            if session.effect
            else None
        ),
        plots="Fed back value over time and effect by run: the report's own figures.",
    )


def _instructions(material: SessionMaterial) -> str | None:
    if material.protocol is None:
        return None
    said = []
    for name, block in material.protocol.study.blocks.items():
        for way in ("up", "down"):
            text = block.instruction_for(way)
            if text and (entry := f"{name}: {text}") not in said:
                said.append(entry)
    return "; ".join(said) or None
