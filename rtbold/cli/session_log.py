"""The session's log, written by a thread of its own: a stuck disk stops no TR."""

import logging
import queue
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from types import TracebackType
from typing import Self

CAPACITY = 1000


class _DroppingHandler(QueueHandler):
    """Drops records while the queue is full instead of waiting."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            pass  # whoever reads the log is stuck; the session is not to be


class SessionLog:
    """Log of ``rtbold`` to standard error, and to a file once there is one."""

    def __init__(self) -> None:
        records: queue.Queue[logging.LogRecord] = queue.Queue(CAPACITY)
        self._handler = _DroppingHandler(records)
        screen = logging.StreamHandler()
        screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        self._listener = QueueListener(records, screen)
        self._logger = logging.getLogger("rtbold")

    def write_beside(self, path: Path) -> None:
        """Keep the log in a file too, from now on."""
        to_file = logging.FileHandler(path, encoding="utf-8")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._listener.stop()
        self._listener.handlers = (*self._listener.handlers, to_file)
        self._listener.start()

    def __enter__(self) -> Self:
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self._handler)
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self._handler)
        self._listener.stop()
        for handler in self._listener.handlers:
            handler.close()
