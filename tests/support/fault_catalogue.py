"""The faults of the list, each in a story: one session that meets one to four of them.

A story returns its bench and what was seen of each fault, in order.
"""

import signal
from functools import lru_cache

import numpy as np
import psutil
from bundles import CHANNELS
from fault_bench import TR_S, WINDOW_S, Bench, Fault
from fault_sender import (
    CHUNK_S,
    RATE_HZ,
    Bursts,
    Held,
    added,
    changed,
    channel,
    doubled,
    early,
    lost,
    no_volume,
    once,
    one_lost_in,
    sent_late,
    stamped,
)
from known_eeg import windows_uv
from loop import Rtbold

from rtbold.acquire import inlet
from rtbold.calibration.evaluate.ood import lines_of, ood_reference, statistics_of

LOOK_S = 0.5


def eeg(*injectors):
    return lambda bench: bench.sender.eeg.extend(injectors)


def triggers(*injectors):
    return lambda bench: bench.sender.triggers.extend(injectors)


def well(bench):
    bench.sender.eeg.clear()
    bench.sender.triggers.clear()


def told(root, faults, **how):
    """Let one session meet faults one after the other, once it predicts."""
    status, replays = how.pop("status", ("ok",)), how.pop("replays", True)
    with Bench(root, **how) as bench:
        bench.predicts(status=status)
        seen = [bench.meet(fault) for fault in faults]
        if bench.record:
            bench.code = bench.stop()
            bench.compared = bench.replayed() if replays else None
        return bench, seen


def from_the_start(root, fault, *, watch_s, **how):
    """Let a fault be there from the first sample on."""
    with Bench(root, **how) as bench:
        heard = bench.until(lambda b: b.volumes(), 60.0)
        assert heard, bench.running.said()
        seen = bench.meet(
            Fault(*fault, begin=lambda _: None, lasts_s=watch_s, recovery_s=None)
        )
        return bench, [seen]


# Triggers and scanner


def scanner(root):
    return told(
        root,
        [
            Fault("14", "a volume trigger is missing", "one trigger is not sent",
                  triggers(once(no_volume)), 3 * TR_S, well, None),
            Fault("14", "a volume trigger is doubled", "one is sent again after 0.15 s",
                  triggers(once(doubled)), 3 * TR_S, well, None),
            Fault("14", "triggers are early", "stamps 5 ms too early for 3 volumes",
                  triggers(early(0.005)), 3 * TR_S, well, None),
            Fault("27, 28", "the scanner stops, then a new run",
                  "no trigger for 5.5 TR",
                  triggers(no_volume), 5.5 * TR_S, well),
        ],
        record=True,
    )  # fmt: skip


def late_eeg(root):
    return told(
        root,
        [
            Fault("32", "triggers come, the EEG is late",
                  "EEG held back 2 s for 8 s; the last 2 s are lost",
                  eeg(Held(2.0)), 8.0, well),
        ],
    )  # fmt: skip


def late_triggers(root):
    return told(
        root,
        [
            Fault("32", "the EEG comes, triggers are late",
                  "sent 1.5 s late, 5 volumes",
                  triggers(sent_late(1.5)), 5 * TR_S, well),
        ],
    )  # fmt: skip


# What changes the EEG at a normal amplitude; the card knows what it was like


@lru_cache(maxsize=1)
def known_subject():
    windows = [np.stack(list(windows_uv()))]
    return {
        "likeness": ood_reference(
            statistics_of(windows), lines=lines_of(windows, tr_s=TR_S), tr_s=TR_S
        )
    }


def silent(root, *fault):
    return told(root, [Fault(*fault)], card=known_subject())


def pump(root):
    return silent(
        root, "30", "the helium pump is switched on", "15 uV at 43 and 21.5 Hz, 10 s",
        eeg(added((43.0, 15.0), (21.5, 15.0))), 10.0, well,
    )  # fmt: skip


def slices(root):
    return silent(
        root, "29", "movement spoils the template",
        "12 uV at 17.1, 34.3, 51.4 Hz, 10 s",
        eeg(added((120 / 7, 12.0), (240 / 7, 12.0), (360 / 7, 12.0))), 10.0, well,
    )  # fmt: skip


def asleep(root):
    def slow(data_uv, taken_s):
        wave = 40 * np.sin(2 * np.pi * 1.1 * taken_s) + 30 * np.sin(4.4 * taken_s)
        data_uv *= 0.6
        data_uv += wave[:, None] * np.linspace(1.5, 0.5, data_uv.shape[1])

    return silent(
        root, "31", "the participant falls asleep",
        "slow waves, less of all else, 10 s",
        eeg(changed(slow)), 10.0, well,
    )  # fmt: skip


# Clocks and stamps


def steps(root):
    return told(
        root,
        [
            Fault("8", "stamps step by 20 s", "20 s are added from now on",
                  eeg(stamped(lambda s: s + 20.0)), 1.0),
            Fault("8", "stamps step by 200 000 s", "200 000 s are added from now on",
                  eeg(stamped(lambda s: s + 200_000.0)), 1.0),
        ],
        record=True,
    )  # fmt: skip


def bursts(root):
    return told(
        root,
        [Fault("9", "bursts of 200 ms, one stamp each", "from now on, 20 s",
               eeg(Bursts()), 20.0, recovery_s=None)],
    )  # fmt: skip


def unix_stamps(root):
    import time

    import pylsl

    epoch_s = time.time() - pylsl.local_clock()
    return from_the_start(
        root, ("7", "stamps are Unix time", "from the start on"),
        watch_s=WINDOW_S + 4 * TR_S, free_run=True,
        sender={"eeg": [stamped(lambda s: s + epoch_s)]},
    )  # fmt: skip


def sample_clock(root):
    return from_the_start(
        root, ("13", "the sample clock is off by 0.05 %", "from the start on, 40 s"),
        watch_s=40.0, sender={"rate_hz": RATE_HZ * 1.0005},
    )  # fmt: skip


def backlog(root):
    with Bench(root, sender={"before_s": 60.0, "eeg": [lost]}) as bench:
        held = Held(until=bench.sender.heard)
        bench.sender._n = 0
        bench.sender.eeg[:] = [held]
        assert bench.until(lambda b: b.volumes(), 60.0), bench.running.said()
        fault = Fault(
            "12", "60 s of backlog at the start", "60 s of EEG come at once",
            lambda _: None, WINDOW_S + 4 * TR_S, recovery_s=None,
        )  # fmt: skip
        return bench, [bench.meet(fault)]


# The stream


def comes_and_goes(root):
    return told(
        root,
        [
            Fault("11", "a stall of 3 s", "nothing is sent for 3 s",
                  eeg(lost), 3.0, well),
            Fault("1, 4", "restart, other source id and channel order",
                  "gone for 4 s; comes back in reverse order",
                  lambda b: b.sender.take_down(), 4.0,
                  lambda b: b.sender.bring_back(order=-1), after="degraded"),
        ],
        record=True,
    )  # fmt: skip


def long_stall(root):
    return told(
        root,
        [Fault("11", "a stall of 40 s", "nothing is sent for 40 s",
               eeg(lost), 40.0, well)],
    )  # fmt: skip


def other_rate(root):
    return told(
        root,
        [Fault("3", "another rate on return", "gone for 2 s; comes back with 500 Hz",
               lambda b: b.sender.take_down(), 2.0,
               lambda b: b.sender.bring_back(rate_hz=2 * RATE_HZ),
               after="degraded")],
    )  # fmt: skip


def lost_samples(root):
    return told(
        root,
        [Fault("10", "1 % of the samples is lost", "one in 100, for 20 s",
               eeg(one_lost_in(100)), 20.0, well)],
    )  # fmt: skip


def lost_by_counting(root):
    """0.5 s lost; the sender counts on, so that no stamp shows it."""

    def begin(bench):
        left = [round(0.5 / CHUNK_S)]

        def inject(block, now_s):
            left[0] -= 1
            if left[0] >= 0:
                return []
            return stamped(lambda s: s - 0.5)(block, now_s)

        bench.sender.eeg.append(inject)

    return told(
        root,
        [Fault("10", "0.5 s is lost without a gap in the stamps",
               "25 chunks; the sender counts on", begin, 10.0, recovery_s=None)],
    )  # fmt: skip


# Channels


def bad_channels(root):
    def mains(taken_s):
        return 200 * np.sin(2 * np.pi * 50 * taken_s)

    return told(
        root,
        [
            Fault("15", "a channel is flat", "O1 is 0, for 4 s",
                  eeg(channel("O1", 0.0)), 4.0, well),
            Fault("24", "a channel is not a number", "F3 is NaN, for 4 s",
                  eeg(channel("F3", np.nan)), 4.0, well),
            Fault("15", "a channel is all mains", "T7 is 200 uV at 50 Hz, for 4 s",
                  eeg(channel("T7", mains)), 4.0, well),
        ],
    )  # fmt: skip


def raw_artefact(root):
    def large(data_uv, taken_s):
        data_uv += (
            3000
            * np.sign(np.sin(2 * np.pi * 17 * taken_s))[:, None]
            * (np.linspace(0.5, 1.5, len(CHANNELS)))
        )

    with Bench(root, sender={"eeg": [changed(large)]}) as bench:
        assert bench.until(lambda b: b.volumes(), 60.0), bench.running.said()
        fault = Fault(
            "16", "raw scanner artefact at the start",
            "3 mV until 20 s into the session",
            lambda _: None, 20.0, well,
        )  # fmt: skip
        return bench, [bench.meet(fault)]


# Processes


def inlets(bench):
    return [
        child
        for child in psutil.Process(bench.running.pid).children()
        if inlet.__name__ in " ".join(child.cmdline())
    ]


def killed_inlets(root):
    def kill(bench):
        for child in inlets(bench):
            child.kill()

    return told(root, [Fault("17", "the acquisition is killed",
          "SIGKILL of both inlets",
                             kill, LOOK_S)])  # fmt: skip


def hanging_inlets(root):
    def hang(bench):
        for child in inlets(bench):
            child.send_signal(signal.SIGSTOP)

    return told(root, [Fault("17", "the acquisition hangs", "SIGSTOP of both inlets",
                             hang, LOOK_S)])  # fmt: skip


def frozen_subscriber(root):
    with Bench(root) as bench:
        address = f"tcp://127.0.0.1:{bench.ports[0]}"
        with Rtbold("monitor", "--connect", address, "--timeout", 120) as monitor:
            bench.predicts()
            process = psutil.Process(monitor.pid)
            fault = Fault(
                "19", "a subscriber freezes", "SIGSTOP of `rtbold monitor` for 12 s",
                lambda _: process.send_signal(signal.SIGSTOP), 12.0,
                lambda _: process.send_signal(signal.SIGCONT), None,
            )  # fmt: skip
            return bench, [bench.meet(fault)]


STORIES = (
    scanner, long_stall, comes_and_goes, bad_channels, steps, slices, pump, asleep,
    late_eeg, late_triggers, backlog, unix_stamps, sample_clock, bursts, other_rate,
    lost_samples, lost_by_counting, raw_artefact, killed_inlets, hanging_inlets,
    frozen_subscriber,
)  # fmt: skip
