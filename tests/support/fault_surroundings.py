"""Faults of what stands around a session: who else sends, the disk, the machine."""

import shutil
import signal

import psutil
from bundles import CHANNELS
from fault_bench import TR_S, WINDOW_S, Bench, Fault
from fault_catalogue import eeg, from_the_start, told, well
from fault_sender import Sender, channel
from loop import Rtbold

HELD_S = 5.0  # over two TRs
OLD_NAMES = {"T7": "T3", "T8": "T4", "P7": "EEG t5", "P8": "t6", "FP1": "Fp1-Ref"}


# Who sends, and how


def second_sender(root):
    others = []

    def begin(bench):
        others.append(Sender(bench.name, eeg=[channel(c, 0.0) for c in CHANNELS]))

    def end(_bench):
        others.pop().__exit__()

    return told(root, [Fault("2", "a second stream of the same name",
                             "beside the first, all zeros, for 10 s", begin, 10.0,
                             end)])  # fmt: skip


def old_names(root):
    return from_the_start(
        root, ("5", "other names of the electrodes", ", ".join(OLD_NAMES.values())),
        watch_s=WINDOW_S + 3 * TR_S, sender={"called": OLD_NAMES},
    )  # fmt: skip


def missing_channel(root):
    return from_the_start(
        root, ("5", "a model channel is missing", "CZ is not sent; --interpolate"),
        watch_s=WINDOW_S + 3 * TR_S, sender={"without": ("CZ",)}, interpolate=True,
    )  # fmt: skip


def volts(root):
    return from_the_start(
        root, ("6", "the unit is volt", "the stream says V and sends so"),
        watch_s=WINDOW_S + 3 * TR_S, sender={"unit": "V", "scale": 1e-6},
    )  # fmt: skip


def railed(root):
    return told(root, [Fault("15", "a channel is railed", "PZ is 187.5 mV, for 4 s",
                             eeg(channel("PZ", 187_500.0)), 4.0, well)])  # fmt: skip


# The machine


def held_session(root):
    """The machine is so busy that the session gets no time for two TRs."""
    return told(
        root,
        [Fault("25", "a prediction takes longer than a TR",
               f"SIGSTOP of the session for {HELD_S:g} s",
               lambda b: psutil.Process(b.running.pid).suspend(), HELD_S,
               lambda b: psutil.Process(b.running.pid).resume())],
        record=True,
    )  # fmt: skip


def window(address, folder):
    """Start a dashboard that nobody sees and that knows nobody."""
    hidden = {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(folder)}
    return Rtbold("gui", "--connect", address, more_env=hidden)


def dashboards(root):
    with Bench(root) as bench:
        address = f"tcp://127.0.0.1:{bench.ports[0]}"
        with (
            window(address, root / "a") as frozen,
            window(address, root / "b") as killed,
        ):
            bench.predicts()
            process = psutil.Process(frozen.pid)

            def begin(_bench):
                process.send_signal(signal.SIGSTOP)
                killed.kill()

            fault = Fault("18", "a dashboard is frozen, one is killed",
                          "SIGSTOP for 12 s; SIGKILL", begin, 12.0,
                          lambda _: process.send_signal(signal.SIGCONT),
                          None)  # fmt: skip
            return bench, [bench.meet(fault)]


OTHER_CLOCK = """
import time
from pathlib import Path
_true, _jump = time.time, Path({jump!r})
time.time = lambda: _true() + (float(_jump.read_text()) if _jump.exists() else 0.0)
time.time_ns = lambda: int(1e9 * time.time())
"""


def clock_jumps(root):
    """The system's clock, as Python tells it, goes forth an hour and back a day."""
    jump, patched = root / "jump", root / "patched"
    patched.mkdir()
    text = OTHER_CLOCK.format(jump=str(jump))
    (patched / "sitecustomize.py").write_text(text, "utf-8")
    return told(
        root,
        [Fault("26", "the system clock jumps", f"`time.time` by {by_s:g} s",
               lambda _, by_s=by_s: jump.write_text(str(by_s)), 3 * TR_S,
               recovery_s=None)
         for by_s in (3600.0, -86400.0)],
        more_env={"PYTHONPATH": str(patched)}, record=True,
    )  # fmt: skip


# The disk


def no_space(root):
    """Every file of the session is at its limit: what it writes on fails."""

    def begin(bench):
        for process in (
            psutil.Process(bench.running.pid),
            *psutil.Process(bench.running.pid).children(recursive=True),
        ):
            process.rlimit(psutil.RLIMIT_FSIZE, (1000, -1))

    return told(root, [Fault("21", "the disk is full", "no file may grow any more",
                             begin, 10.0, recovery_s=None)], record=True,
                replays=False)  # fmt: skip


def folder_gone(root):
    return told(root, [Fault("21", "the recording's folder is gone", "it is deleted",
                             lambda b: shutil.rmtree(b.record), 10.0,
                             recovery_s=None)], record=True, replays=False)  # fmt: skip


STORIES = (
    second_sender, old_names, missing_channel, volts, railed, held_session, dashboards,
    clock_jumps, no_space, folder_gone,
)  # fmt: skip
