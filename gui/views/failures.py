"""Faults of the dashboard itself: caught in one place, said in words, logged."""

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType

LOG = logging.getLogger("rtbold.gui")
MOST_KINDS = 50  # of different faults that are remembered


class Failures:
    """Keeps a fault in one widget from stopping the others.

    Parameters
    ----------
    tell : called with a line in words the first time that a fault happens.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._counts: OrderedDict[str, int] = OrderedDict()

    def guard(self, what: str, call: Callable[[], object]) -> bool:
        """Do `call`; a fault in it becomes a line. Return whether it went well."""
        try:
            call()
        except Exception as error:
            self.note(what, error)
            return False
        return True

    def note(self, what: str, error: BaseException) -> None:
        """Log a fault; say it the first time, then count it."""
        text = (
            f"The dashboard has a fault in {what}: {type(error).__name__}: {error}. "
            "The session does not depend on the dashboard and goes on."
        )
        n = self._counts.get(text, 0) + 1
        self._counts[text] = n
        if len(self._counts) > MOST_KINDS:
            self._counts.popitem(last=False)
        if n == 1:
            LOG.error("fault in %s", what, exc_info=error)
            self._tell(text)

    @property
    def counts(self) -> dict[str, int]:
        """How often each fault happened."""
        return dict(self._counts)

    def install(self) -> Callable[[], None]:
        """Take what no slot and no thread caught; return how to undo that."""
        before = sys.excepthook, threading.excepthook

        def of_slot(
            kind: type[BaseException],
            error: BaseException,
            trace: TracebackType | None,
        ) -> None:
            self.note("an action", error)

        def of_thread(args: threading.ExceptHookArgs) -> None:
            # The window belongs to another thread: logged only, not told.
            LOG.error("fault in thread %s", args.thread, exc_info=args.exc_value)

        def undo() -> None:
            sys.excepthook, threading.excepthook = before

        sys.excepthook, threading.excepthook = of_slot, of_thread
        return undo
