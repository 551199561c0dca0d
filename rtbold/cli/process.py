"""What a command settles for its own process: window, liblsl, log, end, threads."""

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from rtbold.config import check_range
from rtbold.distribution import pip_install
from rtbold.owner_only import create
from rtbold.preflight import (
    NO_DISPLAY,
    WAY_OUT,
    Answer,
    has_display,
    how_to_get,
    installed,
    missing_libraries,
    named_in,
    probe,
    unseen,
)
from rtbold.session import Discretion

PLATFORMS = (  # of Qt, on any system
    "xcb", "wayland", "wayland-egl", "eglfs", "linuxfb", "vnc", "vkkhrdisplay",
    "windows", "direct2d", "cocoa", "offscreen", "minimal", "minimalegl",
)  # fmt: skip
LEFT_OVER = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_PLUGIN_PATH")  # as other programs do


def settle_libraries(environment: MutableMapping[str, str]) -> None:
    """Let libraries take what rtbold is built on, whatever other programs have set.

    The dashboard is of PyQt6, and pictures are drawn into files only.
    """
    environment["PYQTGRAPH_QT_LIB"] = "PyQt6"
    environment["MPLBACKEND"] = "agg"


def why_no_window(
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    *,
    installed: Callable[[], bool] = installed,
    missing: Callable[[Mapping[str, str]], list[str]] = missing_libraries,
    probe: Callable[[], Answer] = probe,
) -> str | None:
    """Return in words why no window can open; None: one can.

    Only Linux is probed by a child process: there Qt ends the whole process if the
    display or one of its system libraries is missing.
    """
    if not installed():
        return (
            "the dashboard needs PyQt6 and pyqtgraph. "
            f"Install them: {pip_install('gui')}"
        )
    if trouble := _unknown_platform(environ):
        return trouble
    left_over = [name for name in LEFT_OVER if environ.get(name)]
    if platform in ("win32", "darwin"):
        return None
    if not has_display(environ):
        return (
            f"there is no display: {NO_DISPLAY}. Log in at the screen, or use ssh -X, "
            f"or rtbold monitor in a terminal. {WAY_OUT}."
        )
    if lacking := missing(environ):
        return (
            f"Qt cannot be loaded here without {', '.join(lacking)}. "
            f"Install them: {how_to_get(lacking)}"
        )
    if unseen(environ) and not left_over:
        return None
    complaint = probe().complaint
    if not complaint:
        return None
    if left_over:
        return (
            f"Qt cannot open a window here: {complaint} {' and '.join(left_over)} may "
            "be of another program: unset it, and try again."
        )
    if lacking := named_in(complaint):
        mend = f"Install what is missing: {how_to_get(lacking)}."
    else:
        mend = "Look whether the display lets you in (echo $DISPLAY)."
    return f"Qt cannot open a window here: {complaint} {mend} {WAY_OUT}."


def _unknown_platform(environ: Mapping[str, str]) -> str | None:
    """Return what is wrong with the platform that Qt is told; it would end us."""
    given = environ.get("QT_QPA_PLATFORM", "")
    named = [part.partition(":")[0].strip() for part in given.split(";") if part]
    if not named or any(name in PLATFORMS for name in named):
        return None
    return (
        f"QT_QPA_PLATFORM is {given!r}, expected a platform of Qt "
        f"({', '.join(PLATFORMS[:2])}, ...) or nothing. Unset it: another program may "
        "have left it."
    )


# Keep liblsl's chatter off the screen, and the user's own configuration in force.

VARIABLE = "LSLAPICFG"


def quieten(environment: "os._Environ[str] | dict[str, str]", folder: Path) -> None:
    """Point liblsl to a configuration that only warns, where the user has none.

    liblsl looks at LSLAPICFG, ``lsl_api.cfg`` in the working folder, in ~/lsl_api and
    in /etc/lsl_api, in this order; whichever is there stays in force.
    """
    if VARIABLE in environment:
        return
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or folder)
    places = (folder, home / "lsl_api", Path("/etc/lsl_api"))
    if any((place / "lsl_api.cfg").is_file() for place in places):
        return
    environment[VARIABLE] = str(files("rtbold") / "lsl_quiet.cfg")


# The session's log, written by a thread of its own: a stuck disk stops no TR.

CAPACITY = 1000


class _DroppingHandler(QueueHandler):
    """Drops records while the queue is full instead of waiting."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            pass  # whoever reads the log is stuck; the session is not to be


class _ToFile(logging.FileHandler):
    """Leaves a line out that a full disk refuses; the recording tells of the disk."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's
        pass


class _Clean(logging.Formatter):
    """Formats entries that only show: what comes from outside cannot pass for one."""

    def __init__(
        self, form: str, time_form: str | None = None, *, clean: Callable[[str], str]
    ) -> None:
        super().__init__(form, time_form)
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


class SessionLog:
    """Log of ``rtbold`` to standard error, and to a file once there is one."""

    def __init__(self) -> None:
        records: queue.Queue[logging.LogRecord] = queue.Queue(CAPACITY)
        self._handler = _DroppingHandler(records)
        screen = logging.StreamHandler()
        form = "%(asctime)s %(message)s"
        screen.setFormatter(_Clean(form, "%H:%M:%S", clean=Discretion().entry))
        self._listener = QueueListener(records, screen)
        self._logger = logging.getLogger("rtbold")

    def write_beside(self, path: Path, *, clean: Callable[[str], str]) -> None:
        """Keep the log in a file too, from now on; its owner alone can open it.

        Parameters
        ----------
        clean : makes an entry fit for others.
        """
        create(path).close()
        to_file = _ToFile(path, encoding="utf-8")
        form = "%(asctime)s %(levelname)s %(message)s"
        to_file.setFormatter(_Clean(form, clean=clean))
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


# End this process once nobody holds the other end of its standard input.
#
# A window gives each child that serves nobody else a pipe. However the window ends, by
# kill -9 too, the operating system closes that pipe, on POSIX and on Windows.

OPTION = "--end-with-stdin"
STDIN = 0
POLITE_S = 15.0  # a rehearsal ends its own session, which takes it some 9 s
CHILD_S = 5.0
FORCED = 1  # exit code where it could not end by itself
READ_BYTES = 4096


def end_with_stdin() -> None:
    """Watch in a thread; at the end of standard input, ask as Ctrl-C does."""
    thread = threading.Thread(target=_watch, name="rtbold-stdin", daemon=True)
    thread.start()


@contextmanager
def child(command: str, words: Sequence[str]) -> Iterator[None]:
    """Run another command of rtbold beside this one; it ends with this one."""
    run = [sys.executable, "-m", "rtbold", command, *words, OPTION]
    with subprocess.Popen(run, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(CHILD_S)
            except subprocess.TimeoutExpired:
                process.kill()


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


# Threads of a fit: as many as there are cores, and none that waits by spinning.
#
# The libraries' own defaults suit a machine that does nothing else. Their threads wait
# for one another by spinning, so where another program has a core, one half of a sum
# spins until the other half, which is not running, is done. Here threads sleep
# meanwhile.
#
# The libraries read the environment when they are first loaded, so it is set before
# numpy and torch are imported.

MAX_THREADS: Final = 256
# GNU's OpenMP (torch on Linux), and LLVM's and Intel's (torch on Windows and macOS)
_SLEEP: Final = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_COUNTS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# numpy's and scipy's threads spin too, and nothing tells them not to. The matrices of
# one scan are small: a second thread gains little, and on a busy machine it makes them
# take many times as long.
_ALGEBRA: Final = "OPENBLAS_NUM_THREADS"


def settle(environment: MutableMapping[str, str], wanted: int | None) -> int | None:
    """Set how libraries compute that are loaded from now on; return torch's threads.

    What the user has set in the environment stays, except where `wanted` contradicts.

    Parameters
    ----------
    wanted : ``--threads``; None: as many as there are cores.

    Returns
    -------
    None where the user's environment says it to torch.

    Raises
    ------
    ConfigError : `wanted` is out of range.
    """
    check_range("--threads", wanted, 1, MAX_THREADS)
    for name, value in (*_SLEEP.items(), (_ALGEBRA, "1")):
        environment.setdefault(name, value)
    if wanted is None:
        return None if _COUNTS[0] in environment else usable_cores()
    environment.update(dict.fromkeys(_COUNTS, str(wanted)))
    return wanted


def usable_cores() -> int:
    """Return the cores that this process may use; hyper-threads are none."""
    process = psutil.Process()
    n = psutil.cpu_count() or 1
    if hasattr(process, "cpu_affinity"):  # not on macOS
        n = len(process.cpu_affinity())
    return max(1, min(n, psutil.cpu_count(logical=False) or n))
