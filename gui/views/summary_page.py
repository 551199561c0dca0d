"""After a run: what it came to, in numbers and one picture; to be saved or printed."""

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

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
from rtbold.gui.state.pairs import TargetPairs, target_pairs
from rtbold.gui.state.summary import RunSummary, as_html, as_page
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.plain_widgets import named_button, wrapped_label
from rtbold.gui.views.scatter import ScatterView

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
        split = QSplitter()
        split.addWidget(self.text)
        split.addWidget(self.scatter)
        split.setSizes([600, 400])
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.said)
        column.addWidget(split, stretch=1)
        self.said.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self.scatter.set_colours(colours)

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
        newest = Kept(summary, target_pairs(state.history, target))
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
            path.write_text(as_page(chosen.summary), encoding="utf-8")
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
