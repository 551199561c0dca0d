"""After a run: what it came to, in numbers and one picture; to be saved or printed."""

import math
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.history import TargetPairs, target_pairs
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.run_picture import RunPicture, run_picture
from rtbold.gui.state.summary import RunSummary, as_html, as_page
from rtbold.gui.views.drawing import Painted
from rtbold.gui.views.forms import named_button, wrapped_label
from rtbold.gui.views.run_picture import RunPictureView, as_base64
from rtbold.owner_only import write_text

# Predicted against measured, one dot a volume.

MARGIN = 0.15  # of the smaller side, for the words on the axes
LEFT_PX = 72.0  # numbers and the word beside them
EDGE = 0.03  # of a side, free of dots
STEPS = (2.0, 1.0, 0.5, 0.2)
FEWEST_TICKS = 3
FLAT = 1e-9  # a range below this share of its numbers is rounding: one tick
SMALLEST = 1e-300  # of smaller ranges a step would be no number
Align = Qt.AlignmentFlag


class ScatterView(Painted):
    """Dots of the target's volumes; the axes have units of their own."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("summary_scatter")
        self.setMinimumSize(240, 240)
        self.setToolTip(
            "Each dot is a volume: what was predicted (across) against what was "
            "measured (up, after the causal low-pass)"
        )
        self._pairs: TargetPairs | None = None

    def show_pairs(self, pairs: TargetPairs | None) -> None:
        """Draw these pairs; None: nothing was measured."""
        self._pairs = pairs
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw frame, dots and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._colours.panel))
        pairs = self._pairs
        if pairs is None or len(pairs.predicted) < 2:
            painter.setPen(QColor(self._colours.muted))
            painter.drawText(
                self.rect(),
                Align.AlignCenter | Qt.TextFlag.TextWordWrap,
                "Nothing measured to compare with.\nChoose measured BOLD on the Set-up "
                "page.",
            )
        else:
            self._draw(painter, pairs)
        painter.end()

    def _draw(self, painter: QPainter, pairs: TargetPairs) -> None:
        margin = max(28.0, MARGIN * min(self.width(), self.height()))
        left = max(LEFT_PX, margin)
        box = QRectF(self.rect()).adjusted(left, margin / 2, -margin / 2, -margin)
        painter.setPen(QPen(QColor(self._colours.grid), 1))
        painter.drawRect(box)
        self._draw_scale(painter, box, pairs)
        x, y = _unit(pairs.predicted), _unit(pairs.measured)
        painter.setPen(Qt.PenStyle.NoPen)
        dot = QColor(self._colours.prediction)
        dot.setAlpha(170)
        painter.setBrush(dot)
        for across, up in zip(x, y, strict=True):
            centre = QPointF(
                box.left() + across * box.width(), box.bottom() - up * box.height()
            )
            painter.drawEllipse(centre, 3.0, 3.0)
        self._write(painter, box, pairs)

    def _draw_scale(self, painter: QPainter, box: QRectF, pairs: TargetPairs) -> None:
        """Draw lines at round numbers, and the numbers."""
        muted = QColor(self._colours.muted)
        for number in ticks(pairs.predicted):
            x = box.left() + _place(number, pairs.predicted) * box.width()
            painter.setPen(QPen(QColor(self._colours.grid), 1))
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
            painter.setPen(muted)
            below = QRectF(x - 40, box.bottom() + 3, 80, 20)
            painter.drawText(below, Align.AlignHCenter | Align.AlignTop, _text(number))
        for number in ticks(pairs.measured):
            y = box.bottom() - _place(number, pairs.measured) * box.height()
            painter.setPen(QPen(QColor(self._colours.grid), 1))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(muted)
            beside = QRectF(box.left() - 84, y - 10, 80, 20)
            painter.drawText(
                beside, Align.AlignRight | Align.AlignVCenter, _text(number)
            )

    def _write(self, painter: QPainter, box: QRectF, pairs: TargetPairs) -> None:
        painter.setPen(QColor(self._colours.text))
        below = QRectF(box.left(), box.bottom() + 22, box.width(), self.height())
        words = f"predicted {pairs.target} ({len(pairs.predicted)} volumes)"
        painter.drawText(below, Align.AlignHCenter | Align.AlignTop, words)
        painter.save()
        painter.translate(box.left() - 46, box.center().y())
        painter.rotate(-90)
        beside = QRectF(-box.height() / 2, -40, box.height(), 40)
        painter.drawText(beside, Align.AlignHCenter | Align.AlignBottom, "measured")
        painter.restore()


def ticks(values: np.ndarray) -> list[float]:
    """Return three to eight round numbers within the range of `values`.

    One number where they do not vary but for rounding.
    """
    low, high = float(values.min()), float(values.max())
    span = high - low
    if not max(SMALLEST, FLAT * max(abs(low), abs(high))) < span < math.inf:
        return [low]
    step = 10.0 ** math.floor(math.log10(span))
    step *= next(f for f in STEPS if span / (f * step) >= FEWEST_TICKS)
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    # A multiple of the step may lie beyond an end by its last bit.
    return [min(max(step * k, low), high) for k in numbers]


def _text(number: float) -> str:
    return f"{number:.6g}".replace("-", "\u2212")


def _place(value: float, values: np.ndarray) -> float:
    """Return where `value` lies, 0 to 1, with a little room at both ends."""
    low, high = float(values.min()), float(values.max())
    return EDGE + (1 - 2 * EDGE) * (value - low) / ((high - low) or 1.0)


def _unit(values: np.ndarray) -> np.ndarray:
    """Scale to 0..1 with a little room."""
    low, high = float(values.min()), float(values.max())
    scaled: np.ndarray = EDGE + (1 - 2 * EDGE) * (values - low) / ((high - low) or 1.0)
    return scaled


MOST_KEPT = 20
REDRAW_S = 2.0
RUNNING = "not yet: it is running"
EMPTY = (
    "<h2>No session yet</h2><p>Start one on the set-up page (Ctrl+1), or join one that "
    "runs (Ctrl+J). Its summary stands here while it runs and after it has ended.</p>"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that is over, or the one that runs."""

    summary: RunSummary
    pairs: TargetPairs | None
    picture: RunPicture | None = None


class SummaryPage(QWidget):
    """Summary of the session that runs, or of one of the last twenty."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("summary_page")
        self._past: deque[Kept] = deque(maxlen=MOST_KEPT)
        self._now: Kept | None = None
        self._drawn_s = -REDRAW_S
        self._drawn_html = ""
        self.which = QComboBox()
        self.which.setObjectName("summary_which")
        self.which.setToolTip("Which session: the newest, or one before it")
        self.text = QTextBrowser()
        self.text.setObjectName("summary_text")
        self.scatter = ScatterView(colours)
        self.picture = RunPictureView(colours)
        self.save = named_button(
            "&Save as HTML…", name="summary_save", tip="A page that any browser prints"
        )
        self.said = wrapped_label(name="summary_said")
        self._lay_out()
        self.which.currentIndexChanged.connect(self._draw)
        self.save.clicked.connect(self._ask_and_save)
        self._offer()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.which)
        row.addStretch(1)
        row.addWidget(self.save)
        below = QSplitter()
        below.addWidget(self.text)
        below.addWidget(self.scatter)
        below.setSizes([600, 400])
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.picture)
        split.addWidget(below)
        split.setSizes([320, 330])
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.said)
        column.addWidget(split, stretch=1)
        self.said.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self.scatter.set_colours(colours)
        self.picture.set_colours(colours)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest numbers, every two seconds."""
        if now_s - self._drawn_s < REDRAW_S:
            return
        self._drawn_s = now_s
        self.take(state)

    def take(self, state: DashboardState) -> None:
        """Take the numbers as they are now; the window calls it when a session ends."""
        if state.session is None:
            return
        target = state.hello.target if state.hello else ""
        summary = state.summary()
        if state.bye is None and state.link is not None and state.link.alive:
            summary = replace(summary, ended=RUNNING)
        newest = Kept(
            summary,
            target_pairs(state.history, target),
            run_picture(state.history, state.story, target=target, tr_s=state.tr_s),
        )
        if self._now is not None and self._now.summary.session != state.session:
            self._past.appendleft(_over(self._now))
            self._now = newest
            self._offer()
        elif self._now is None:
            self._now = newest
            self._offer()
        else:
            self._now = newest
            self._draw()

    def _kept(self) -> list[Kept]:
        return ([self._now] if self._now else []) + list(self._past)

    def _offer(self) -> None:
        """List the sessions; the newest is chosen."""
        self.which.blockSignals(True)
        self.which.clear()
        for kept in self._kept():
            summary = kept.summary
            self.which.addItem(
                f"{summary.session[:8]}: {summary.model_name}, {summary.n_volumes} "
                "volumes"
            )
        self.which.blockSignals(False)
        self.which.setVisible(self.which.count() > 1)
        self.save.setEnabled(self.which.count() > 0)
        self._draw()

    def _chosen(self) -> Kept | None:
        kept, place = self._kept(), self.which.currentIndex()
        return kept[place] if 0 <= place < len(kept) else None

    def _draw(self) -> None:
        chosen = self._chosen()
        body = EMPTY if chosen is None else as_html(chosen.summary)
        self.scatter.show_pairs(chosen.pairs if chosen else None)
        self.scatter.setVisible(chosen is not None)
        self.picture.show_picture(chosen.picture if chosen else None)
        self.picture.setVisible(chosen is not None)
        if body == self._drawn_html:
            return
        bar = self.text.verticalScrollBar()
        place = bar.value() if bar is not None else 0
        self.text.setHtml(body)
        if bar is not None:
            bar.setValue(place)
        self._drawn_html = body

    def _ask_and_save(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        name = f"rtbold-summary-{chosen.summary.session[:8]}.html"
        path, _ = QFileDialog.getSaveFileName(
            self, "Save summary", name, "HTML (*.html)"
        )
        if path:
            self.save_to(Path(path))

    def save_to(self, path: Path) -> bool:
        """Write the chosen summary as a page; say how it went."""
        chosen = self._chosen()
        if chosen is None:
            return False
        try:
            picture = as_base64(chosen.picture) if chosen.picture else ""
            write_text(path, as_page(chosen.summary, picture))
        except OSError as error:
            self._say(f"Not saved: {error}. Choose another folder.")
            return False
        self._say(f"Saved: {path}")
        return True

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.show()


def _over(kept: Kept) -> Kept:
    """Return a session that another has followed; it was not heard to end."""
    if kept.summary.ended != RUNNING:
        return kept
    return replace(kept, summary=replace(kept.summary, ended=""))
