"""The inlet process: ``python -m rtbold.acquire.inlet``, started by the supervisor.

It reads its order from standard input, writes frames to standard output, and ends
when its input closes: with its session, however that ended.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

from rtbold.acquire.follow import FrameWriter
from rtbold.acquire.frames import Fault, Order, decode_order
from rtbold.acquire.streams import LslClock
from rtbold.clock import Clock
from rtbold.errors import RtboldError

PIPE_BYTES = 1 << 20
MEMORY_BYTES = 2 << 30  # more than 60 s of the widest stream at the highest rate


def main() -> int:
    """Run one inlet until its stream is refused or its session is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's business
    parent = os.getppid()
    _bound_memory()
    pipe = _take_stdout()
    order = decode_order(sys.stdin.buffer.readline())
    clock = LslClock()
    watch = threading.Thread(target=_end_with_session, args=(parent, clock))
    watch.daemon = True
    watch.start()

    outbox = FrameWriter(pipe, clock)
    try:
        _run(order, outbox, clock)
    except RtboldError as error:
        outbox.send(Fault(type(error).__name__, str(error), fatal=True))
        clock.sleep_until(
            clock.now_s() + 1.0
        )  # the session closes us; restarting at once would be noise
        return error.exit_code
    except BrokenPipeError:
        return 0
    return 0


def _run(order: Order, outbox: FrameWriter, clock: Clock) -> None:
    if order.role == "eeg":
        from rtbold.acquire.inlet_eeg import run_eeg

        run_eeg(order, outbox, clock)
    elif order.role == "bold":
        from rtbold.acquire.inlet_irregular import run_bold

        run_bold(order, outbox, clock)
    else:
        from rtbold.acquire.inlet_irregular import run_markers

        run_markers(order, outbox, clock)


def _bound_memory() -> None:
    """Let no stranger's stream take the machine's memory: liblsl holds what comes.

    Where the system knows no such bound, there is none.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as sizes:
            data_bytes = int(sizes.read().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes + MEMORY_BYTES, hard))


def _take_stdout() -> IO[bytes]:
    """Keep standard output for frames; whatever else prints goes to the error output.

    (pylsl prints to standard output.)
    """
    pipe = os.fdopen(os.dup(1), "wb", buffering=PIPE_BYTES)
    os.dup2(2, 1)
    with suppress(
        ImportError, AttributeError, OSError
    ):  # Linux only; a saving, no need
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return pipe


def _end_with_session(parent: int, clock: Clock) -> None:
    """End at once when the input closes; liblsl may hang in an orderly exit."""
    watch = threading.Thread(target=_watch_parent, args=(parent, clock), daemon=True)
    watch.start()
    while os.read(0, 64):
        pass
    os._exit(0)


def _watch_parent(parent: int, clock: Clock) -> None:
    """End when the parent changes: a forked copy may hold our input open."""
    while os.getppid() == parent:
        clock.sleep_until(clock.now_s() + 1.0)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
