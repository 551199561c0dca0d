"""How the ROI plot is looked at: which ROIs, how much time, which clock."""

from collections.abc import Mapping

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.plain_widgets import named_button

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
        (colours.band80, "█"),
        (colours.text, "80 %"),
        (colours.band95, "█"),
        (colours.text, "95 %"),
        (colours.measured, "━ measured (scaled)"),
        (colours.muted, "holes: not valid; model units"),
    )
    return " &nbsp;".join(
        f"<span style='color:{colour}'>{words}</span>" for colour, words in parts
    )


def _choice(name: str, words: tuple[str, ...] | list[str]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.addItems(list(words))
    return box
