"""End this process once nobody holds the other end of its standard input.

A window gives each child that serves nobody else a pipe. However the window ends, by
kill -9 too, the operating system closes that pipe, on POSIX and on Windows.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

OPTION = "--end-with-stdin"
STDIN = 0
POLITE_S = 15.0  # a rehearsal ends its own session, which takes it some 9 s
FORCED = 1  # exit code where it could not end by itself
READ_BYTES = 4096


def end_with_stdin() -> None:
    """Watch in a thread; at the end of standard input, ask as Ctrl-C does."""
    thread = threading.Thread(target=_watch, name="rtbold-stdin", daemon=True)
    thread.start()


def wait_for_end(read: Callable[[int, int], bytes] = os.read) -> None:
    """Return once nothing more can come; what comes before is thrown away.

    It reads the descriptor: a thread that waits inside ``sys.stdin`` holds a lock
    without which an interpreter cannot end.
    """
    with suppress(OSError):  # there is none
        while read(STDIN, READ_BYTES):
            pass


def _watch() -> None:
    wait_for_end()
    _interrupt()
    time.sleep(POLITE_S)
    os._exit(FORCED)  # it hangs, in liblsl perhaps


def _interrupt() -> None:
    if sys.platform == "win32":  # not run here
        import _thread

        _thread.interrupt_main()
        return
    main = threading.main_thread().ident
    if main is not None:  # to that very thread, so that its sleep ends
        signal.pthread_kill(main, signal.SIGINT)
