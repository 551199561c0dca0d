"""The left side of the set-up page: from streams on the network to one choice."""

from dataclasses import replace
from typing import Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.found import ROLE_WORDS, Bundles, Streams, StreamSeen
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.setup import SetupChoice, TriggerSource, label_problem
from rtbold.gui.views.forms import (
    Field,
    HeldLabel,
    ListField,
    NumberField,
    TextField,
    TickField,
    WholeField,
    label_of,
    named_button,
)
from rtbold.gui.views.setup.streams import BundleField, StreamField, StreamTable
from rtbold.gui.views.setup.truth import TruthField

# What most sessions leave alone, folded away.

ENGINES = tuple((name, name) for name in ("openvino", "tensorrt", "torch"))
PRECISIONS = tuple(
    (name, name) for name in ("auto", "f32", "tf32", "bf16", "f16", "int8")
)
UNITS = (("uV", "µV"), ("mV", "mV"), ("V", "V"))
PORTS = (1, 65535)
CLOSED, OPEN = "▸ Advanced", "▾ Advanced"


class AdvancedFields(QWidget):
    """A button that unfolds the fields; how many of them are not at their default."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.fold = QToolButton()
        self.fold.setObjectName("advanced")
        self.fold.setToolTip("Units, delays, engine, ports: most sessions leave them")
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.inside = QWidget()
        self._fields = _fields()
        form = QFormLayout(self.inside)
        form.setContentsMargins(12, 0, 0, 0)
        for words, field in self._fields.values():
            assert isinstance(field, QWidget)
            if words:
                form.addRow(words, field)
            else:
                form.addRow(field)
            field.edited.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)
        column.addWidget(self.inside)
        self.fold.toggled.connect(self._unfold)
        self._unfold(False)

    def choice(self) -> dict[str, object]:
        """Return the entries of a choice that are made here."""
        return {name: field.value() for name, (_, field) in self._fields.items()}

    def set_choice(self, choice: SetupChoice) -> None:
        """Show a choice."""
        for name, (_, field) in self._fields.items():
            field.set_value(getattr(choice, name))
        self._name()

    def _unfold(self, unfolded: bool) -> None:
        self.inside.setVisible(unfolded)
        self._name()

    def _name(self) -> None:
        usual = SetupChoice()
        n = sum(v != getattr(usual, name) for name, v in self.choice().items())
        words = OPEN if self.fold.isChecked() else CLOSED
        self.fold.setText(f"{words} ({n} not usual)" if n else words)

    def _tell(self) -> None:
        self._name()
        self.edited.emit()


def _fields() -> dict[str, tuple[str, Field]]:
    unit = ListField(
        "unit", "Where the stream does not say its unit", nothing="as sent"
    )
    unit.offer(UNITS)
    engine = ListField("engine", "What runs the model", nothing="auto")
    engine.offer(ENGINES)
    precision = ListField("precision", "Of the model's arithmetic", nothing="usual")
    precision.offer(PRECISIONS)
    reference = TextField(
        "reference", "Where the stream does not say its reference", hint="as sent"
    )
    delay = NumberField(
        "upstream_delay_ms",
        "Measured delay of the cleaning software; see the how-to “Measure the cleaning "
        "delay”",
        within=(0, 60_000),
        hint="unknown",
    )
    every = WholeField("trigger_every", "Triggers per volume", within=(1, 1000))
    port = WholeField("port", "Where the session publishes", within=PORTS)
    control = WholeField("control_port", "Where it takes commands", within=PORTS)
    fill = TickField(
        "Fill missing channels from neighbours",
        "interpolate",
        "Predictions are degraded where a channel is made up",
    )
    root = TextField("root", "Folder of all subjects", hint="your own data folder")
    return {
        "unit": ("Unit", unit),
        "reference": ("Reference", reference),
        "upstream_delay_ms": ("Delay before us (ms)", delay),
        "trigger_every": ("Triggers per volume", every),
        **_truth_fields(),
        "engine": ("Engine", engine),
        "precision": ("Precision", precision),
        "root": ("Subjects in", root),
        "port": ("Port of the feed", port),
        "control_port": ("Port of commands", control),
        "interpolate": ("", fill),
    }


def _truth_fields() -> dict[str, tuple[str, Field]]:
    first = WholeField(
        "truth_first", "Number that the BOLD source gives to volume 0",
        within=(-1000, 100_000),
    )  # fmt: skip
    names = TextField(
        "truth_rois", "Names of its ROIs, separated by commas", hint="as sent"
    )
    by_onset = TickField(
        "Number measured volumes by their onsets",
        "truth_by_onset",
        "For a session that joins a scan that runs already; streams only",
    )
    return {
        "truth_rois": ("ROIs of measured BOLD", names),
        "truth_first": ("Its first volume", first),
        "truth_by_onset": ("", by_onset),
    }


# Where the volumes' onsets come from: markers, a channel, or a fixed TR.

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
            role="markers",
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


SCANNERS = (
    ("inside_running", "inside, running"),
    ("inside_idle", "inside, at rest"),
    ("outside", "outside the scanner"),
)


# Subject, session and task in the names of the recording.

NAMED_BY = (
    (
        "record_as",
        "subject",
        "of the subject; empty: the code chosen above",
        "as above",
    ),
    ("session", "session", "of this visit", "01"),
    ("task", "task", "of what the participant does", "nf"),
)


class RecordNames(QWidget):
    """Three labels of BIDS, in a row."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._fields: dict[str, TextField] = {}
        for name, _, what, hint in NAMED_BY:
            tip = f"Label {what}, letters and digits; it stands in the recording's name"
            field = self._fields[name] = TextField(name, tip, hint=hint)
            field.edited.connect(self.edited)
            row.addWidget(field)

    def choice(self) -> dict[str, str]:
        """Return the entries of a choice that are made here."""
        usual = SetupChoice()
        return {
            name: field.value() or getattr(usual, name)
            for name, field in self._fields.items()
        }

    def set_choice(self, choice: SetupChoice) -> None:
        """Show a choice."""
        usual = SetupChoice()
        for name, field in self._fields.items():
            value = getattr(choice, name)
            field.set_value("" if value == getattr(usual, name) else value)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was typed and is no label."""
        found = [
            label_problem(what, self._fields[name].value())
            for name, what, *_ in NAMED_BY
        ]
        return tuple(text.rstrip(".") for text in found if text)


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
            "stream", "The EEG that is predicted from", role="eeg"
        )
        self.gone = HeldLabel("stream_gone", lines=2)
        self.triggers, self.bundle = TriggerField(), BundleField(colours)
        self.advanced = AdvancedFields()
        self.cleaning = TextField(
            "cleaning",
            "What removed the MR artefacts: online:NAME, offline:NAME, or none",
            hint="as the stream says",
        )
        self.scanner = ListField("scanner", "Where the EEG is taken", nothing="from TR")
        self.scanner.offer(SCANNERS)
        self.truth = TruthField()
        self.record = TextField(
            "record",
            "Folder of all recordings; each run gets one in it",
            hint="not recorded",
        )
        self.record_copy = TextField(
            "record_copy",
            "Folder on another disk for a second copy; nothing there is ever deleted",
            hint="no second copy",
        )
        self.protocol = TextField(
            "protocol",
            "File that says which runs and blocks the session has",
            hint="runs without blocks",
        )
        self.confirmed_by = TextField(
            "confirmed_by",
            "Code of the second person, where the protocol calls a target risky",
            hint="nobody",
        )
        self.blind = TextField(
            "blind",
            "Folder of a blinded study; who is in it gets the arm of their place",
            hint="not blinded",
        )
        self.choose_protocol = named_button(
            "…", name="protocol_browse", tip="Choose the protocol"
        )
        self.choose_protocol.setMaximumWidth(34)
        self.names = RecordNames()
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
        numbers = tuple(
            f"{field.toolTip()}: {field.text()!r}, expected {field.expected}."
            for field in self._numbers
            if field.wrong
        )
        streams = (f.problem for f in self._stream_fields() if f.problem)
        return (*streams, *numbers, *self.names.problems)

    def set_choice(self, choice: SetupChoice) -> None:
        """Show another choice."""
        self._choice = choice
        self.stream.choose(choice.stream, choice.host)
        self.triggers.set_choice(choice)
        self.bundle.choose(
            subject=choice.subject, model=choice.model, target=choice.target
        )
        for name in (
            "cleaning", "scanner", "truth", "protocol", "confirmed_by", "blind",
            "record", "record_copy",
        ):  # fmt: skip
            getattr(self, name).set_value(getattr(choice, name))
        self.names.set_choice(choice)
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
        self.truth.show_streams(streams)
        self._show_gone()

    def await_streams(self, prefix: str) -> None:
        """Streams whose names begin so are on their way; empty: none are."""
        self.stream.await_streams(prefix)
        self.triggers.stream.await_streams(prefix)
        self.truth.stream.await_streams(prefix)
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
        """Say which chosen stream is not there, or cannot serve; the choice stays."""
        fields = self._stream_fields()
        searched = self._streams.searched_s is not None
        names = [field.stream for field in fields if searched and field.lost]
        said = [field.problem for field in fields if field.problem]
        if names:
            said.append(
                f"✕ Not on the network now: {', '.join(names)}. The choice stays: "
                "start its sender again, or choose another."
            )
        self.gone.setText("\n".join(said))
        self.gone.setVisible(bool(said))

    def _stream_fields(self) -> tuple[StreamField, ...]:
        """Return the fields whose stream counts now."""
        markers = self.triggers.source.value() == "stream"
        return (
            self.stream,
            *((self.triggers.stream,) if markers else ()),
            *((self.truth.stream,) if self.truth.streamed else ()),
        )

    def _take(self, stream: StreamSeen) -> None:
        """Choose a stream of the table for what it can serve, or say that it cannot."""
        if stream.may_be_eeg:
            self.stream.take(stream)
            self._tell()
        elif stream.may_be_markers:
            self.triggers.take(stream)
        elif stream.may_be_bold:
            self.truth.take(stream)
        else:
            self.table.say(f"{stream.name} is {ROLE_WORDS[stream.role]}: not chosen.")

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
            "protocol": self.protocol.value(),
            "confirmed_by": self.confirmed_by.value(),
            "blind": self.blind.value(),
            "record": self.record.value(),
            "record_copy": self.record_copy.value(),
            **self.names.choice(),
            **self.triggers.choice(self._choice),
            **self.advanced.choice(),
        }
        self._choice = replace(self._choice, **changes)
        self._show_gone()
        self.edited.emit()

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(
            self, "Folder of the recordings", self.record.value()
        )
        if found:
            self.record.set_value(found)
            self._tell()

    def _browse_protocol(self) -> None:
        found, _ = QFileDialog.getOpenFileName(
            self, "The protocol", self.protocol.value(), "Protocols (*.toml)"
        )
        if found:
            self.protocol.set_value(found)
            self._tell()

    def _lay_out(self) -> None:
        record, protocol = QHBoxLayout(), QHBoxLayout()
        record.addWidget(self.record, stretch=1)
        record.addWidget(self.browse)
        protocol.addWidget(self.protocol, stretch=1)
        protocol.addWidget(self.choose_protocol)
        top, form = QFormLayout(), QFormLayout()
        top.addRow(label_of("&EEG stream", self.stream), self.stream)
        for words, field in (
            ("Cleaned b&y", self.cleaning),
            ("Scanner", self.scanner),
            ("&Measured BOLD", self.truth),
        ):
            form.addRow(label_of(words, field), field)
        form.addRow(label_of("&Protocol", self.protocol), protocol)
        form.addRow(label_of("Confirmed by", self.confirmed_by), self.confirmed_by)
        form.addRow(label_of("Blinded study", self.blind), self.blind)
        form.addRow(label_of("Record &into", self.record), record)
        form.addRow("Subject, session, task", self.names)
        form.addRow(label_of("Second copy", self.record_copy), self.record_copy)
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
            self.truth, self.protocol, self.confirmed_by, self.blind, self.record,
            self.names, self.record_copy, self.advanced,
        ):  # fmt: skip
            field.edited.connect(self._tell)
        self.table.taken.connect(self._take)
        self.table.refreshed.connect(self.refresh_asked)
        self.browse.clicked.connect(self._browse)
        self.choose_protocol.clicked.connect(self._browse_protocol)
