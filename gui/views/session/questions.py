"""Questions of the protocol: the participant answers, the operator sends it."""

from collections.abc import Callable

from msgspec import UNSET
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.forms import named_button, named_line
from rtbold.publish import QuestionPart

Answered = Callable[[str, str], None]
LONGEST_ANSWER = 900  # with its name it is a command's text


class QuestionRow(QWidget):
    """One question with its slider or line; nothing is sent before it was touched."""

    def __init__(self, question: QuestionPart, answered: Answered) -> None:
        super().__init__()
        self.setObjectName(f"question_{question.name}")
        self.question, self._answered = question, answered
        self.slider: QSlider | None = None
        self.line: QLineEdit | None = None
        self.value = QLabel("—")
        self.send = named_button(
            "Send", name=f"answer_{question.name}", tip="Put the answer into the record"
        )
        self.send.setEnabled(False)
        self.send.clicked.connect(self._send)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(_plain(question.text))
        if question.kind == "slider":
            self._add_slider(row)
        else:
            self._add_line(row)
        row.addWidget(self.send)

    def _add_slider(self, row: QHBoxLayout) -> None:
        question = self.question
        self.slider = slider = QSlider(Qt.Orientation.Horizontal)
        slider.setObjectName(f"slider_{question.name}")
        slider.setRange(question.minimum, question.maximum)
        slider.setValue((question.minimum + question.maximum) // 2)
        slider.valueChanged.connect(lambda value: self._touched(str(value)))
        slider.sliderPressed.connect(lambda: self._touched(str(slider.value())))
        for part in (_plain(question.low), slider, _plain(question.high), self.value):
            row.addWidget(part, 1 if part is slider else 0)

    def _add_line(self, row: QHBoxLayout) -> None:
        self.line = named_line("", name=f"line_{self.question.name}")
        self.line.setMaxLength(LONGEST_ANSWER)
        self.line.textChanged.connect(lambda text: self._touched(text.strip()))
        self.line.returnPressed.connect(self._send)
        row.addWidget(self.line, 1)

    def _touched(self, value: str) -> None:
        self.value.setText(value or "—")
        self.send.setEnabled(bool(value))

    def _send(self) -> None:
        if self.send.isEnabled():
            self._answered(self.question.name, self.value.text())


class QuestionBox(QWidget):
    """The questions that are open now; hidden while there are none.

    Parameters
    ----------
    answered : takes the name of a question and the answer.
    """

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.setObjectName("questions")
        self._answered = answered
        self._asked: tuple[QuestionPart, ...] = ()
        self.rows: dict[str, QuestionRow] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme; the style sheet has them all."""

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the questions that the session asks now."""
        asked = state.phase.questions if state.phase else UNSET
        if state.bye is not None or not isinstance(asked, tuple):
            asked = ()
        if asked == self._asked:
            return
        self._asked = asked
        wanted = {question.name: question for question in asked}
        for name in [
            n for n, row in self.rows.items() if wanted.get(n) != row.question
        ]:
            row = self.rows.pop(name)
            self._column.removeWidget(row)
            row.deleteLater()
        for name, question in wanted.items():
            if name not in self.rows:
                self.rows[name] = QuestionRow(question, self._answered)
                self._column.addWidget(self.rows[name])
        self.setVisible(bool(self.rows))


def _plain(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
