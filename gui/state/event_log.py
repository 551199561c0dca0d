"""The lines that the operator reads afterwards: the session's and the dashboard's."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from rtbold.publish import LogLevel

MOST_LINES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line."""

    number: int  # counts from 0; a view shows those it has not seen
    now_s: float  # when it came, this machine's monotonic clock
    t_unix_ms: float | None  # the publisher's wall clock; None: the dashboard said it
    level: LogLevel
    text: str
    source: Literal["session", "dashboard"]


class EventLog:
    """The newest lines, oldest first."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=most)
        self.n_lines = 0  # ever

    def add(
        self,
        text: str,
        now_s: float,
        *,
        level: LogLevel = "info",
        t_unix_ms: float | None = None,
    ) -> None:
        """Append one line; of the session if it has a wall clock's time."""
        source: Literal["session", "dashboard"] = (
            "dashboard" if t_unix_ms is None else "session"
        )
        entry = LogEntry(
            number=self.n_lines,
            now_s=now_s,
            t_unix_ms=t_unix_ms,
            level=level,
            text=text,
            source=source,
        )
        self._entries.append(entry)
        self.n_lines += 1

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """All lines that are kept."""
        return tuple(self._entries)

    def since(self, number: int) -> tuple[LogEntry, ...]:
        """Return the lines from `number` on."""
        return tuple(entry for entry in self._entries if entry.number >= number)
