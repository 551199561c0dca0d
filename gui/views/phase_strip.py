"""The protocol's phase with its time left; hidden while no protocol speaks."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received_kinds import Phase
from rtbold.gui.state.session_words import span_words
from rtbold.gui.state.theme_colours import Colours

RUN_WORDS = {
    "train": "training",
    "transfer": "transfer",
    "rest": "rest",
    "calib": "calibration",
}
PARTS = 1000  # of the bar


class PhaseStrip(QWidget):
    """Run, block and name; a bar that fills; the time left."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("phase_strip")
        self.setToolTip("Where the protocol is, and how long this phase still lasts.")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.name = QLabel()
        self.name.setObjectName("phase_name")
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.left = QLabel()
        self.left.setObjectName("phase_left")
        self._bar = QProgressBar()
        self._bar.setRange(0, PARTS)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(10)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.name)
        row.addWidget(self._bar, 1)
        row.addWidget(self.left)
        self.set_colours(colours)
        self.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme; the style sheet has the rest."""
        for label in (self.name, self.left):
            label.setStyleSheet(f"color: {colours.text}; font-weight: bold;")

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the phase at `now_s`, if there is one."""
        phase, lsl_s = state.phase, state.lsl_now_s(now_s)
        if state.headline(now_s).stale:
            lsl_s = None  # what nobody confirms does not run on
        if self.isHidden() is (phase is not None):
            self.setVisible(phase is not None)
        if phase is None:
            return
        kind = RUN_WORDS.get(phase.run_type, phase.run_type)
        _set(self.name, f"Run {phase.run} ({kind}), block {phase.block}: {phase.name}")
        _set(self.left, time_left_words(phase, lsl_s))
        self._bar.setValue(round(PARTS * _share(phase, lsl_s)))


def time_left_words(phase: Phase, lsl_now_s: float | None) -> str:
    """Return how long the phase still lasts, in words."""
    if lsl_now_s is None:
        return ""
    if phase.t_off_planned is None:
        return f"for {span_words(lsl_now_s - phase.t_on)}, no planned end"
    left_s = phase.t_off_planned - lsl_now_s
    if left_s < 0:
        return f"{span_words(-left_s)} over its planned end"
    return f"{span_words(left_s)} left"


def _share(phase: Phase, lsl_now_s: float | None) -> float:
    if lsl_now_s is None or phase.t_off_planned is None:
        return 0.0
    whole_s = phase.t_off_planned - phase.t_on
    return (
        min(1.0, max(0.0, (lsl_now_s - phase.t_on) / whole_s)) if whole_s > 0 else 1.0
    )


def _set(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
