"""What most sessions leave alone, folded away."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QToolButton, QVBoxLayout, QWidget

from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.views.forms import (
    Field,
    ListField,
    NumberField,
    TextField,
    TickField,
    WholeField,
)

ENGINES = tuple((name, name) for name in ("openvino", "tensorrt", "torch"))
PRECISIONS = tuple(
    (name, name) for name in ("auto", "f32", "tf32", "bf16", "f16", "int8")
)
UNITS = (("uV", "µV"), ("mV", "mV"), ("V", "V"))
PORTS = (1, 65535)
CLOSED, OPEN = "▸ Advanced", "▾ Advanced"


class AdvancedFields(QWidget):
    """A button that unfolds the fields; how many of them are not at their default."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.fold = QToolButton()
        self.fold.setObjectName("advanced")
        self.fold.setToolTip("Units, delays, engine, ports: most sessions leave them")
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.inside = QWidget()
        self._fields = _fields()
        form = QFormLayout(self.inside)
        form.setContentsMargins(12, 0, 0, 0)
        for words, field in self._fields.values():
            assert isinstance(field, QWidget)
            if words:
                form.addRow(words, field)
            else:
                form.addRow(field)
            field.edited.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)
        column.addWidget(self.inside)
        self.fold.toggled.connect(self._unfold)
        self._unfold(False)

    def choice(self) -> dict[str, object]:
        """Return the entries of a choice that are made here."""
        return {name: field.value() for name, (_, field) in self._fields.items()}

    def set_choice(self, choice: SetupChoice) -> None:
        """Show a choice."""
        for name, (_, field) in self._fields.items():
            field.set_value(getattr(choice, name))
        self._name()

    def _unfold(self, unfolded: bool) -> None:
        self.inside.setVisible(unfolded)
        self._name()

    def _name(self) -> None:
        usual = SetupChoice()
        n = sum(v != getattr(usual, name) for name, v in self.choice().items())
        words = OPEN if self.fold.isChecked() else CLOSED
        self.fold.setText(f"{words} ({n} not usual)" if n else words)

    def _tell(self) -> None:
        self._name()
        self.edited.emit()


def _fields() -> dict[str, tuple[str, Field]]:
    unit = ListField(
        "unit", "Where the stream does not say its unit", nothing="as sent"
    )
    unit.offer(UNITS)
    engine = ListField("engine", "What runs the model", nothing="auto")
    engine.offer(ENGINES)
    precision = ListField("precision", "Of the model's arithmetic", nothing="usual")
    precision.offer(PRECISIONS)
    reference = TextField(
        "reference", "Where the stream does not say its reference", hint="as sent"
    )
    delay = NumberField(
        "upstream_delay_ms",
        "Measured delay of the cleaning software (rtbold doctor --measure-delay)",
        within=(0, 60_000),
        hint="unknown",
    )
    every = WholeField("trigger_every", "Triggers per volume", within=(1, 1000))
    port = WholeField("port", "Where the session publishes", within=PORTS)
    control = WholeField("control_port", "Where it takes commands", within=PORTS)
    fill = TickField(
        "Fill missing channels from neighbours",
        "interpolate",
        "Predictions are degraded where a channel is made up",
    )
    root = TextField("root", "Folder of all subjects", hint="your own data folder")
    return {
        "unit": ("Unit", unit),
        "reference": ("Reference", reference),
        "upstream_delay_ms": ("Delay before us (ms)", delay),
        "trigger_every": ("Triggers per volume", every),
        **_truth_fields(),
        "engine": ("Engine", engine),
        "precision": ("Precision", precision),
        "root": ("Subjects in", root),
        "port": ("Port of the feed", port),
        "control_port": ("Port of commands", control),
        "interpolate": ("", fill),
    }


def _truth_fields() -> dict[str, tuple[str, Field]]:
    first = WholeField(
        "truth_first", "Number that the BOLD source gives to volume 0",
        within=(-1000, 100_000),
    )  # fmt: skip
    names = TextField(
        "truth_rois", "Names of its ROIs, separated by commas", hint="as sent"
    )
    by_onset = TickField(
        "Number measured volumes by their onsets",
        "truth_by_onset",
        "For a session that joins a scan that runs already; streams only",
    )
    return {
        "truth_rois": ("ROIs of measured BOLD", names),
        "truth_first": ("Its first volume", first),
        "truth_by_onset": ("", by_onset),
    }
