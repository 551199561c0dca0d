"""The middle of the set-up page: the pre-flight list and the model's channels."""

from collections.abc import Sequence

from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtbold.gui.state.check_age import AgeLevel, CheckAge
from rtbold.gui.state.checks import ChannelFound, Checks, summary_words
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.check_list import CheckList
from rtbold.gui.views.plain_widgets import named_button, wrapped_label
from rtbold.gui.views.widgets.heads import HeadMap

ROLES = {"none": "muted", "fresh": "muted", "old": "degraded", "changed": "degraded"}
MOST_NAMES = 12


class CheckPanel(QWidget):
    """Check, Override, the list, and a head with the channels that the model wants."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._shown: object = None
        self._age_level: AgeLevel = "none"
        self.check = named_button(
            "&Check",
            name="check",
            tip="Open all that a session needs, listen for some seconds, and say what "
            "is wrong; nothing is published or written (F6)",
        )
        self.override = named_button(
            "&Override…",
            name="override",
            tip="Let a run start in spite of red checks: asks for a reason, and is "
            "logged",
        )
        self.words = wrapped_label(name="check_words")
        self.age = wrapped_label(name="check_age")
        self.list = CheckList(colours)
        self.head = HeadMap(colours)
        self.channels = wrapped_label(name="channel_words")
        row = QHBoxLayout()
        row.addWidget(self.check)
        row.addWidget(self.words, stretch=1)
        row.addWidget(self.override)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.age)
        column.addWidget(self.list, stretch=3)
        column.addWidget(self.head, stretch=2)
        column.addWidget(self.channels)

    def show_checks(self, checks: Checks, *, checking: bool, age: CheckAge) -> None:
        """Show how far the check is; does nothing while nothing changes."""
        if (checks, checking, age) == self._shown:
            return
        self._shown = (checks, checking, age)
        stale = age.level == "changed"
        self.check.setEnabled(not checking)
        self.check.setText("Checking …" if checking else "&Check")
        self.words.setText(summary_words(checks))
        self.age.setText(age.words)
        self.age.setVisible(bool(age.words) and not checking)
        self._age_level = age.level
        self._colour_age()
        self.list.show_lines(
            checks.lines,
            overridden=frozenset(o.name for o in checks.overrides),
            done=checks.ready is not None,
            stale=stale,
        )
        self.override.setEnabled(bool(checks.blocking) and not checking and not stale)
        self._show_channels(checks)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.list.set_colours(colours)
        self.head.set_colours(colours)
        self._colour_age()

    def _colour_age(self) -> None:
        colour = getattr(self._colours, ROLES[self._age_level])
        weight = "bold" if ROLES[self._age_level] == "degraded" else "normal"
        self.age.setStyleSheet(f"color: {colour}; font-weight: {weight}")

    def _show_channels(self, checks: Checks) -> None:
        # On the head an alias is as good as the same name; below it is named.
        self.head.show_states(
            {
                channel.label: "good" if channel.state == "alias" else channel.state
                for channel in checks.channels
            }
        )
        words = channel_words(checks.channels, checks.extra)
        self.channels.setText(words)
        self.channels.setVisible(bool(words))


def channel_words(channels: Sequence[ChannelFound], extra: Sequence[str]) -> str:
    """Return what the names have to say: missing, under another name, too many."""
    missing = [c.label for c in channels if c.state == "missing"]
    alias = [f"{c.label} is {c.found}" for c in channels if c.state == "alias"]
    parts = (
        ("✕ Missing", missing),
        ("Under another name", alias),
        ("Not used by the model", list(extra)),
    )
    return "\n".join(f"{what}: {_named(who)}." for what, who in parts if who)


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    said = ", ".join(names[:MOST_NAMES])
    return f"{said} and {more} more" if more > 0 else said
