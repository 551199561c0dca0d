"""Keep one inlet process alive: start it, listen to it, kill it when it hangs."""

import io
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from rtbold.acquire import inlet
from rtbold.acquire.frames import Frame, Order, encode_order, read_frame

LOOK_EVERY_S = 0.2
SILENT_LOOKS_MAX = 6  # a live process sends something at least every 0.25 s
START_LOOKS_MAX = 50  # importing numpy and liblsl takes a while on a busy machine
SHORT_LIFE_LOOKS = 25  # ended sooner than this: wait before the next try
LONGEST_PAUSE_S = 2.0


class Supervisor:
    """One inlet process and the two threads that mind it.

    The reader hands every frame to `on_frame`, and starts the process again when it
    has ended. The watchdog counts its own looks without a new frame, instead of
    reading a clock: after the whole machine slept, nothing is killed by mistake.

    Parameters
    ----------
    make_order : returns what the next process is started with.
    on_frame : called in the reader thread.
    on_death : called in the reader thread with the end of what the process wrote to
        its error output; it is started again unless `close` was called.
    """

    def __init__(
        self,
        make_order: Callable[[], Order],
        *,
        on_frame: Callable[[Frame], None],
        on_death: Callable[[str], None],
    ) -> None:
        self._make_order = make_order
        self._on_frame = on_frame
        self._on_death = on_death
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._n_frames = 0
        self._n_looks = 0
        self._hung = False  # the watchdog has killed it
        self.n_starts = 0
        name = make_order().role
        self._reader = threading.Thread(target=self._read, name=f"{name}-inlet-reader")
        self._watchdog = threading.Thread(target=self._watch, name=f"{name}-inlet-dog")

    @property
    def pid(self) -> int | None:
        """The process's id, None before the first one runs."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start the process and the threads."""
        self._reader.start()
        self._watchdog.start()

    def close(self) -> None:
        """End the process and the threads; harmless when called twice."""
        self._closing.set()
        with self._lock:
            process = self._process
        if process is not None:
            _end(process)
        for thread in (self._reader, self._watchdog):
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()

    def _read(self) -> None:
        pause_s = 0.0
        while not self._closing.wait(pause_s):
            looks_before = self._n_looks
            said = self._run_one()
            if said is None:
                return
            with suppress(Exception):  # to start it again matters more
                self._on_death(said)
            short = self._n_looks - looks_before < SHORT_LIFE_LOOKS
            pause_s = min(max(2 * pause_s, 0.1), LONGEST_PAUSE_S) if short else 0.0

    def _run_one(self) -> str | None:
        """Return why the process ended; None if it was not to be started."""
        try:
            with tempfile.TemporaryFile() as errors:
                if not self._spawn(errors):
                    return None
                self._listen()
                return f"{_tail(errors)}\n{self._end_in_words()}".strip()
        except Exception as error:  # no memory, no files left, a broken frame
            return repr(error)

    def _end_in_words(self) -> str:
        """Return how a process ended that could not say it itself; else nothing."""
        code = self._process.returncode if self._process else None
        if self._hung:
            return "It was silent for too long and was killed."
        return (
            f"It was killed by signal {-code}." if code is not None and code < 0 else ""
        )

    def _spawn(self, errors: IO[bytes]) -> bool:
        with self._lock:
            if self._closing.is_set():
                return False
            self.n_starts += 1
            self._n_frames = 0
            self._hung = False
            # -P: a file of the user's in the current folder must not shadow a module.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", inlet.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        return True

    def _listen(self) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        pipe = process.stdout
        if not isinstance(pipe, io.BufferedReader):
            return
        try:
            process.stdin.write(encode_order(self._make_order()))
            process.stdin.flush()
            while (frame := read_frame(pipe.readinto)) is not None:
                self._n_frames += 1
                self._on_frame(frame)
        except BrokenPipeError:
            pass  # it died before it read its order; the reader starts another
        finally:
            _end(process)
            pipe.close()

    def _watch(self) -> None:
        silent, seen, starts = 0, 0, 0
        while not self._closing.wait(LOOK_EVERY_S):
            self._n_looks += 1
            if (self._n_frames, self.n_starts) != (seen, starts):
                seen, starts, silent = self._n_frames, self.n_starts, 0
                continue
            silent += 1
            allowed = SILENT_LOOKS_MAX if seen else START_LOOKS_MAX
            if silent >= allowed:
                silent = 0
                self._kill()

    def _kill(self) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._hung = True
                self._process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it end by itself (its input closes), then make it."""
    if process.stdin is not None:
        try:
            process.stdin.close()
        except OSError:
            pass  # it is gone already
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(errors: IO[bytes], n_bytes: int = 2000) -> str:
    end = errors.seek(0, 2)
    errors.seek(max(0, end - n_bytes))
    return errors.read().decode("utf-8", errors="replace").strip()
