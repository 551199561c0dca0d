"""What the operator can do with a session: buttons, each with its key."""

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QGridLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from rtbold.gui.controllers.session import (
    LONGEST_TEXT,
    CommandResult,
    SessionController,
)
from rtbold.gui.state.commands import CommandRules, command_rules
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.forms import named_line

KEYS = {  # Space is no key of any command
    "start": ("F5", "Start the next run"),
    "pause": ("F6", "Pause: predictions stop, the recording goes on; again: resume"),
    "stop": ("Shift+F5", "Stop the session; asks first"),
    "mark": ("F7", "Mark this moment in the recording, with the text if there is one"),
    "note": ("F8", "Write a note into the recording: type it, then Enter"),
    "alpha": ("F9", "Alpha check: 30 s eyes open, 30 s eyes closed"),
    "participant_stop": (
        "F10",
        "The participant stops: nothing is shown from now on, until Resume",
    ),
    "adverse_event": (
        "Shift+F7",
        "Note an adverse event in the recording: type it, then this key",
    ),
    "participant": ("Ctrl+P", "Open or close the participant's window"),
}
WORDS = {
    "start": "Start", "pause": "Pause", "stop": "Stop", "mark": "Mark", "note": "Note",
    "alpha": "Alpha check", "participant_stop": "Participant stops",
    "adverse_event": "Adverse event", "participant": "Participant",
}  # fmt: skip
OF_THE_WINDOW = ("participant", "participant_stop")  # keys that work on every page
STOP_QUESTION = (
    "Stop the session? Predictions and the recording end, and apps show their neutral "
    "screen."
)


class CommandBar(QWidget):
    """Buttons, a field for the text of marks and notes, and what became of the last.

    Parameters
    ----------
    controller : takes pause, resume, stop, mark, note and what the participant does.
    """

    start_requested = pyqtSignal()
    participant_requested = pyqtSignal()
    alpha_requested = pyqtSignal()
    answered = pyqtSignal(object)  # CommandResult

    def __init__(
        self,
        colours: Colours,
        controller: SessionController,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("command_bar")
        self._colours, self._controller = colours, controller
        self._rules = CommandRules()
        self._next_run, self._n_marks = "", 0
        self._question: QMessageBox | None = None
        self._session: str | None = None
        self._does: dict[str, Callable[[], object]] = {
            "start": self.start_requested.emit,
            "pause": self._pause,
            "stop": self._ask_to_stop,
            "mark": self._mark,
            "note": self._note,
            "alpha": self.alpha_requested.emit,
            "participant_stop": self._controller.participant_stop,
            "adverse_event": self._adverse_event,
            "participant": self.participant_requested.emit,
        }
        self.buttons = {name: self._button(name) for name in KEYS}
        self.text = named_line("", name="command_text", tip="Text of a mark or a note.")
        self.text.setPlaceholderText("text for a mark or a note")
        self.text.setMaxLength(LONGEST_TEXT)
        self.text.returnPressed.connect(self._note)
        self.answer = QLabel("")
        self.answer.setObjectName("command_answer")
        self.answer.setTextFormat(Qt.TextFormat.PlainText)
        self.answer.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self._lay_out()
        self._show_rules()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours

    def set_next_run(self, words: str) -> None:
        """Say which run Start starts; empty: none is planned."""
        self._next_run = words

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Enable what can work, and tell what has been answered."""
        for result in self._controller.results():
            self._tell(result, state, now_s)
        if state.session != self._session:
            self._session = state.session
            self._withdraw_question()
        rules = command_rules(
            state,
            now_s,
            has_control=self._controller.address is not None,
            next_run=self._next_run,
        )
        if rules != self._rules:
            self._rules = rules
            self._show_rules()

    # What the buttons do

    def _button(self, name: str) -> QPushButton:
        button = QPushButton()
        button.setObjectName(f"command_{name}")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # or Space would press it
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        button.clicked.connect(lambda: self._does[name]())
        if name not in OF_THE_WINDOW:
            # a button's own shortcut would click 0.1 s late, which a mark cannot bear
            key = QShortcut(QKeySequence(KEYS[name][0]), self)
            key.activated.connect(lambda: self._press(name))
        return button

    def _press(self, name: str) -> None:
        """Do what a key asks for, or say why not."""
        if self.buttons[name].isEnabled():
            self._does[name]()
        else:
            self.answer.setText(f"✕ {getattr(self._rules, name)}")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        places = (("start", "pause", "stop"), ("mark", "note", "alpha"))
        for row, names in enumerate(places):
            for column, name in enumerate(names):
                grid.addWidget(self.buttons[name], row, column)
                grid.setColumnStretch(column, 1)
        grid.addWidget(self.text, 2, 0, 1, 2)
        grid.addWidget(self.buttons["participant"], 2, 2)
        grid.addWidget(self.buttons["participant_stop"], 3, 0, 1, 2)
        grid.addWidget(self.buttons["adverse_event"], 3, 2)
        grid.addWidget(self.answer, 4, 0, 1, 3)

    def _pause(self) -> None:
        if self._rules.resumes:
            self._controller.resume()
        else:
            self._controller.pause()

    def _mark(self) -> None:
        self._n_marks += 1
        self._controller.mark(self.text.text().strip() or f"mark {self._n_marks}")
        self.text.clear()

    def _note(self) -> None:
        text = self.text.text().strip()
        if not text:
            self.text.setFocus()
            return
        if self._rules.note:  # keeps what was typed
            self.answer.setText(f"✕ {self._rules.note}")
            return
        self._controller.note(text)
        self.text.clear()

    def _adverse_event(self) -> None:
        text = self.text.text().strip()
        if not text:
            self.answer.setText("✕ Not noted: type what happened, then this key again.")
            self.text.setFocus()
            return
        self._controller.adverse_event(text)
        self.text.clear()

    def _ask_to_stop(self) -> None:
        """Ask in a box that does not hold up the window; No is the default."""
        if self._question is not None:
            return
        box = self._question = QMessageBox(self)
        box.setObjectName("stop_question")
        box.setWindowTitle("Stop")
        box.setText(STOP_QUESTION)
        yes = box.addButton("Stop the session", QMessageBox.ButtonRole.DestructiveRole)
        no = box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(no)
        box.setEscapeButton(no)
        box.finished.connect(lambda _: self._stop_confirmed(box.clickedButton() is yes))
        box.open()

    def _stop_confirmed(self, agreed: bool) -> None:
        box, self._question = self._question, None
        if box is not None:
            box.deleteLater()
        if agreed:
            self._controller.stop()

    def _withdraw_question(self) -> None:
        """Take back a question that was asked about another session."""
        if self._question is not None:
            self._question.done(0)
            self.answer.setText("✕ Not stopped: another session is heard now.")

    # What they look like

    def _show_rules(self) -> None:
        resumes = self._rules.resumes
        for name, button in self.buttons.items():
            why_not = getattr(self._rules, name, "")
            key, tip = KEYS[name]
            words = "Resume" if name == "pause" and resumes else WORDS[name]
            shown = key.replace("Shift+", "⇧")
            button.setText(f"{words}  {shown}")
            button.setEnabled(not why_not)
            button.setToolTip(f"{why_not or tip} ({key})")

    def _tell(self, result: CommandResult, state: DashboardState, now_s: float) -> None:
        self.answer.setText(f"{'✓' if result.ok else '✕'} {result.words}")
        self.answer.setToolTip(result.words)
        if not result.ok:  # the session itself logs what it has accepted
            state.log.add(result.words, now_s, level="error")
        self.answered.emit(result)
