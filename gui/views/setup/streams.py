"""The streams of the network, as a table and as choices; the subject or model."""

import os
from collections import Counter
from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.found import Bundles, BundleSeen, Streams, StreamSeen
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.forms import (
    GONE,
    ListField,
    label_of,
    named_button,
    wrapped_label,
)

HEADS = ("name", "type", "channels", "computer")
COMING = "… {} (coming)"
MOST_PX = 210  # of a column; a longer name is cut in its middle, and in its tip
SPLIT = "\t"  # between name and computer in a choice; no stream's name holds it
NONE_YET = "No stream answered. Is the sender running, on this network?"


class StreamField(ListField):
    """One of the streams that may serve; says what it is beside its name."""

    def __init__(
        self, name: str, tip: str, *, fits: Callable[[StreamSeen], bool]
    ) -> None:
        self._fits, self._coming = fits, ""
        self._found: tuple[StreamSeen, ...] = ()
        super().__init__(name, tip, nothing="choose…")

    @property
    def stream(self) -> str:
        """The name that is chosen."""
        return self.value().partition(SPLIT)[0]

    @property
    def host(self) -> str:
        """Its computer, if the name alone does not say it."""
        return self.value().partition(SPLIT)[2]

    @property
    def lost(self) -> bool:
        """Whether what is chosen is neither there nor about to come."""
        return self.gone and not self._is_coming()

    def await_streams(self, prefix: str) -> None:
        """Streams whose names begin so are on their way; empty: none are."""
        if prefix != self._coming:
            self._coming = prefix
            self.set_value(self.value())

    def _is_coming(self) -> bool:
        return bool(self._coming) and self.stream.startswith(self._coming)

    def choose(self, stream: str, host: str = "") -> None:
        """Choose a stream by name."""
        self.set_value(f"{stream}{SPLIT}{host}" if host else stream)

    def take(self, stream: StreamSeen) -> None:
        """Choose a stream that was found."""
        twice = sum(s.name == stream.name for s in self._found) > 1
        self.choose(stream.name, stream.host if twice else "")

    def show_streams(self, streams: Streams) -> None:
        """Offer what is there now."""
        self._found = tuple(s for s in streams.found if self._fits(s))
        self.offer(entries(self._found, chosen=self.value()))

    def words_when_gone(self) -> str:
        """Return how a stream is shown that is not there any more."""
        return (COMING if self._is_coming() else GONE).format(self.stream)


def entries(
    found: tuple[StreamSeen, ...], *, chosen: str = ""
) -> list[tuple[str, str]]:
    """Return (choice, words); a name that two computers send needs its computer.

    Parameters
    ----------
    chosen : what is chosen; it stays so when the other computer stops sending.
    """
    often = Counter(stream.name for stream in found)
    listed: dict[str, str] = {}
    for stream in found:
        full = f"{stream.name}{SPLIT}{stream.host}"
        twice = often[stream.name] > 1 or full == chosen
        choice = full if twice else stream.name
        said = stream.name
        if not stream.may_be_markers:  # which have no rate
            said += f": {stream.n_channels} ch., {stream.rate_words}"
        said += f", {stream.host}" if twice else ""
        listed[choice] = said + (", SIMULATED" if stream.simulated else "")
    return list(listed.items())


class StreamTable(QWidget):
    """What answered on the network; searched again while the page is seen."""

    refreshed = pyqtSignal()  # somebody asked to search now
    taken = pyqtSignal(object)  # StreamSeen, by Enter or a double click

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self._found: tuple[StreamSeen, ...] = ()
        self.table = _empty_table()
        self.words = wrapped_label(name="streams_words")
        self.button = named_button(
            "&Look again",
            name="streams_refresh",
            tip="Search the network for LSL streams now (F5); every 5 s by itself",
        )
        foot = QHBoxLayout()
        foot.addWidget(self.words, stretch=1)
        foot.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(foot)
        self.button.clicked.connect(self.refreshed)
        self.table.itemActivated.connect(self._take)

    def show_streams(self, streams: Streams) -> None:
        """Show them; the table is only touched when they changed."""
        self.words.setText(_words(streams))
        if streams.found == self._shown:
            return
        self._shown, self._found = streams.found, streams.found
        self.table.setRowCount(len(streams.found))
        for row, stream in enumerate(streams.found):
            for column, text in enumerate(_cells(stream)):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{stream.name}: double click, or Enter, chooses it")
                self.table.setItem(row, column, item)

    def _take(self, item: QTableWidgetItem) -> None:
        if 0 <= item.row() < len(self._found):
            self.taken.emit(self._found[item.row()])


def _cells(stream: StreamSeen) -> tuple[str, ...]:
    simulated = ", SIMULATED" if stream.simulated else ""
    return (
        stream.name,
        stream.type + simulated,
        f"{stream.n_channels}, {stream.rate_words}",
        stream.host,
    )


def _words(streams: Streams) -> str:
    if streams.problem:
        return f"✕ {streams.problem}"
    if streams.searched_s is None:
        return "Looking for streams …"
    if not streams.found:
        return NONE_YET
    n = len(streams.found)
    return f"{n} stream{'s' if n > 1 else ''} on the network."


def _empty_table() -> QTableWidget:
    table = QTableWidget(0, len(HEADS))
    table.setObjectName("streams")
    table.setToolTip("LSL streams that answer now; Enter chooses the one marked")
    table.setHorizontalHeaderLabels(HEADS)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    rows, heads = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert heads is not None
    rows.hide()
    rows.setDefaultSectionSize(22)
    heads.setHighlightSections(False)
    heads.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    heads.setMaximumSectionSize(MOST_PX)
    heads.setStretchLastSection(True)
    return table


# Which subject or model, which target, and what is known of it.

SUBJECT, MODEL = "subject:", "model:"


class BundleField(QWidget):
    """Subject or model, and the target that is fed back."""

    edited = pyqtSignal()

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._bundles = Bundles()
        self.bundle = ListField(
            "bundle",
            "A subject's newest calibration, or a model that is nobody's",
            nothing="choose…",
        )
        self.target = ListField(
            "target", "What the participant gets: a ROI, or a contrast of ROIs"
        )
        self.facts = wrapped_label(name="bundle_facts")
        self.refusal = wrapped_label(name="bundle_refusal")
        self.browse = named_button(
            "…", name="bundle_browse", tip="Choose a bundle's folder (NAME.rtbold)"
        )
        self.browse.setMaximumWidth(34)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, (words, field) in enumerate(
            (("Su&bject or model", self.bundle), ("&Target", self.target))
        ):
            grid.addWidget(label_of(words, field), row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(self.browse, 0, 2)
        grid.addWidget(self.facts, 2, 0, 1, 3)
        grid.addWidget(self.refusal, 3, 0, 1, 3)
        grid.setColumnStretch(1, 1)
        self.bundle.edited.connect(self._other_bundle)
        self.target.edited.connect(self._tell)
        self.browse.clicked.connect(self._browse)
        self._show()

    @property
    def subject(self) -> str:
        """The subject's code; empty: a model is chosen, or nothing."""
        return _after(SUBJECT, self.bundle.value())

    @property
    def model(self) -> str:
        """The model's name or folder; empty: a subject is chosen, or nothing."""
        return _after(MODEL, self.bundle.value())

    @property
    def chosen(self) -> BundleSeen | None:
        """What is known of the bundle that is chosen."""
        return self._bundles.chosen(self.subject, self.model)

    def choose(self, *, subject: str, model: str, target: str) -> None:
        """Choose by name."""
        value = SUBJECT + subject if subject else MODEL + model if model else ""
        self.bundle.set_value(value)
        self.target.set_value(target)
        self._show()

    def show_bundles(self, bundles: Bundles) -> None:
        """Offer what there is."""
        if bundles is self._bundles:
            return
        self._bundles = bundles
        offered = [
            (SUBJECT + b.code, f"{b.code}: {_brief(b)}") for b in bundles.subjects
        ]
        offered += [(MODEL + b.name, f"{b.name}: {_brief(b)}") for b in bundles.models]
        self.bundle.offer(offered)
        self._show()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self._show()

    def _show(self) -> None:
        found = self.chosen
        targets = found.targets if found else ()
        own = found.target if found else ""
        offered = [(t, f"✕ {t} (not fit)" if found and t in found.unfit else t)
                   for t in targets]  # fmt: skip
        named = [("", f"{own} (the model's own)" if own else "the model's own")]
        self.target.offer([*named, *offered])
        target = self.target.value()
        why = found.refusal(target) if found else ""
        for label, words, colour in (
            (self.facts, found.facts() if found else self._without(), "muted"),
            (self.refusal, f"✕ {why}" if why else "", "invalid"),
        ):
            label.setText(words)
            label.setStyleSheet(f"color: {getattr(self._colours, colour)}")
            label.setVisible(bool(words))

    def _without(self) -> str:
        """Return what to say where nothing is known of the choice."""
        if self._bundles.problem:
            return f"✕ {self._bundles.problem}"
        if not self._bundles.searched:
            return "Looking for subjects and models …"
        if self.model:
            return f"Bundle {self.model}: the check will read it."
        if self.subject:
            return f"✕ Subject {self.subject} has no model here. Calibrate first."
        if not self._bundles.subjects:
            return "No subject is calibrated here yet; the models are for trying out."
        return ""

    def _other_bundle(self) -> None:
        self.target.set_value("")
        self._tell()

    def _tell(self) -> None:
        self._show()
        self.edited.emit()

    def _browse(self) -> None:
        home = os.path.expanduser("~")  # Path.home() raises where an account has none
        found = QFileDialog.getExistingDirectory(
            self, "Folder of the bundle (NAME.rtbold)", home
        )
        if found:
            self.bundle.set_value(MODEL + found)
            self._other_bundle()


def _after(prefix: str, text: str) -> str:
    return text.removeprefix(prefix) if text.startswith(prefix) else ""


def _brief(bundle: BundleSeen) -> str:
    return "✕ cannot be read" if bundle.error else bundle.origin_words
