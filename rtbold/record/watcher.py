"""``python -m rtbold.record.watcher NOTE``: end recorders whose streams are gone.

It waits for the end of its standard input, which is the end of its session however that
comes. Then it looks at what the note lists. A recorder into whose file no samples have
gone for three minutes has lost its streams: it is asked to end. A trigger box that
stays on all night writes some bytes, and keeps no recorder alive. While an amplifier
goes on sending, the recorder goes on, until the next session starts, somebody closes it
(``rtbold recorders --end``) or the disk is nearly full.
"""

import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil

from rtbold.clock import Clock, MonotonicClock
from rtbold.record.left_over import RunningPart, end_left_over, read_note

LOOK_S = 5.0
GONE_S = 180.0
# One channel at 100 Hz has more; clock offsets (every 5 s) and markers have less.
LEAST_BYTES_PER_S = 200.0
LEAST_FREE_BYTES = 500 * 2**20


def main(arguments: list[str], stdin: BinaryIO) -> int:
    """Watch until nothing is left to be ended."""
    (note,) = arguments
    if stdin.read() != b"":
        return 0  # the session ended in order
    watch(Path(note), MonotonicClock())
    return 0


def watch(
    note: Path, clock: Clock, *, runs: Callable[[RunningPart], bool] | None = None
) -> None:
    """End what a note lists once no samples come into it; return when it is gone.

    Parameters
    ----------
    runs : whether a recorder is there; by default asked of the system.
    """
    runs = _runs if runs is None else runs
    n_before, looked_s = 0, clock.now_s()
    flowed_s = looked_s
    while any(runs(part) for part in read_note(note)):
        now_s = clock.now_s()
        n_bytes = sum(_n_bytes(part) for part in read_note(note))
        if n_bytes - n_before > LEAST_BYTES_PER_S * (now_s - looked_s):
            flowed_s = now_s
        n_before, looked_s = n_bytes, now_s
        if now_s - flowed_s >= GONE_S or _nearly_full(note.parent):
            end_left_over(note)
            return
        clock.sleep_until(now_s + LOOK_S)


def _runs(part: RunningPart) -> bool:
    with suppress(psutil.Error):
        process = psutil.Process(part.pid)
        there = process.status() != psutil.STATUS_ZOMBIE
        return there and part.file in process.cmdline()
    return False


def _n_bytes(part: RunningPart) -> int:
    with suppress(OSError):
        return Path(part.file).stat().st_size
    return 0


def _nearly_full(folder: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer))
