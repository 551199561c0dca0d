"""What the participant's window shows, chosen by the operator."""

from dataclasses import replace

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.preferences import PARTICIPANT_FORMS, Preferences
from rtbold.gui.views.plain_widgets import wrapped_label

WORDS = (
    "The participant sees one shape and no words. It is neutral whenever the value may "
    "not be shown. F11 on that window fills its screen, Esc gives the window back."
)


class ParticipantDialog(QDialog):
    """Form, range, smoothing and the square for a photodiode; changes show at once."""

    changed = pyqtSignal(object)  # Preferences

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Participant's window")
        self.setObjectName("participant_dialog")
        self._preferences = preferences
        self._make_fields(preferences)
        self._lay_out()
        self.form.currentTextChanged.connect(self._tell)
        self.limit.valueChanged.connect(self._tell)
        self.smooth.toggled.connect(self._tell)
        self.square.valueChanged.connect(self._tell)

    def _make_fields(self, preferences: Preferences) -> None:
        self.form = QComboBox()
        self.form.setObjectName("participant_form")
        self.form.addItems(PARTICIPANT_FORMS)
        self.form.setCurrentText(preferences.participant)
        self.limit = QDoubleSpinBox()
        self.limit.setObjectName("participant_limit")
        self.limit.setRange(0.5, 10)
        self.limit.setSingleStep(0.5)
        self.limit.setValue(preferences.participant_limit_z)
        self.limit.setToolTip("z at the upper end; the lower end is minus that")
        self.smooth = QCheckBox("glide to a new value")
        self.smooth.setObjectName("participant_smooth")
        self.smooth.setChecked(preferences.participant_smooth)
        self.square = QSpinBox()
        self.square.setObjectName("participant_square")
        self.square.setRange(0, 400)
        self.square.setSuffix(" px")
        self.square.setSpecialValueText("none")
        self.square.setValue(preferences.photodiode_px)
        self.square.setToolTip("A square that flips with each update, lower left")

        for box in (self.limit, self.square):  # the style's arrows are not drawn well
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.PlusMinus)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("&Drawing", self.form)
        form.addRow("Ends of the scale, &z", self.limit)
        form.addRow("&Smoothing", self.smooth)
        form.addRow("S&quare for a photodiode", self.square)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(wrapped_label(WORDS))
        column.addLayout(form)
        column.addWidget(buttons)

    def _tell(self) -> None:
        form = next(f for f in PARTICIPANT_FORMS if f == self.form.currentText())
        self._preferences = replace(
            self._preferences,
            participant=form,
            participant_limit_z=self.limit.value(),
            participant_smooth=self.smooth.isChecked(),
            photodiode_px=self.square.value(),
        )
        self.changed.emit(self._preferences)
