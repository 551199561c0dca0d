"""Fields that all answer alike: `value`, `set_value`, `edited`; frames and labels."""

from collections.abc import Callable, Sequence
from typing import Protocol

from PyQt6.QtCore import QEvent, QLocale, Qt, pyqtBoundSignal, pyqtSignal
from PyQt6.QtGui import QDoubleValidator, QWheelEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QFrame,
    QGroupBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.setup import LONGEST_NOTE, Value

GONE = "✕ {} (gone)"
SHORTEST = 8  # characters that a closed list has room for at least


class Field(Protocol):
    """A widget that holds one value."""

    @property
    def edited(self) -> pyqtBoundSignal:
        """Emitted when a person changed it, not by `set_value`."""

    def value(self) -> Value:
        """Return what it holds."""

    def set_value(self, value: Value) -> None:
        """Show another value; says nothing."""


class TextField(QLineEdit):
    """One line of text."""

    edited = pyqtSignal()

    def __init__(self, name: str, tip: str, *, hint: str = "") -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setPlaceholderText(hint)
        self.setMaxLength(LONGEST_NOTE)
        self.textEdited.connect(lambda: self.edited.emit())

    def value(self) -> str:
        """Return the text."""
        return self.text().strip()

    def set_value(self, value: Value) -> None:
        """Show another text."""
        self.setText(str(value or ""))


class NumberField(QLineEdit):
    """A number or nothing; a point, in every country."""

    edited = pyqtSignal()

    def __init__(
        self, name: str, tip: str, *, within: tuple[float, float], hint: str = ""
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setPlaceholderText(hint)
        check = QDoubleValidator(*within, 6, self)
        point = QLocale.c()
        point.setNumberOptions(QLocale.NumberOption.RejectGroupSeparator)
        check.setLocale(point)
        check.setNotation(QDoubleValidator.Notation.StandardNotation)
        self.setValidator(check)
        self.expected = f"{within[0]:g} to {within[1]:g}"
        self.textEdited.connect(lambda: self.edited.emit())
        self.textChanged.connect(self._validate)

    @property
    def wrong(self) -> bool:
        """Whether there is something in it that is no such number."""
        return bool(self.text()) and not self.hasAcceptableInput()

    def value(self) -> float | None:
        """Return the number; None while there is none, or only the start of one."""
        return float(self.text()) if self.text() and self.hasAcceptableInput() else None

    def set_value(self, value: Value) -> None:
        """Show another number."""
        self.setText(f"{value:.12g}" if isinstance(value, int | float) else "")

    def _validate(self) -> None:
        font = self.font()
        font.setStrikeOut(self.wrong)
        self.setFont(font)


class WholeField(QSpinBox):
    """A whole number."""

    edited = pyqtSignal()

    def __init__(self, name: str, tip: str, *, within: tuple[int, int]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setRange(*within)
        self.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._telling = True
        self.valueChanged.connect(self._tell)

    def set_value(self, value: Value) -> None:
        """Show another number."""
        self._telling = False
        self.setValue(value if isinstance(value, int) else self.minimum())
        self._telling = True

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 - Qt's name
        """Leave the wheel to the page: nobody sets a port by scrolling past it."""
        if event is not None:
            event.ignore()

    def _tell(self) -> None:
        if self._telling:
            self.edited.emit()


class TickField(QCheckBox):
    """Yes or no."""

    edited = pyqtSignal()

    def __init__(self, words: str, name: str, tip: str) -> None:
        super().__init__(words)
        self.setObjectName(name)
        self.setToolTip(tip)
        self.clicked.connect(lambda: self.edited.emit())

    def value(self) -> bool:
        """Return whether it is ticked."""
        return self.isChecked()

    def set_value(self, value: Value) -> None:
        """Tick it or not."""
        self.setChecked(value is True)


class ListField(QComboBox):
    """One of some texts; a chosen one that vanishes stays and is marked as gone.

    Parameters
    ----------
    nothing : words for the empty choice, which comes first; None: there is none.
    """

    edited = pyqtSignal()

    def __init__(self, name: str, tip: str, *, nothing: str | None = None) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setMinimumContentsLength(SHORTEST)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._nothing = nothing
        self._offered: tuple[tuple[str, str], ...] = ()
        self._shown: object = None
        self._chosen = ""
        self.activated.connect(self._choose)
        self._fill()

    @property
    def gone(self) -> bool:
        """Whether what is chosen is not among what can be chosen now."""
        return bool(self._chosen) and all(v != self._chosen for v, _ in self._offered)

    def value(self) -> str:
        """Return what is chosen."""
        return self._chosen

    def set_value(self, value: Value) -> None:
        """Choose something, whether it is offered or not."""
        self._chosen = str(value or "")
        self._fill()

    def offer(self, entries: Sequence[tuple[str, str]]) -> None:
        """Offer other entries.

        Parameters
        ----------
        entries : (value, words for people).
        """
        self._offered = tuple(entries)
        view = self.view()
        if view is None or not view.isVisible():  # not under somebody's mouse
            self._fill()

    def set_wrong(self, wrong: bool) -> None:
        """Draw it as something that cannot be, or as usual."""
        if self.property("wrong") == wrong:
            return
        self.setProperty("wrong", wrong)
        if (style := self.style()) is not None:  # the sheet asks for the property
            style.unpolish(self)
            style.polish(self)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 - Qt's name
        """Leave the wheel to the page: nobody chooses by scrolling past."""
        if event is not None:
            event.ignore()

    def _fill(self) -> None:
        entries = [*([("", self._nothing)] if self._nothing is not None else [])]
        entries += self._offered
        if self.gone:
            entries.append((self._chosen, self.words_when_gone()))
        if (entries, self._chosen) == self._shown:
            return
        self._shown = (entries, self._chosen)
        self.clear()
        for value, words in entries:
            self.addItem(words, value)
        self.setCurrentIndex(self.findData(self._chosen))

    def words_when_gone(self) -> str:
        """Return how a choice is shown that is not there any more."""
        return GONE.format(self._chosen)

    def _choose(self, index: int) -> None:
        self._chosen = str(self.itemData(index) or "")
        self._fill()
        self.edited.emit()


class SearchField(ListField):
    """A list that is searched by typing a part of an entry.

    Parameters
    ----------
    takes : whether a text that is no entry is a choice all the same; None: none is.
    """

    def __init__(
        self,
        name: str,
        tip: str,
        *,
        nothing: str | None = None,
        takes: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(name, tip, nothing=nothing)
        self._takes = takes or (lambda text: False)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        finder = QCompleter(self.model(), self)
        finder.setFilterMode(Qt.MatchFlag.MatchContains)
        finder.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        finder.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(finder)
        line = self.lineEdit()
        assert line is not None  # it is editable
        line.editingFinished.connect(self._settle)

    def _fill(self) -> None:
        super()._fill()
        line = self.lineEdit()
        if line is not None and not line.hasFocus():
            line.setCursorPosition(0)  # the name is at its beginning

    def words_when_gone(self) -> str:
        """Return how a choice is shown that is none of the entries."""
        own = self._takes(self._chosen)
        return self._chosen if own else super().words_when_gone()

    def _settle(self) -> None:
        """Choose what was typed if that is one entry; else show the choice again."""
        typed = self.currentText().strip()
        words = " ".join(typed.casefold().split())
        texts = [self.itemText(index).casefold() for index in range(self.count())]
        found = [k for k, text in enumerate(texts) if words and words in text]
        same = [k for k, text in enumerate(texts) if text == words]
        only = (same or found) if len(same or found) == 1 else []
        if only and self.itemData(only[0]) != self._chosen:
            self._choose(only[0])
        elif not only and typed != self._chosen and self._takes(typed):
            self.set_value(typed)
            self.edited.emit()
        self.setEditText(self.itemText(self.findData(self._chosen)))


# Frames around parts of a page.

GAP = 8
LABELS_PX = 112  # labels of one column, so that their fields begin in one line


def boxed(title: str, inside: QWidget) -> QGroupBox:
    """Return `inside` in a frame with a title."""
    box = QGroupBox(title)
    column = QVBoxLayout(box)
    column.setContentsMargins(GAP, GAP, GAP, GAP)
    column.addWidget(inside)
    return box


def scrolled(inside: QWidget) -> QScrollArea:
    """Return `inside` so that it scrolls up and down where it has no room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(inside)
    return area


def label_of(words: str, field: QWidget, *, wide: bool = True) -> QLabel:
    """Return the label of a field; Alt and the marked letter lead to it."""
    label = QLabel(words)
    label.setBuddy(field)
    if wide:
        label.setMinimumWidth(LABELS_PX)
    return label


# Labels, buttons and fields with a name, made in one call.


def wrapped_label(text: str = "", *, name: str = "") -> QLabel:
    """Return a label that breaks its lines, and whose words can be copied."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class HeldLabel(QLabel):
    """Words that come and go, in a place that is always there: nothing else moves.

    Parameters
    ----------
    lines : that there is room for; more of them make it larger.
    margin_px : above and below together.
    """

    def __init__(self, name: str, *, lines: int = 1, margin_px: int = 2) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        kept = self.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self.setSizePolicy(kept)
        self._lines, self._margin_px = lines, margin_px
        self._hold()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Keep as much room in another text size."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._hold()

    def _hold(self) -> None:
        room = self._lines * self.fontMetrics().lineSpacing() + self._margin_px
        if self.minimumHeight() != room:
            self.setMinimumHeight(room)


def named_button(words: str, *, name: str, tip: str = "") -> QPushButton:
    """Return a button."""
    button = QPushButton(words)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button


def named_line(text: str, *, name: str, tip: str = "") -> QLineEdit:
    """Return a field for one line."""
    line = QLineEdit(text)
    line.setObjectName(name)
    line.setToolTip(tip)
    return line
