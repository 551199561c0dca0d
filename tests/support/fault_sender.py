"""An amplifier and a scanner whose every sample is known, and what spoils them.

An injector takes one block, or the onset of one volume, and returns what is sent in its
place. Injectors stand one after the other in `Sender.eeg` and `Sender.triggers`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pylsl
from bundles import CHANNELS
from known_eeg import samples_uv

from rtbold.messages import Channel
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet, open_marker_outlet

RATE_HZ = 250
CHUNK_S = 0.02
TR_S = 2.1
FIRST_VOLUME_S = 1.0025


@dataclass(frozen=True)
class Block:
    """Samples as they are sent; times since the sender's start."""

    taken_s: np.ndarray  # (samples,), when they were taken
    data_uv: np.ndarray  # (samples, channels)
    stamp_s: float  # of the last one, LSL's clock
    same_stamp: bool = False  # on all of them

    @property
    def n(self):
        return len(self.taken_s)


@dataclass(frozen=True)
class Volume:
    """One trigger; times on LSL's clock."""

    stamp_s: float
    sent_s: float


# Injectors of the EEG: block -> blocks


def lost(_block, _now_s):
    """Lose it, as from a cable that is out."""
    return []


def changed(change: Callable):
    """Change samples: `change(data_uv, taken_s)` works on a copy, in place."""

    def inject(block, _now_s):
        data_uv = block.data_uv.copy()
        change(data_uv, block.taken_s)
        return [replace(block, data_uv=data_uv)]

    return inject


def channel(label, value):
    """Let one channel have one value, or what `value(taken_s)` says."""
    at = CHANNELS.index(label)

    def change(data_uv, taken_s):
        data_uv[:, at] = value(taken_s) if callable(value) else value

    return changed(change)


def added(*lines):
    """Add lines of (hertz, microvolt) to all channels, to each with its own size."""
    size = np.linspace(0.4, 1.6, len(CHANNELS))

    def change(data_uv, taken_s):
        for hz, uv in lines:
            wave = uv * np.sin(2 * np.pi * hz * taken_s)
            data_uv += wave[:, None] * size

    return changed(change)


def stamped(change: Callable):
    """Stamp it otherwise: `change(stamp_s)`."""
    return lambda block, _now_s: [replace(block, stamp_s=change(block.stamp_s))]


def one_lost_in(every):
    """Lose one sample in so many."""

    def inject(block, _now_s):
        kept = np.round(block.taken_s * RATE_HZ).astype(int) % every != 0
        return [
            replace(block, taken_s=block.taken_s[kept], data_uv=block.data_uv[kept])
        ]

    return inject


class Held:
    """Hold blocks until each is `by_s` old, or as long as `until()` is false."""

    def __init__(self, by_s=0.0, until=lambda: True):
        self._by_s, self._until, self._kept = by_s, until, []

    def __call__(self, block, now_s):
        self._kept.append((now_s, block))
        if not self._until():
            return []
        due = [b for since_s, b in self._kept if now_s - since_s >= self._by_s]
        self._kept = self._kept[len(due) :]
        return due


class Bursts:
    """Gather blocks and send them at once; all with the stamp of the last one."""

    def __init__(self, every_s=0.2):
        self._every_s, self._kept = every_s, []

    def __call__(self, block, _now_s):
        self._kept.append(block)
        if len(self._kept) * CHUNK_S < self._every_s:
            return []
        taken_s = np.concatenate([b.taken_s for b in self._kept])
        data_uv = np.concatenate([b.data_uv for b in self._kept])
        self._kept = []
        return [Block(taken_s, data_uv, block.stamp_s, same_stamp=True)]


# Injectors of triggers: volume -> volumes


def no_volume(_volume):
    """Let the trigger be missing."""
    return []


def once(injector):
    """Let it happen to the next trigger only."""
    done = []

    def inject(volume):
        if done:
            return [volume]
        done.append(True)
        return injector(volume)

    return inject


def doubled(volume, by_s=0.15):
    """Send it twice."""
    return [volume, Volume(volume.stamp_s + by_s, volume.sent_s + by_s)]


def early(by_s):
    """Stamp it too early."""
    return lambda volume: [replace(volume, stamp_s=volume.stamp_s - by_s)]


def sent_late(by_s):
    """Send it late, with the right stamp."""
    return lambda volume: [replace(volume, sent_s=volume.sent_s + by_s)]


class Sender:
    """Sends known EEG as NAME-eeg and volume triggers as NAME-markers, in a thread.

    Parameters
    ----------
    rate_hz : by which samples are really taken; the stream says 250.
    before_s : of EEG that was taken before now, and is held back by an injector.
    unit : of the stream; "" says nothing. Values follow it.
    without, called : channels that are not sent; other names of some.
    """

    def __init__(
        self, name, *, rate_hz=RATE_HZ, before_s=0.0, unit="uV", eeg=(), scale=1.0,
        without=(), called=None,
    ):  # fmt: skip
        samples_uv([0.0])  # made before anybody waits
        self.name, self.unit, self.scale = name, unit, scale
        self.eeg, self.triggers = list(eeg), []
        self.lock = threading.Lock()
        self._rate_hz = rate_hz
        self._columns = [n for n, c in enumerate(CHANNELS) if c not in without]
        self._called = called or {}
        self._stop = threading.Event()
        self.open_eeg()
        self._markers = open_marker_outlet(f"{name}-markers", simulated=True)
        self.opened_s = pylsl.local_clock()
        self.start_s = self.opened_s - before_s
        self._n, self._queue = 0, []
        self._volume = int(np.ceil((before_s + FIRST_VOLUME_S) / TR_S))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def open_eeg(self, *, rate_hz=RATE_HZ, order=1, **more):
        """Open the outlet; a restarted program comes back with another source id."""
        self.nominal_hz = rate_hz
        self._sent = self._columns[::order]
        labels = [CHANNELS[n] for n in self._sent]
        settings = EegOutletSettings(
            f"{self.name}-eeg",
            tuple(Channel(self._called.get(c, c), self.unit) for c in labels),
            rate_hz,
            simulated=True,
            **more,
        )
        self._eeg = open_eeg_outlet(settings)

    def heard(self):
        """Return whether somebody listens to the EEG."""
        return self._eeg is not None and self._eeg._outlet.have_consumers()

    def take_down(self):
        with self.lock:
            self._eeg = None

    def bring_back(self, **how):
        with self.lock:
            if "rate_hz" in how:
                taken_s = self._n / self._rate_hz
                self._rate_hz = how["rate_hz"]
                self._n = round(taken_s * self._rate_hz)
            self.open_eeg(**how)
        return pylsl.local_clock()

    def since_start(self, t_lsl_s):
        return t_lsl_s - self.start_s

    def _run(self):
        while not self._stop.wait(CHUNK_S):
            now_s = pylsl.local_clock()
            with self.lock:
                self._send_eeg(now_s)
                self._send_triggers(now_s)

    def _send_eeg(self, now_s):
        end = int((now_s - self.start_s) * self._rate_hz)
        chunk_n = round(CHUNK_S * self._rate_hz)
        while end - self._n >= chunk_n:
            taken_s = np.arange(self._n, self._n + chunk_n) / self._rate_hz
            self._n += chunk_n
            stamp_s = self.start_s + taken_s[-1]
            blocks = [Block(taken_s, samples_uv(taken_s), stamp_s)]
            for injector in self.eeg:
                blocks = [b for block in blocks for b in injector(block, now_s)]
            for block in blocks:
                self._push(block)

    def _push(self, block):
        if self._eeg is None or not block.n:
            return
        samples = np.ascontiguousarray(self.scale * block.data_uv[:, self._sent])
        samples = samples.astype(np.float32)
        stamp = [block.stamp_s] * block.n if block.same_stamp else block.stamp_s
        self._eeg.push_block(samples, stamp)

    def _send_triggers(self, now_s):
        onset_s = self.start_s + FIRST_VOLUME_S + self._volume * TR_S
        if now_s >= onset_s:
            self._volume += 1
            volumes = [Volume(onset_s, now_s)]
            for injector in self.triggers:
                volumes = [v for volume in volumes for v in injector(volume)]
            self._queue += volumes
        due = [v for v in self._queue if v.sent_s <= now_s]
        self._queue = [v for v in self._queue if v.sent_s > now_s]
        for volume in due:
            self._markers.push_event(("R128",), volume.stamp_s)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self._eeg = self._markers = None
