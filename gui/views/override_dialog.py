"""Starting in spite of a red check: named, asked once more, with a reason."""

from collections.abc import Sequence

from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from rtbold.gui.state.checks import OVERRIDE_WORD, SHORTEST_REASON, CheckLine
from rtbold.gui.views.plain_widgets import named_line, wrapped_label


class OverrideDialog(QDialog):
    """Asks for a reason and for the word OVERRIDE; Enter alone does nothing."""

    def __init__(
        self, lines: Sequence[CheckLine], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("override_dialog")
        self.setWindowTitle("Start in spite of a red check?")
        self.setMinimumWidth(520)
        self.reason = named_line(
            "", name="override_reason", tip="Goes into the log and the recording"
        )
        self.word = named_line(
            "", name="override_word", tip=f"Type {OVERRIDE_WORD} in capitals"
        )
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.go = self.buttons.addButton(
            "Override", QDialogButtonBox.ButtonRole.AcceptRole
        )
        column = QVBoxLayout(self)
        column.addWidget(wrapped_label(_words(lines), name="override_names"))
        column.addWidget(_label("&Why this run starts all the same:", self.reason))
        column.addWidget(self.reason)
        column.addWidget(_label(f"To be sure, &type {OVERRIDE_WORD}:", self.word))
        column.addWidget(self.word)
        column.addWidget(self.buttons)
        self._prepare_buttons()
        self.reason.setFocus()

    @property
    def reason_text(self) -> str:
        """The reason, in one line."""
        return " ".join(self.reason.text().split())

    def _prepare_buttons(self) -> None:
        cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        assert cancel is not None
        assert self.go is not None
        self.go.setObjectName("override_go")
        self.go.setToolTip("Lets Start start; it is written into log and recording")
        self.go.setAutoDefault(False)
        cancel.setDefault(True)
        cancel.setToolTip("Nothing is overridden")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        for field in (self.reason, self.word):
            field.textChanged.connect(self._judge)
        self._judge()

    def _judge(self) -> None:
        reason = len(self.reason_text) >= SHORTEST_REASON
        assert self.go is not None
        self.go.setEnabled(reason and self.word.text().strip() == OVERRIDE_WORD)


def _label(words: str, field: QWidget) -> QLabel:
    label = QLabel(words)
    label.setBuddy(field)
    return label


def _words(lines: Sequence[CheckLine]) -> str:
    said = ["These checks are red, and each of them must be green for a run:\n"]
    said += [f"✕ {line.name}: {line.found}\n{_effect(line)}\n" for line in lines]
    said.append(
        "What is overridden is logged by name with your reason, here and in the "
        "session's recording."
    )
    return "\n".join(said)


def _effect(line: CheckLine) -> str:
    if line.flags:
        flags = " ".join(line.flags)
        return f"→ The session starts with {flags} and says so in every message."
    return "→ No option lets a session start with this: expect it to refuse, or to end."
