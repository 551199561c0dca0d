"""The left side of the set-up page: from streams on the network to one choice."""

from dataclasses import replace
from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.found import Bundles, Streams, StreamSeen
from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.advanced_fields import AdvancedFields
from rtbold.gui.views.boxes import label_of
from rtbold.gui.views.bundle_field import BundleField
from rtbold.gui.views.forms import ListField, NumberField, TextField
from rtbold.gui.views.plain_widgets import named_button, wrapped_label
from rtbold.gui.views.setup.streams import StreamField, StreamTable
from rtbold.gui.views.trigger_field import TriggerField

SCANNERS = (
    ("inside_running", "inside, running"),
    ("inside_idle", "inside, at rest"),
    ("outside", "outside the scanner"),
)


class SetupForm(QWidget):
    """Holds a `SetupChoice`; `edited` when a person changed it."""

    edited = pyqtSignal()
    refresh_asked = pyqtSignal()

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._choice = SetupChoice()
        self._streams = Streams()
        self.table = StreamTable()
        self.table.setMaximumHeight(170)
        self.stream = StreamField(
            "stream", "The EEG that is predicted from", fits=lambda s: s.may_be_eeg
        )
        self.gone = wrapped_label(name="stream_gone")
        self.triggers, self.bundle = TriggerField(), BundleField(colours)
        self.advanced = AdvancedFields()
        self.cleaning = TextField(
            "cleaning",
            "What removed the MR artefacts: online:NAME, offline:NAME, or none",
            hint="as the stream says",
        )
        self.scanner = ListField("scanner", "Where the EEG is taken", nothing="from TR")
        self.scanner.offer(SCANNERS)
        self.truth = TextField(
            "truth",
            "Measured BOLD to compare with: lsl:NAME, file:PATH, tcp:HOST:PORT, "
            "tbv:HOST:PORT",
            hint="none",
        )
        self.record = TextField(
            "record",
            "Folder of this session; each run gets one in it",
            hint="not recorded",
        )
        self.browse = named_button("…", name="record_browse", tip="Choose the folder")
        self.browse.setMaximumWidth(34)
        self._lay_out()
        self._numbers = tuple(self.findChildren(NumberField))
        self._connect()
        self.set_choice(self._choice)

    @property
    def choice(self) -> SetupChoice:
        """What is chosen now."""
        return self._choice

    @property
    def problems(self) -> tuple[str, ...]:
        """What was typed and cannot be."""
        return tuple(
            f"{field.toolTip()}: {field.text()!r}, expected {field.expected}"
            for field in self._numbers
            if field.wrong
        )

    def set_choice(self, choice: SetupChoice) -> None:
        """Show another choice."""
        self._choice = choice
        self.stream.choose(choice.stream, choice.host)
        self.triggers.set_choice(choice)
        self.bundle.choose(
            subject=choice.subject, model=choice.model, target=choice.target
        )
        for name in ("cleaning", "scanner", "truth", "record"):
            getattr(self, name).set_value(getattr(choice, name))
        self.advanced.set_choice(choice)
        # a remembered number beyond its range: what is shown is what is meant
        self._choice = replace(choice, **self.advanced.choice())  # type: ignore[arg-type]
        self._show_gone()

    def show_streams(self, streams: Streams) -> None:
        """Offer what is on the network now."""
        if streams is self._streams:
            return
        self._streams = streams
        self.table.show_streams(streams)
        self.stream.show_streams(streams)
        self.triggers.show_streams(streams)
        self._show_gone()

    def await_streams(self, prefix: str) -> None:
        """Streams whose names begin so are on their way; empty: none are."""
        self.stream.await_streams(prefix)
        self.triggers.stream.await_streams(prefix)
        self._show_gone()

    def show_bundles(self, bundles: Bundles) -> None:
        """Offer the subjects and models that there are."""
        self.bundle.show_bundles(bundles)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.bundle.set_colours(colours)
        self.gone.setStyleSheet(f"color: {colours.invalid}; font-weight: bold")

    def _show_gone(self) -> None:
        """Say which chosen stream is not there; the choice stays."""
        fields = (self.stream, self.triggers.stream)
        searched = self._streams.searched_s is not None
        locked = self.triggers.source.value() == "stream"
        names = [
            field.stream
            for field, counts in zip(fields, (True, locked), strict=True)
            if searched and counts and field.lost
        ]
        words = (
            f"✕ Not on the network now: {', '.join(names)}. The choice stays: "
            "start its sender again, or choose another."
        )
        self.gone.setText(words if names else "")
        self.gone.setVisible(bool(names))

    def _take(self, stream: StreamSeen) -> None:
        """Choose a stream of the table for what it can serve."""
        if stream.may_be_eeg:
            self.stream.take(stream)
            self._tell()
        elif stream.may_be_markers:
            self.triggers.take(stream)

    def _tell(self) -> None:
        changes: dict[str, Any] = {
            "stream": self.stream.stream,
            "host": self.stream.host,
            "subject": self.bundle.subject,
            "model": self.bundle.model,
            "target": self.bundle.target.value(),
            "cleaning": self.cleaning.value(),
            "scanner": self.scanner.value(),
            "truth": self.truth.value(),
            "record": self.record.value(),
            **self.triggers.choice(self._choice),
            **self.advanced.choice(),
        }
        self._choice = replace(self._choice, **changes)
        self._show_gone()
        self.edited.emit()

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(
            self, "Folder of this session's recordings", self.record.value()
        )
        if found:
            self.record.set_value(found)
            self._tell()

    def _lay_out(self) -> None:
        record = QHBoxLayout()
        record.addWidget(self.record, stretch=1)
        record.addWidget(self.browse)
        top, form = QFormLayout(), QFormLayout()
        top.addRow(label_of("&EEG stream", self.stream), self.stream)
        for words, field in (
            ("Cleaned b&y", self.cleaning),
            ("Scanner", self.scanner),
            ("&Measured BOLD", self.truth),
        ):
            form.addRow(label_of(words, field), field)
        form.addRow(label_of("Record &into", self.record), record)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(top)
        column.addWidget(self.triggers)
        column.addWidget(self.gone)
        column.addWidget(self.bundle)
        column.addLayout(form)
        column.addWidget(self.advanced)
        column.addStretch(1)

    def _connect(self) -> None:
        for field in (
            self.stream, self.triggers, self.bundle, self.cleaning, self.scanner,
            self.truth, self.record, self.advanced,
        ):  # fmt: skip
            field.edited.connect(self._tell)
        self.table.taken.connect(self._take)
        self.table.refreshed.connect(self.refresh_asked)
        self.browse.clicked.connect(self._browse)
