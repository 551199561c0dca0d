"""What the operator writes down before a run: impedance, light, eyes. Pure."""

from dataclasses import dataclass

from rtbold.gui.state.checks import Override
from rtbold.gui.state.runs import Run
from rtbold.gui.state.setup import LONGEST_NOTE

EYES = ("open", "closed", "open and closed")
LIGHT = ("on", "dimmed", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotes:
    """Quick fields and free text; they hold for this session only."""

    impedance: str = ""
    light: str = ""
    eyes: str = ""
    free: str = ""

    def lines(self) -> tuple[str, ...]:
        """Return a note for each thing that was written down."""
        said = (
            ("impedance", self.impedance),
            ("light", self.light),
            ("eyes", self.eyes),
            ("note", self.free),
        )
        return tuple(f"{what}: {text}"[:LONGEST_NOTE] for what, text in said if text)


def notes_of_start(
    run: Run, notes: SessionNotes, overrides: tuple[Override, ...]
) -> tuple[str, ...]:
    """Return what the session is told at its start, a NOTE each."""
    first = f"run {run.number:02d}, {run.kind}" + (f": {run.note}" if run.note else "")
    told = (first, *notes.lines(), *(str(override) for override in overrides))
    return tuple(text[:LONGEST_NOTE] for text in told)
