"""Where the volumes' onsets come from: markers, a channel, or a fixed TR."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QGridLayout, QWidget

from rtbold.gui.state.found import Streams, StreamSeen
from rtbold.gui.state.setup import SetupChoice, TriggerSource
from rtbold.gui.views.boxes import label_of
from rtbold.gui.views.forms import ListField, NumberField, TextField
from rtbold.gui.views.setup.streams import StreamField

SOURCES: tuple[tuple[TriggerSource, str], ...] = (
    ("stream", "marker stream"),
    ("channel", "channel in the EEG"),
    ("fixed", "fixed TR, no triggers"),
)
TR_RANGE_S = (0.1, 10.0)


class TriggerField(QWidget):
    """The source, and beside it what belongs to it."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.source = ListField("trigger_source", "Where the TR's onsets come from")
        self.source.offer(SOURCES)
        self.source.set_value("stream")
        self.stream = StreamField(
            "trigger_stream",
            "The stream with the scanner's markers",
            fits=lambda stream: stream.may_be_markers,
        )
        self.channel = TextField(
            "trigger_channel", "Label of the channel with the triggers", hint="TRIGGER"
        )
        self.label = TextField(
            "trigger", "What the volume trigger is called; others are ignored"
        )
        self.label.setMaximumWidth(90)
        self.label.setPlaceholderText("any")
        self.repetition = NumberField(
            "tr",
            "Repetition time in seconds; with triggers it may stay empty",
            within=TR_RANGE_S,
            hint="model's TR",
        )
        self.repetition.setMaximumWidth(90)
        self._names = {
            "label": label_of("labe&l", self.label, wide=False),
            "tr": label_of("TR (s)", self.repetition, wide=False),
        }
        self._lay_out()
        for field in (
            self.source,
            self.stream,
            self.channel,
            self.label,
            self.repetition,
        ):
            field.edited.connect(self._tell)
        self._show()

    def choice(self, choice: SetupChoice) -> dict[str, object]:
        """Return the entries of a choice that are made here."""
        return {
            "trigger_source": self.source.value() or choice.trigger_source,
            "trigger_stream": self.stream.stream,
            "trigger_host": self.stream.host,
            "trigger_channel": self.channel.value(),
            "trigger": self.label.value(),
            "tr_s": self.repetition.value(),
        }

    def set_choice(self, choice: SetupChoice) -> None:
        """Show a choice."""
        self.source.set_value(choice.trigger_source)
        self.stream.choose(choice.trigger_stream, choice.trigger_host)
        self.channel.set_value(choice.trigger_channel)
        self.label.set_value(choice.trigger)
        self.repetition.set_value(choice.tr_s)
        self._show()

    def take(self, stream: StreamSeen) -> None:
        """Choose this stream."""
        self.source.set_value("stream")
        self.stream.take(stream)
        self._tell()

    def show_streams(self, streams: Streams) -> None:
        """Offer what is there now."""
        self.stream.show_streams(streams)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(label_of("T&R from", self.source), 0, 0)
        grid.addWidget(self.source, 0, 1)
        grid.addWidget(self._names["tr"], 0, 2)
        grid.addWidget(self.repetition, 0, 3)
        grid.addWidget(self.stream, 1, 1)
        grid.addWidget(self.channel, 1, 1)
        grid.addWidget(self._names["label"], 1, 2)
        grid.addWidget(self.label, 1, 3)
        grid.setColumnStretch(1, 1)

    def _show(self) -> None:
        source = self.source.value()
        self.stream.setVisible(source == "stream")
        self.channel.setVisible(source == "channel")
        for widget in (self.label, self._names["label"]):
            widget.setVisible(source != "fixed")

    def _tell(self) -> None:
        self._show()
        self.edited.emit()
