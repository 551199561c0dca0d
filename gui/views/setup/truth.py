"""Where measured BOLD comes from: nothing, one of the streams, a table, an address."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from rtbold.gui.state.found import Streams, StreamSeen
from rtbold.gui.state.setup import TRUTH_SOURCES, Value, truth_parts
from rtbold.gui.views.forms import ListField, TextField, named_button
from rtbold.gui.views.setup.streams import StreamField

HINTS = {
    "file": "path of the table",
    "tcp": "computer:port",
    "tbv": "computer, or computer:port",
}


class TruthField(QWidget):
    """The source, and beside it what belongs to it; its value is one text."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("truth")
        self.setToolTip("Measured BOLD, drawn beside the prediction; never needed")
        self.source = ListField(
            "truth_source", "Measured BOLD to compare the prediction with"
        )
        self.source.offer(TRUTH_SOURCES)
        self.stream = StreamField(
            "truth_stream", "The stream with measured BOLD", role="bold"
        )
        self.where = TextField("truth_where", "Where measured BOLD comes from")
        self.browse = named_button("…", name="truth_browse", tip="Choose the table")
        self.browse.setMaximumWidth(34)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.source, stretch=2)
        row.addWidget(self.stream, stretch=3)
        row.addWidget(self.where, stretch=3)
        row.addWidget(self.browse)
        for field in (self.source, self.stream, self.where):
            field.edited.connect(self._tell)
        self.browse.clicked.connect(self._browse)
        self._show()

    def value(self) -> str:
        """Return the source as a session takes it; empty: there is none."""
        source = self.source.value()
        if not source:
            return ""
        where = self.stream.stream if source == "lsl" else self.where.value()
        return f"{source}:{where}"

    def set_value(self, value: Value) -> None:
        """Show another source."""
        source, where = truth_parts(str(value or ""))
        self.source.set_value(source)
        self.stream.choose(where if source == "lsl" else "")
        self.where.set_value("" if source == "lsl" else where)
        self._show()

    def take(self, stream: StreamSeen) -> None:
        """Choose this stream."""
        self.source.set_value("lsl")
        self.stream.choose(stream.name)  # a session asks for it by its name alone
        self._tell()

    @property
    def streamed(self) -> bool:
        """Whether it comes as a stream."""
        return self.source.value() == "lsl"

    def show_streams(self, streams: Streams) -> None:
        """Offer what is there now."""
        self.stream.show_streams(streams)

    def _show(self) -> None:
        source = self.source.value()
        self.stream.setVisible(source == "lsl")
        self.where.setVisible(source in HINTS)
        self.where.setPlaceholderText(HINTS.get(source, ""))
        self.browse.setVisible(source == "file")

    def _tell(self) -> None:
        self._show()
        self.edited.emit()

    def _browse(self) -> None:
        found, _ = QFileDialog.getOpenFileName(self, "Table of measured BOLD")
        if found:
            self.where.set_value(found)
            self._tell()
