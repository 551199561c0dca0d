"""The streams of the network, as a table and as choices."""

from collections import Counter
from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.found import Streams, StreamSeen
from rtbold.gui.views.forms import GONE, ListField
from rtbold.gui.views.plain_widgets import named_button, wrapped_label

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
