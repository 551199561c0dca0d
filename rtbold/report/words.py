"""An effect in words, and a paragraph of methods. Pure."""

from collections.abc import Mapping
from typing import Final

from rtbold.report.effects import Effect

FEWEST_FOR_SIZE: Final = 5  # blocks; of fewer, d is far too large by chance
# The order in which a paragraph tells facts, and what it says where one is not known
_TOLD: Final = (
    ("sampling", "EEG was recorded at: {}"),
    ("amplifier", "The amplifier was {}"),
    ("electrodes", "Electrodes: {}"),
    ("synchronisation", "Synchronisation with the scanner: {}"),
    ("scanner", "BOLD was measured with {}"),
    ("sequence", "The sequence was {}"),
    ("cleaning", "EEG was cleaned by: {}"),
    ("filters", "{}"),
    ("reference", "{}"),
    ("windows", "{}"),
    ("training", "The model was: {}"),
    ("pairing", "EEG and volumes were paired: {}"),
    ("targets", "{}"),
    ("confounds", "{}"),
    ("verdict", "{}"),
    ("feature", "Feedback: {}"),
    ("blocks", "{}"),
    ("software", "Software: {}"),
)
_MUST: Final = ("amplifier", "electrodes", "scanner", "sequence", "cleaning")


def effect_words(effect: Effect | None, unit: str, *, sealed: bool = False) -> str:
    """Return an effect with its interval, in words."""
    if effect is None and sealed:
        return "not to be said while the session is blinded"
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


def methods_text(facts: Mapping[str, str]) -> str:
    """Return a paragraph for a paper's methods; gaps are marked to be filled."""
    parts = []
    for name, sentence in _TOLD:
        said = facts.get(name) or (f"[{name}: yours to fill]" if name in _MUST else "")
        if said:
            text = sentence.format(said)
            parts.append(text if text.endswith(".") else f"{text}.")
    return " ".join(parts)
