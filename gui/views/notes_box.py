"""Impedance, light, eyes and a remark, before a run."""

from PyQt6.QtWidgets import QComboBox, QFormLayout, QWidget

from rtbold.gui.state.notes import EYES, LIGHT, SessionNotes
from rtbold.gui.views.forms import TextField


class NotesBox(QWidget):
    """Quick fields; what stands in them is noted in each run at its start."""

    def __init__(self) -> None:
        super().__init__()
        self.impedance = TextField(
            "note_impedance",
            "Of the electrodes, as the amplifier's software shows it",
            hint="such as all below 10 kΩ, T8 20",
        )
        self.light = _list("note_light", "Light in the scanner room", LIGHT)
        self.eyes = _list("note_eyes", "What the participant is asked to do", EYES)
        self.free = TextField("note_free", "Anything else", hint="anything else")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Impedance", self.impedance)
        form.addRow("Light", self.light)
        form.addRow("Eyes", self.eyes)
        form.addRow("&Note", self.free)

    def notes(self) -> SessionNotes:
        """Return what was written down."""
        return SessionNotes(
            impedance=self.impedance.value(),
            light=self.light.currentText().strip(),
            eyes=self.eyes.currentText().strip(),
            free=self.free.value(),
        )


def _list(name: str, tip: str, usual: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    box.setEditable(True)
    box.addItems(["", *usual])
    return box
