"""The streams of the network, as a table and as choices; the subject or model."""

import os
from collections import Counter

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

from rtbold.gui.state.found import (
    ROLE_WORDS,
    Bundles,
    BundleSeen,
    StreamRole,
    Streams,
    StreamSeen,
    is_contrast,
)
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.forms import (
    GONE,
    HeldLabel,
    ListField,
    SearchField,
    label_of,
    named_button,
    wrapped_label,
)

HEADS = ("name", "type", "channels", "computer")
COMING = "… {} (coming)"
UNFIT = "✕ {} ({})"
MOST_PX = 210  # of a column; a longer name is cut in its middle, and in its tip
SPLIT = "\t"  # between name and computer in a choice; no stream's name holds it
NONE_YET = "No stream answered. Is the sender running, on this network?"


class StreamField(ListField):
    """One of the streams that may serve; says what it is beside its name.

    Parameters
    ----------
    role : what it is to serve for; no other stream is offered.
    """

    def __init__(self, name: str, tip: str, *, role: StreamRole) -> None:
        self._role, self._coming = role, ""
        self._found: tuple[StreamSeen, ...] = ()
        self._others: tuple[StreamSeen, ...] = ()  # that serve for something else
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
        return self.gone and not self._is_coming() and self._unfit() is None

    @property
    def problem(self) -> str:
        """Why what is chosen cannot serve at all; empty: it can, or is not there."""
        unfit = self._unfit()
        if unfit is None:
            return ""
        is_, not_ = ROLE_WORDS[unfit.role], ROLE_WORDS[self._role]
        return f"✕ {unfit.name} is {is_}, not {not_}. Choose another stream."

    def _unfit(self) -> StreamSeen | None:
        """Return the chosen stream where it is there, but for something else."""
        if not self.gone:
            return None
        fits = (s for s in self._others if s.name == self.stream)
        return next((s for s in fits if self.host in ("", s.host)), None)

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
        found = streams.found
        self._found = tuple(s for s in found if s.role == self._role)
        self._others = tuple(s for s in found if s.role != self._role)
        self.offer(entries(self._found, chosen=self.value()))
        self.set_wrong(bool(self.problem))

    def words_when_gone(self) -> str:
        """Return how a stream is shown that is not there any more."""
        if (unfit := self._unfit()) is not None:
            return UNFIT.format(self.stream, ROLE_WORDS[unfit.role])
        return (COMING if self._is_coming() else GONE).format(self.stream)

    def _fill(self) -> None:
        super()._fill()
        self.set_wrong(bool(self.problem))


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
        self._found: tuple[StreamSeen, ...] = ()  # a row each
        self._tidy = False
        self.table = _empty_table()
        self.words = wrapped_label(name="streams_words")
        self.button = named_button(
            "&Look again",
            name="streams_refresh",
            tip="Search the network for LSL streams now (F3); every 5 s by itself",
        )
        foot = QHBoxLayout()
        foot.addWidget(self.words, stretch=1)
        foot.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(foot)
        self.button.clicked.connect(self.look_again)
        self.button.clicked.connect(self.refreshed)
        self.table.itemActivated.connect(self._take)

    def show_streams(self, streams: Streams) -> None:
        """Show them; the table is only touched when they changed.

        No row moves under the pointer: new ones come last, and what is gone keeps its
        row until somebody looks again.
        """
        self.words.setText(_words(streams))
        if streams.found == self._shown:
            return
        self._shown = streams.found
        kept = () if self._tidy else self._found
        self._tidy = False
        self._found = in_their_rows(kept, streams.found)
        self.table.setRowCount(len(self._found))
        for row, stream in enumerate(self._found):
            self._fill(row, stream, there=stream in streams.found)

    def look_again(self) -> None:
        """Let what is gone lose its row with the next search."""
        self._tidy, self._shown = True, None

    def _fill(self, row: int, stream: StreamSeen, *, there: bool) -> None:
        for column, text in enumerate(_cells(stream)):
            item = QTableWidgetItem(text if there or column else GONE.format(text))
            item.setToolTip(_tip(stream) if there else "It does not answer any more")
            if not there:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.table.setItem(row, column, item)

    def say(self, words: str) -> None:
        """Say something below the table, until the next search."""
        self.words.setText(words)

    def _take(self, item: QTableWidgetItem) -> None:
        there = bool(item.flags() & Qt.ItemFlag.ItemIsEnabled)
        if there and 0 <= item.row() < len(self._found):
            self.taken.emit(self._found[item.row()])


def in_their_rows(
    shown: tuple[StreamSeen, ...], found: tuple[StreamSeen, ...]
) -> tuple[StreamSeen, ...]:
    """Return what was shown, in its order and as it is now, then what is new."""
    new = list(found)
    rows = []
    for stream in shown:
        same = next((s for s in new if _key(s) == _key(stream)), None)
        rows.append(same or stream)
        if same is not None:
            new.remove(same)
    return (*rows, *new)


def _key(stream: StreamSeen) -> tuple[str, str, str]:
    return stream.name, stream.type, stream.host


def _tip(stream: StreamSeen) -> str:
    if stream.role in ("eeg", "markers", "bold"):
        as_what = ROLE_WORDS[stream.role]
        return f"{stream.name}: double click, or Enter, chooses it as {as_what}"
    return f"{stream.name}: {ROLE_WORDS[stream.role]}; it cannot be chosen"


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
        self.target = SearchField(
            "target",
            "What the participant gets: a ROI, or a contrast of ROIs. Type a part of "
            "its name to find it, or write a contrast: Putamen - 0.5*Global. R is what "
            "the calibration found",
            takes=is_contrast,
        )
        self.facts = HeldLabel("bundle_facts", lines=3)
        self.refusal = HeldLabel("bundle_refusal", lines=2)
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
        own = found.target if found else ""
        offered = (
            [(t, found.target_words(t)) for t in found.targets_in_order()]
            if found
            else []
        )
        words = found.target_words(own) if found and own else ""
        named = [("", f"{words} (the model's own)" if words else "the model's own")]
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
