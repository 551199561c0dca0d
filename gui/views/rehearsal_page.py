"""The rehearsal: how far it is, then GO or NO-GO with its evidence, to be printed."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QPainter, QTextDocument
from PyQt6.QtPrintSupport import QPrintDialog, QPrinter
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.controllers.setup import SetupController, wanted
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.rehearsal import (
    NOTHING_YET,
    SIMULATED,
    Rehearsal,
    as_html,
    figure_rows,
    left_words,
    ready_words,
    stale_words,
    verdict_words,
    why_words,
)
from rtbold.gui.state.setup import Run, SetupChoice
from rtbold.gui.views.forms import (
    GAP,
    HeldLabel,
    TickField,
    WholeField,
    boxed,
    label_of,
    named_button,
    wrapped_label,
)
from rtbold.gui.views.setup.checks import CheckList
from rtbold.owner_only import write_text
from rtbold.pages import rendered

USUAL_MINUTES = 5
NO_LONGER = "◌ for other settings"
NO_FIGURES = "They come with the verdict."
VERDICT_SCALE = 4.0
SHEET_PX = 720  # of text, as a screen counts; a long page is made smaller


class RehearsalPage(QWidget):
    """Shows the controller's rehearsal.

    Parameters
    ----------
    chosen : asked for the settings of now; a verdict on others is no verdict.
    """

    begun = pyqtSignal()

    def __init__(
        self,
        colours: Colours,
        controller: SetupController,
        chosen: Callable[[], SetupChoice],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("rehearsal_page")
        self._colours, self._controller = colours, controller
        self._chosen = chosen
        self._shown: object = None
        self._wanted: tuple[SetupChoice, Run] | None = None
        self._begun_at = ""
        self._heard = False  # a session lives, whose time a rehearsal would take
        self.banner = HeldLabel("rehearsal_banner", margin_px=12)
        self.banner.setText(SIMULATED)
        self.banner.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.banner.hide()
        self.verdict = QLabel()
        self.verdict.setObjectName("rehearsal_verdict")
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.verdict.setToolTip("Whether a session with these settings would work")
        self.why = HeldLabel("rehearsal_why", lines=2)
        self.why.setText(NOTHING_YET)
        self.progress = QProgressBar()
        self.progress.setObjectName("rehearsal_progress")
        self.progress.setToolTip("How much of the rehearsal is done")
        self.progress.setRange(0, 1000)
        kept = self.progress.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # nothing moves when it comes
        self.progress.setSizePolicy(kept)
        self.said = QTextBrowser()
        self.said.setObjectName("rehearsal_said")
        self.said.setToolTip("What the rehearsal says as it goes")
        self.figures = QTextBrowser()
        self.figures.setObjectName("rehearsal_figures")
        self.figures.setToolTip("What was measured")
        self.checks = CheckList(colours)
        self._make_buttons()
        self._lay_out()
        self.set_colours(colours)

    def prepare(self, choice: SetupChoice, run: Run) -> None:
        """Show that this run can be rehearsed; a click on Begin begins."""
        if not self._controller.rehearsal.running:
            self._wanted = (choice, run)
            self._show(self._controller.rehearsal, wanted(self._chosen()))

    def rehearse(self, choice: SetupChoice, run: Run) -> None:
        """Begin a rehearsal of this run, unless one is under way."""
        self._wanted = (choice, run)
        if not self._controller.rehearsal.running:
            self.begun.emit()
            self._begun_at = datetime.now().strftime("%Y-%m-%d %H:%M")
            seconds = 60.0 * self.minutes.value()
            self._controller.rehearse(
                choice,
                run,
                duration_s=seconds,
                without_scanner=self.without.value(),
            )

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest; called 30 times a second while the page is seen."""
        link = state.link
        heard = link is not None and link.alive and state.bye is None
        newest = (self._controller.rehearsal, wanted(self._chosen()))
        if (*newest, heard) == self._shown:
            return
        self._shown, self._heard = (*newest, heard), heard
        self._show(*newest)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.banner.setStyleSheet(
            f"background: {colours.degraded}; color: {colours.on_fill};"
            "font-weight: bold; padding: 0px 5px;"
        )
        self.checks.set_colours(colours)
        self._show(self._controller.rehearsal, wanted(self._chosen()))

    def title(self) -> str:
        """Return what was rehearsed, and when."""
        if self._wanted is None:
            return self._begun_at
        choice, _ = self._wanted
        simulated = ", SIMULATED" if choice.simulated else ""
        return f"{choice.subject or choice.model}{simulated}, {self._begun_at}"

    def html(self) -> str:
        """Return the page that is printed: the rehearsal's own, if it wrote one."""
        rehearsal = self._controller.rehearsal
        if rehearsal.page and not rehearsal.stopped:  # its own page says NO-GO then
            try:
                return Path(rehearsal.page).read_text(encoding="utf-8")
            except OSError:
                pass  # it could not be written; what is known is printed
        return as_html(rehearsal, title=self.title())

    def _show(self, rehearsal: Rehearsal, now: tuple[str, ...]) -> None:
        stale = rehearsal.stale(now)
        ended = rehearsal.ended and not stale
        self._show_buttons(rehearsal, now)
        self.banner.setVisible(self._is_simulated(rehearsal))
        for button in (self.print, self.save):
            button.setEnabled(ended)
        self.progress.setVisible(rehearsal.running)
        self.progress.setValue(round(1000 * rehearsal.share))
        self.progress.setFormat(left_words(rehearsal))
        self._show_verdict(rehearsal, ended=ended, stale=stale)
        ready = ready_words(rehearsal, what=self._what())
        self.why.setText(
            stale_words(rehearsal, now, begun_at=self._begun_at)
            if stale
            else ready or why_words(rehearsal)
        )
        self.said.setPlainText("\n".join(rehearsal.said))
        end = self.said.verticalScrollBar()
        assert end is not None
        end.setValue(end.maximum())
        over = rehearsal.ended or rehearsal.verdict is not None
        self.checks.show_lines(rehearsal.checks, done=over, stale=stale)
        pale = f"color: {self._colours.muted}" if stale and over else ""
        for part in (self.said, self.figures):
            part.setStyleSheet(pale)
        self.figures.setHtml(_figures_html(rehearsal))

    def _show_verdict(self, rehearsal: Rehearsal, *, ended: bool, stale: bool) -> None:
        colour, text = self._colours.muted, "◌"
        if ended:
            symbol, word = verdict_words(rehearsal)
            text = f"{symbol} {word}" + " (SIMULATED)" * rehearsal.simulated
            if not rehearsal.stopped:
                go = rehearsal.verdict == "go"
                colour = self._colours.ok if go else self._colours.invalid
        elif rehearsal.running:
            text = "◌ rehearsing"
        elif stale:
            text = NO_LONGER
        points = VERDICT_SCALE * self.font().pointSizeF()
        self.verdict.setStyleSheet(
            f"color: {colour}; font-size: {points:.0f}pt; font-weight: bold"
        )
        self.verdict.setText(text)

    def _show_buttons(self, rehearsal: Rehearsal, now: tuple[str, ...]) -> None:
        ready = self._wanted is not None and wanted(self._wanted[0]) == now
        self.again.setText("&Rehearse again" if rehearsal.ended else "&Begin")
        self.again.setEnabled(ready and not rehearsal.running and not self._heard)
        self.again.setToolTip(
            "A session is running. Rehearse after it."
            if self._heard
            else "Rehearse what is chosen on the Set-up page"
        )
        self.stop.setEnabled(rehearsal.running and not rehearsal.stopped)

    def _is_simulated(self, rehearsal: Rehearsal) -> bool:
        if rehearsal.running or rehearsal.ended:
            return rehearsal.simulated
        return self._wanted is not None and self._wanted[0].simulated

    def _what(self) -> str:
        """Return what would be rehearsed, in words."""
        if self._wanted is None:
            return ""
        choice, run = self._wanted
        return f"{choice.subject or choice.model}, run {run.number:02d}, {run.kind}"

    def _again(self) -> None:
        if self._wanted is not None:
            self.rehearse(*self._wanted)

    def _print(self) -> None:
        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        dialog = QPrintDialog(printer, self)
        if dialog.exec():
            self.print_to(printer)
        dialog.deleteLater()

    def print_to(self, printer: QPrinter) -> None:
        """Print the page on one sheet; a printer may be a PDF file."""
        document = QTextDocument()
        document.setHtml(self.html())
        document.setTextWidth(SHEET_PX)
        room, size = printer.pageRect(QPrinter.Unit.DevicePixel), document.size()
        painter = QPainter(printer)
        scale = min(room.width() / SHEET_PX, room.height() / size.height())
        painter.scale(scale, scale)
        document.drawContents(painter)
        painter.end()

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the page", "rehearsal.html", "Page (*.html)"
        )
        if name:
            self.save_to(Path(name))

    def save_to(self, file: Path) -> None:
        """Save the page; says so, or why not."""
        try:
            write_text(file, self.html())
        except OSError as error:
            words = f"✕ {file} cannot be written: {error.strerror}. Choose another."
            self.saved.setText(words)
        else:
            self.saved.setText(f"✓ saved as {file}")

    def _make_buttons(self) -> None:
        self.minutes = WholeField(
            "rehearsal_minutes", "How long its session runs", within=(1, 60)
        )
        self.minutes.set_value(USUAL_MINUTES)
        self.minutes.setSuffix(" min")
        self.without = TickField(
            "&Without the scanner",
            "without_scanner",
            "Judge all but the triggers; the page says that they were not rehearsed",
        )
        self.again = named_button(
            "&Begin", name="rehearse_again", tip="Rehearse what is chosen"
        )
        self.stop = named_button(
            "S&top", name="rehearsal_stop", tip="End it in order, without a verdict"
        )
        self.print = named_button(
            "&Print…", name="rehearsal_print", tip="On one page, or into a PDF"
        )
        self.save = named_button(
            "Save as &HTML…", name="rehearsal_save", tip="The page as a file"
        )
        self.saved = wrapped_label(name="rehearsal_saved")
        self.again.clicked.connect(self._again)
        self.stop.clicked.connect(self._controller.stop_rehearsal)
        self.print.clicked.connect(self._print)
        self.save.clicked.connect(self._save)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(label_of("&Length", self.minutes, wide=False))
        for button in (self.minutes, self.without, self.again, self.stop):
            buttons.addWidget(button)
        buttons.addWidget(self.saved, stretch=1)
        buttons.addWidget(self.print)
        buttons.addWidget(self.save)
        right = QVBoxLayout()
        right.addWidget(boxed("As it goes", self.said), stretch=1)
        right.addWidget(boxed("Figures", self.figures), stretch=1)
        columns = QHBoxLayout()
        columns.addWidget(boxed("Evidence", self.checks), stretch=3)
        columns.addLayout(right, stretch=2)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(GAP, GAP // 2, GAP, GAP)
        whole.addWidget(self.banner)
        whole.addWidget(self.verdict)
        whole.addWidget(self.why)
        whole.addWidget(self.progress)
        whole.addLayout(columns, stretch=1)
        whole.addLayout(buttons)


def _figures_html(rehearsal: Rehearsal) -> str:
    if not rehearsal.figures:
        return NO_FIGURES if rehearsal.running else ""
    rows = figure_rows(rehearsal.figures)
    return rendered("rtbold.gui", "pairs.html.j2", pairs=rows, bold=False)
