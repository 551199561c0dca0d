"""The middle of the set-up page: pre-flight list, the model's channels, overrides."""

from collections.abc import Sequence
from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.checks import (
    CHECK_WORDS,
    OVERRIDE_WORD,
    SHORTEST_REASON,
    AgeLevel,
    ChannelFound,
    CheckAge,
    Checks,
    effect_words,
    summary_words,
    word_of,
)
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.words import window_words
from rtbold.gui.views.forms import HeldLabel, named_button, named_line, wrapped_label
from rtbold.gui.views.widgets.heads import HeadMap
from rtbold.messages import Check

# The list of checks: symbol, colour and word on each line, the worst first.

ORDER = ("fail", "warn", "ok")
ROLE_OF_STATE = {"ok": "ok", "warn": "degraded", "fail": "invalid"}


class CheckList(QScrollArea):
    """Shows checks as they come."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("checks")
        self.setToolTip("What was checked, what was found, and how to mend it")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._colours = colours
        self._shown: object = None
        self._stale = False
        self._again: tuple[tuple[Check, ...], frozenset[str], bool, bool] | None
        self._again = None
        self._rows: list[QLabel] = []
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(2, 2, 2, 2)
        self._column.setSpacing(2)
        self._column.addStretch(1)
        self.setWidget(inside)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def show_lines(
        self,
        lines: Sequence[Check],
        *,
        overridden: frozenset[str] = frozenset(),
        done: bool = True,
        stale: bool = False,
    ) -> None:
        """Show these lines.

        Parameters
        ----------
        overridden : names of the checks that were.
        done : the worst come first; else they stay as they came.
        stale : they are of other settings, and drawn pale.
        """
        what = (tuple(lines), overridden, done, stale)
        if what == self._shown:
            return
        self._shown = self._again = what
        self._stale = stale
        ordered = sorted(lines, key=_rank) if done else lines
        while len(self._rows) < len(ordered):
            row = _row(len(self._rows))
            self._rows.append(row)
            self._column.insertWidget(len(self._rows) - 1, row)
        for row, line in zip(self._rows, ordered, strict=False):
            row.setText(self._html(line, overridden=line.name in overridden))
            row.setStyleSheet(self._edge(line))
            row.show()
        for row in self._rows[len(ordered) :]:
            row.hide()
            row.clear()

    def texts(self) -> list[str]:
        """Return what is shown, a text a line, for tests and for copying."""
        return [row.text() for row in self._rows if row.text()]

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours, self._shown = colours, None
        if self._again is not None:
            lines, names, done, stale = self._again
            self.show_lines(lines, overridden=names, done=done, stale=stale)

    def _html(self, line: Check, *, overridden: bool) -> str:
        symbol = CHECK_WORDS[line.state][0]
        colour, ink = self._colour(line), self._ink()
        word = "overridden" if overridden else word_of(line)
        text = (
            f'<span style="color:{colour}">{symbol} <b>{escape(line.name)}</b>: '
            f"{word}</span>"
        )
        if line.found:
            found = _lines(window_words(line.found))
            text += f'<br><span style="color:{ink}">{found}</span>'
        if line.advice and line.state != "ok":
            advice = _lines(window_words(line.advice))
            text += f'<br><span style="color:{ink}">→ {advice}</span>'
        return text

    def _colour(self, line: Check) -> str:
        role = "muted" if self._stale else ROLE_OF_STATE[line.state]
        found: str = getattr(self._colours, role)
        return found

    def _ink(self) -> str:
        return self._colours.muted if self._stale else self._colours.text

    def _edge(self, line: Check) -> str:
        colour = self._colour(line)
        return (
            f"QLabel {{ background: {self._colours.panel}; padding: 3px 6px;"
            f"border-left: 4px solid {colour}; }}"
        )


def _rank(line: Check) -> int:
    return ORDER.index(line.state)


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _row(number: int) -> QLabel:
    row = QLabel()
    row.setObjectName(f"check_{number}")
    row.setWordWrap(True)
    row.setTextFormat(Qt.TextFormat.RichText)
    row.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return row


ROLE_OF_AGE = {
    "none": "muted",
    "fresh": "muted",
    "old": "degraded",
    "changed": "degraded",
}
MOST_NAMES = 12


class CheckPanel(QWidget):
    """Check, Override, the list, and a head with the channels that the model wants."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._shown: object = None
        self._age_level: AgeLevel = "none"
        self.check = named_button(
            "&Check",
            name="check",
            tip="Open all that a session needs, listen for some seconds, and say what "
            "is wrong; nothing is published or written (F4)",
        )
        self.override = named_button(
            "&Override…",
            name="override",
            tip="Let a run start in spite of red checks: asks for a reason, and is "
            "logged",
        )
        self.words = wrapped_label(name="check_words")
        self.age = HeldLabel("check_age", lines=2)
        self.list = CheckList(colours)
        self.head = HeadMap(colours)
        self.channels = wrapped_label(name="channel_words")
        row = QHBoxLayout()
        row.addWidget(self.check)
        row.addWidget(self.words, stretch=1)
        row.addWidget(self.override)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.age)
        column.addWidget(self.list, stretch=3)
        column.addWidget(self.head, stretch=2)
        column.addWidget(self.channels)

    def show_checks(self, checks: Checks, *, checking: bool, age: CheckAge) -> None:
        """Show how far the check is; does nothing while nothing changes."""
        if (checks, checking, age) == self._shown:
            return
        self._shown = (checks, checking, age)
        stale = age.level == "changed"
        self.check.setEnabled(not checking)
        self.check.setText("Checking …" if checking else "&Check")
        self.words.setText(summary_words(checks))
        self.age.setText(age.words)
        self.age.setVisible(bool(age.words) and not checking)
        self._age_level = age.level
        self._colour_age()
        self.list.show_lines(
            checks.lines,
            overridden=frozenset(o.name for o in checks.overrides),
            done=checks.ready is not None,
            stale=stale,
        )
        self.override.setEnabled(bool(checks.blocking) and not checking and not stale)
        self._show_channels(checks)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.list.set_colours(colours)
        self.head.set_colours(colours)
        self._colour_age()

    def _colour_age(self) -> None:
        colour = getattr(self._colours, ROLE_OF_AGE[self._age_level])
        weight = "bold" if ROLE_OF_AGE[self._age_level] == "degraded" else "normal"
        self.age.setStyleSheet(f"color: {colour}; font-weight: {weight}")

    def _show_channels(self, checks: Checks) -> None:
        # On the head an alias is as good as the same name; below it is named.
        self.head.show_states(
            {
                channel.label: "good" if channel.state == "alias" else channel.state
                for channel in checks.channels
            }
        )
        words = channel_words(checks.channels, checks.extra)
        self.channels.setText(words)
        self.channels.setVisible(bool(words))


def channel_words(channels: Sequence[ChannelFound], extra: Sequence[str]) -> str:
    """Return what the names have to say: missing, under another name, too many."""
    missing = [c.label for c in channels if c.state == "missing"]
    alias = [f"{c.label} is {c.found}" for c in channels if c.state == "alias"]
    parts = (
        ("✕ Missing", missing),
        ("Under another name", alias),
        ("Not used by the model", list(extra)),
    )
    return "\n".join(f"{what}: {_named(who)}." for what, who in parts if who)


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    said = ", ".join(names[:MOST_NAMES])
    return f"{said} and {more} more" if more > 0 else said


# Starting in spite of a red check: named, asked once more, with a reason.


class OverrideDialog(QDialog):
    """Asks for a reason and for the word OVERRIDE; Enter alone does nothing."""

    def __init__(self, lines: Sequence[Check], parent: QWidget | None = None) -> None:
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
            field.textChanged.connect(self._validate)
        self._validate()

    def _validate(self) -> None:
        reason = len(self.reason_text) >= SHORTEST_REASON
        assert self.go is not None
        self.go.setEnabled(reason and self.word.text().strip() == OVERRIDE_WORD)


def _label(words: str, field: QWidget) -> QLabel:
    label = QLabel(words)
    label.setBuddy(field)
    return label


def _words(lines: Sequence[Check]) -> str:
    said = ["These checks are red, and each of them must be green for a run:\n"]
    said += [
        f"✕ {line.name}: {window_words(line.found)}\n{effect_words(line)}\n"
        for line in lines
    ]
    said.append(
        "What is overridden is logged by name with your reason, here and in the "
        "session's recording."
    )
    return "\n".join(said)
