"""Join a session: its address, and keys if it runs elsewhere; the help of F1."""

from collections.abc import Sequence

from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.address import Address, parse_address
from rtbold.gui.views.forms import named_line, wrapped_label
from rtbold.pages import rendered

Button = QDialogButtonBox.StandardButton
WORDS = (
    "A session publishes its predictions on one address and takes commands on "
    "another. From another machine it needs keys; "
    "docs/how-to/another-machine.md says how to make them."
)


class ConnectDialog(QDialog):
    """Asks for an `Address`; OK works only once it is one."""

    def __init__(self, address: Address, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Join a running session")
        self.setObjectName("connect_dialog")
        self.address = address
        words = wrapped_label(WORDS)
        self.feed = named_line(
            address.feed,
            name="connect_feed",
            tip="tcp://HOST:PORT of the feed, as the session says it when it starts",
        )
        self.control = named_line(
            address.control,
            name="connect_control",
            tip="Empty: where the session itself says",
        )
        self.secret = named_line(
            address.secret_file,
            name="connect_secret",
            tip="NAME.key_secret of this machine",
        )
        self.server = named_line(
            address.server_file,
            name="connect_server",
            tip="server.key of the machine that runs the session",
        )
        self.problem = wrapped_label(name="connect_problem")
        self.buttons = QDialogButtonBox(Button.Ok | Button.Cancel)
        self._lay_out(words)
        self.buttons.accepted.connect(self._accept_if_good)
        self.buttons.rejected.connect(self.reject)
        for field in (self.feed, self.control, self.secret, self.server):
            field.textChanged.connect(self._validate)
        self._validate()

    def _lay_out(self, words: QLabel) -> None:
        form = QFormLayout()
        form.addRow("&Feed", self.feed)
        form.addRow("&Control", self.control)
        form.addRow("&Secret key file", _with_browse(self.secret))
        form.addRow("Ser&ver's key file", _with_browse(self.server))
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addWidget(self.buttons)
        self.setMinimumWidth(520)

    def _validate(self) -> bool:
        """Parse the fields; say what is wrong."""
        try:
            self.address = parse_address(
                self.feed.text(),
                self.control.text().strip(),
                secret_file=self.secret.text().strip(),
                server_file=self.server.text().strip(),
            )
        except ValueError as error:
            self._say(str(error), good=False)
            return False
        self._say("", good=True)
        return True

    def _say(self, problem: str, *, good: bool) -> None:
        self.problem.setText(problem)
        ok = self.buttons.button(Button.Ok)
        assert ok is not None  # asked for above
        ok.setEnabled(good)

    def _accept_if_good(self) -> None:
        if self._validate():
            self.accept()


def _with_browse(line: QLineEdit) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    button = QPushButton("Browse…")
    row.addWidget(line)
    row.addWidget(button)

    def choose() -> None:
        path, _ = QFileDialog.getOpenFileName(box, "Key file", line.text())
        if path:
            line.setText(path)

    button.clicked.connect(choose)
    return box


# F1: the keys of all pages.

KeyLine = tuple[str, str]  # keys, what they do


class HelpDialog(QDialog):
    """A table of keys."""

    def __init__(self, lines: Sequence[KeyLine], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setObjectName("help_dialog")
        self.text = QTextBrowser()
        self.text.setObjectName("help_text")
        keys = rendered("rtbold.gui", "pairs.html.j2", pairs=lines, bold=True)
        self.text.setHtml(keys)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(520, 560)
