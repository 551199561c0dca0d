"""An amplifier and a scanner in a thread, which can be made to fail."""

import threading

import numpy as np
import pylsl
from bundles import CHANNELS

from rtbold.messages import Channel
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet, open_marker_outlet

RATE_HZ = 250
CHUNK_S = 0.02
TR_S = 2.1
FIRST_VOLUME_S = 1.0025
NOISE_UV = np.linspace(8.0, 30.0, len(CHANNELS))  # per channel, so that each is known
N_NOISE = 4000


class Upstream:
    """Sends EEG-sized noise as NAME-eeg and volume triggers as NAME-markers.

    What is not sent while a flag is down is lost, as from a cable that is out.

    Parameters
    ----------
    epoch_s : added to the stamps of the EEG: another clock than LSL's.
    drop_every : one sample of so many is never sent.
    source_id : of the EEG; empty: another one each time.
    gain : of the noise, by which another head's is known.
    """

    def __init__(self, name, *, epoch_s=0.0, drop_every=0, source_id="", gain=1.0):
        self.name = name
        self._source_id = source_id
        self.eeg_flows = threading.Event()
        self.triggers_flow = threading.Event()
        self.eeg_flows.set()
        self.triggers_flow.set()
        self.flat = frozenset()  # labels
        self.nonfinite = frozenset()
        self._epoch_s = epoch_s
        self._drop_every = drop_every
        self._stop = threading.Event()
        self._lock = threading.Lock()
        noise_uv = np.random.default_rng(3).standard_normal((N_NOISE, len(CHANNELS)))
        self._noise_uv = (gain * NOISE_UV * noise_uv).astype(np.float32)
        self._open_eeg(RATE_HZ, order=1)
        self._markers = open_marker_outlet(f"{name}-markers", simulated=True)
        self.start_s = pylsl.local_clock()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _open_eeg(self, rate_hz, *, order):
        self._rate_hz, self._order = rate_hz, order
        self._eeg = open_eeg_outlet(
            EegOutletSettings(
                name=f"{self.name}-eeg",
                channels=tuple(Channel(label, "uV") for label in CHANNELS[::order]),
                rate_hz=rate_hz,
                simulated=True,
                source_id=self._source_id,
            )
        )

    def take_eeg_down(self):
        with self._lock:
            self._eeg = None

    def bring_eeg_back(self, *, rate_hz=RATE_HZ, order=1):
        """Come back as another stream of that name, as a restarted program does."""
        with self._lock:
            self._open_eeg(rate_hz, order=order)
        return pylsl.local_clock()

    def _send(self):
        k, volume = 0, 0
        while not self._stop.wait(
            max(self.start_s + (k + 1) * CHUNK_S - pylsl.local_clock(), 0.0)
        ):
            with self._lock:
                if self._eeg is not None and self.eeg_flows.is_set():
                    self._send_chunk(k)
            k += 1
            onset_s = self.start_s + FIRST_VOLUME_S + volume * TR_S
            if self.start_s + k * CHUNK_S > onset_s:
                volume += 1
                if self.triggers_flow.is_set():
                    self._markers.push_event(("R128",), onset_s)

    def _send_chunk(self, k):
        n = round(CHUNK_S * self._rate_hz)
        numbers = np.arange(k * n, (k + 1) * n)
        samples = self._noise_uv[numbers % N_NOISE]
        for labels, value in ((self.flat, 0.0), (self.nonfinite, np.nan)):
            samples[:, [CHANNELS.index(label) for label in labels]] = value
        if self._drop_every:
            kept = numbers % self._drop_every != 0
            numbers, samples = numbers[kept], samples[kept]
        last_s = self._epoch_s + self.start_s + numbers[-1] / self._rate_hz
        samples = np.ascontiguousarray(samples[:, :: self._order])
        self._eeg.push_block(samples, last_s)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self._eeg = self._markers = None
