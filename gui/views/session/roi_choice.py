"""Which ROIs are plotted: a list to search in, at most eight ticked."""

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.forms import named_button, named_line

MOST_ROIS = 8


class RoiChoice(QDialog):
    """A dialog that stays open beside the plot; each tick shows at once."""

    changed = pyqtSignal(tuple)  # names, in the order they were ticked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("roi_choice")
        self.setWindowTitle("ROIs in the plot")
        self.setModal(False)
        self._chosen: tuple[str, ...] = ()
        self._filling = False
        self.search = named_line("", name="roi_search", tip="Part of a name.")
        self.search.setPlaceholderText("type to search")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setObjectName("roi_list")
        self.list.setToolTip("Tick with the mouse or with Space.")
        self.list.itemChanged.connect(self._ticked)
        self.count = QLabel()
        self.count.setObjectName("roi_count")
        none = QPushButton("Only the target")
        none.setObjectName("roi_none")
        none.clicked.connect(lambda: self.choose(()))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        for part in (none, close):
            part.setAutoDefault(False)
            foot.addWidget(part)
        column = QVBoxLayout(self)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addWidget(self.count)
        column.addLayout(foot)
        self.resize(340, 460)
        self._show_count()

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names that are ticked."""
        return self._chosen

    def set_rois(self, rois: Sequence[str]) -> None:
        """Offer other ROIs; ticks stay where the name is still there."""
        kept = tuple(name for name in self._chosen if name in rois)
        self._filling = True
        self.list.clear()
        for name in rois:
            item = QListWidgetItem(name)
            item.setFlags(
                Qt.ItemFlag.ItemIsUserCheckable
                | Qt.ItemFlag.ItemIsEnabled
                | Qt.ItemFlag.ItemIsSelectable
            )
            item.setCheckState(_state(name in kept))
            self.list.addItem(item)
        self._filling = False
        self._filter(self.search.text())
        self._take(kept)

    def choose(self, names: Sequence[str]) -> None:
        """Tick `names` and nothing else."""
        offered = {item.text() for item in self._items()}
        names = tuple(name for name in names if name in offered)[:MOST_ROIS]
        self._filling = True
        for item in self._items():
            item.setCheckState(_state(item.text() in names))
        self._filling = False
        self._take(names)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Go from the search to the list with the arrow keys."""
        down = event is not None and event.key() == Qt.Key.Key_Down
        if down and self.search.hasFocus():
            self.list.setFocus()
            visible = [item for item in self._items() if not item.isHidden()]
            if visible:
                self.list.setCurrentItem(visible[0])
            return
        super().keyPressEvent(event)

    def _ticked(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        name, on = item.text(), item.checkState() == Qt.CheckState.Checked
        others = tuple(other for other in self._chosen if other != name)
        if on and len(others) >= MOST_ROIS:
            self._filling = True
            item.setCheckState(Qt.CheckState.Unchecked)
            self._filling = False
            self.count.setText(f"{MOST_ROIS} are the most; untick one first")
            return
        self._take((*others, name) if on else others)

    def _take(self, names: tuple[str, ...]) -> None:
        changed, self._chosen = names != self._chosen, names
        self._show_count()
        if changed:
            self.changed.emit(names)

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for item in self._items():
            name = item.text().lower()
            item.setHidden(not all(word in name for word in words))

    def _show_count(self) -> None:
        n = self.list.count()
        self.count.setText(f"{len(self._chosen)} of {n}, {MOST_ROIS} at most")

    def _items(self) -> list[QListWidgetItem]:
        found = (self.list.item(row) for row in range(self.list.count()))
        return [item for item in found if item is not None]


def _state(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked


# How the ROI plot is looked at: which ROIs, how much time, which clock.

SPANS_MIN = (2, 5, 10, 20, 60, 120)
USUAL_MIN = 10
CLOCKS = ("since the first volume", "time of day")


class RoiHead(QWidget):
    """Buttons and choices above the lanes; `changed` when the lanes must follow."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rois = named_button(
            "ROIs", name="roi_button", tip="Choose what is plotted (Ctrl+F)"
        )
        self.rois.setShortcut("Ctrl+F")
        self.span = _choice("roi_span", [f"{minutes} min" for minutes in SPANS_MIN])
        self.span.setToolTip("How much time is shown")
        self.span.setCurrentIndex(SPANS_MIN.index(USUAL_MIN))
        self.axis = _choice("roi_axis", CLOCKS)
        self.axis.setToolTip("What the time axis counts")
        self.follow = named_button(
            "Follow", name="roi_follow", tip="Stay at the newest volume"
        )
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        self.fit = named_button(
            "Fit heights",
            name="roi_fit",
            tip="Heights only grow by themselves; this fits them afresh",
        )
        self._lay_out()
        for box in (self.span, self.axis):
            box.currentIndexChanged.connect(self.changed)
        self.follow.toggled.connect(self.changed)

    @property
    def span_s(self) -> float:
        """How much time is shown."""
        return 60.0 * SPANS_MIN[self.span.currentIndex()]

    @property
    def follows(self) -> bool:
        """Whether the newest volume stays in sight."""
        return self.follow.isChecked()

    @property
    def by_wall_clock(self) -> bool:
        """Whether the axis shows the time of day."""
        return self.axis.currentIndex() == 1

    def say_count(self, n_shown: int, n_all: int) -> None:
        """Show how many ROIs are plotted."""
        words = f"ROIs ({n_shown} of {n_all})"
        if self.rois.text() != words:
            self.rois.setText(words)
            self.rois.setShortcut("Ctrl+F")  # the text took it away

    def choices(self) -> dict[str, object]:
        """Return what was chosen, to be kept."""
        return {"span": self.span.currentIndex(), "axis": self.axis.currentIndex()}

    def take_choices(self, choices: Mapping[str, object]) -> None:
        """Take choices that were kept; what does not fit is left out."""
        for name, box in (("span", self.span), ("axis", self.axis)):
            place = choices.get(name)
            if isinstance(place, int) and 0 <= place < box.count():
                box.setCurrentIndex(place)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for part in (self.rois, self.span, self.axis, self.follow, self.fit):
            row.addWidget(part)
        row.addStretch(1)


def legend(colours: Colours) -> str:
    """Return what the lanes' lines mean, as rich text."""
    parts = (
        (colours.prediction, "●━ predicted"),
        (colours.degraded, "○ degraded"),
        (colours.measured, "━ measured (scaled)"),
        (colours.accent, "┆ mark"),
        (colours.border, "▭ block"),
        (colours.muted, "holes: not valid; model units"),
    )
    lines = [f"<span style='color:{colour}'>{words}</span>" for colour, words in parts]
    bands = [
        f"<span style='color:{colours.band_edge}'>▐</span>"
        f"<span style='background-color:{fill}; color:{colours.text}'>"
        f"&nbsp;{words}&nbsp;</span>"
        f"<span style='color:{colours.band_edge}'>▌</span>"
        for fill, words in ((colours.band80, "80 %"), (colours.band95, "95 %"))
    ]
    return " &nbsp;".join((*lines[:2], *bands, *lines[2:]))


def _choice(name: str, words: tuple[str, ...] | list[str]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.addItems(list(words))
    return box
