"""The guided alpha check: what to tell the participant, how long, and what came out."""

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.controllers.alpha_check import (
    STAGE_S,
    AlphaCheck,
    AlphaRatio,
    AlphaView,
)
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.drawing import scaled
from rtbold.gui.views.forms import wrapped_label

SYMBOLS = {
    "plausible": "●", "weak": "▲", "no change": "■", "everything rose": "■",
    "unknown": "◌",
}  # fmt: skip
ABOUT = (
    "Alpha power over the back of the head rises in most people when they close their "
    "eyes. This shows whether the EEG that arrives here does that: it checks eyes, cap "
    "and cleaning, and says nothing about the person. Each change is marked in the "
    "recording."
)


class AlphaDialog(QDialog):
    """Large instructions; stays open beside the window, which goes on.

    Parameters
    ----------
    mark : puts a mark into the recording.
    """

    def __init__(
        self,
        colours: Colours,
        mark: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("alpha_dialog")
        self.setWindowTitle("Alpha check")
        self.setModal(False)
        self._colours, self._mark = colours, mark
        self._check: AlphaCheck | None = None
        self._session: str | None = None
        self._bands_seen = 0
        self._shown: AlphaView | None = None
        self.instruction = self._big("alpha_instruction", 3.2)
        self.left = self._big("alpha_left", 2.2)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = wrapped_label(ABOUT, name="alpha_words")
        self.words.setFont(scaled(self.font(), 1.25))
        self.numbers = wrapped_label(name="alpha_numbers")
        self.begin = QPushButton("Begin")
        self.begin.setObjectName("alpha_begin")
        self.begin.clicked.connect(self._ask_to_begin)
        self._wants_to_begin = False
        self._lay_out()
        self.set_colours(colours)

    def _lay_out(self) -> None:
        close = QPushButton("Close")
        close.setObjectName("alpha_close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        for button in (self.begin, close):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        for part in (self.instruction, self.left, self.bar, self.words, self.numbers):
            column.addWidget(part)
        column.addStretch(1)
        column.addLayout(foot)
        self.resize(620, 360)

    def _big(self, name: str, factor: float) -> QLabel:
        label = QLabel("")
        label.setObjectName(name)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setFont(scaled(self.font(), factor, bold=True))
        label.setWordWrap(True)
        return label

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours, self._shown = colours, None

    @property
    def running(self) -> bool:
        """Whether a check is under way."""
        return self._check is not None and self._check.running

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Go on with the check; call it once per frame while the dialog is open."""
        lsl_s = state.lsl_now_s(now_s)
        if self._wants_to_begin:
            self._wants_to_begin = False
            self._begin(state, lsl_s)
        check = self._check
        if check is None or lsl_s is None:
            self._show_idle()
            return
        if check.running and state.session != self._session:
            check.stop("another session began")
        elif check.running and state.headline(now_s).stale:
            check.stop("the session fell silent")
        if state.bands is not None and state.versions["bands"] != self._bands_seen:
            self._bands_seen = state.versions["bands"]
            check.take(state.bands, state.bad_channels())
        check.tick(lsl_s)
        self._show(check.view(lsl_s))

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stop the check with the dialog."""
        self.stop("closed by the operator")
        super().closeEvent(event)

    def reject(self) -> None:
        """Close by Escape too."""
        self.stop("closed by the operator")
        super().reject()

    def stop(self, why: str) -> None:
        """End a check that is under way."""
        if self._check is not None:
            self._check.stop(why)

    def _ask_to_begin(self) -> None:
        self._wants_to_begin = True  # with the next frame, which knows the time

    def _begin(self, state: DashboardState, lsl_s: float | None) -> None:
        if lsl_s is None or state.hello is None:
            self.words.setText("No session is heard: there is no EEG to look at.")
            return
        self.stop("begun again")
        self._session = state.session
        self._bands_seen = state.versions["bands"]
        self._check = AlphaCheck(self._mark, state.hello.channels)
        self._check.start(lsl_s)

    def _show_idle(self) -> None:
        if self.instruction.text() == "":
            self.instruction.setText("Alpha check")
            self.left.setText("2 x 30 s")

    def _show(self, view: AlphaView) -> None:
        before, self._shown = self._shown, view
        left = f"{view.left_s:.0f} s" if view.left_s else ""
        if self.left.text() != left:
            self.left.setText(left)
        self.bar.setValue(round(1000 * (1 - view.left_s / STAGE_S)))
        if before is not None and (before.stage, before.result) == (
            view.stage,
            view.result,
        ):
            return
        self.instruction.setText(view.instruction)
        self.begin.setText("Begin again" if view.stage != "idle" else "Begin")
        self.words.setText(ABOUT if view.result is None else _verdict(view.result))
        self.numbers.setText("" if view.result is None else _numbers(view.result))


def _verdict(result: AlphaRatio) -> str:
    return f"{SYMBOLS[result.verdict]} {result.words}"


def _numbers(result: AlphaRatio) -> str:
    if not result.by_channel:
        return ""
    each = ", ".join(f"{label} {ratio:.2f}" for label, ratio in result.by_channel)
    return (
        f"Alpha, eyes closed over open: {result.alpha:.2f} (beta: {result.beta:.2f}).\n"
        f"{each}"
    )
