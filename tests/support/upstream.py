"""An amplifier and a scanner in a thread, which can be made to fail."""

import threading

import numpy as np
import pylsl
from bundles import CHANNELS

from rtbold.messages import Channel
from rtbold.sim.outlets import (
    EegOutletSettings,
    open_eeg_outlet,
    open_marker_outlet,
)

RATE_HZ = 250
CHUNK_N = 5  # 20 ms
TR_S = 2.1
FIRST_VOLUME_S = 1.0025
NOISE_UV = 15.0


class Upstream:
    """Sends EEG-sized noise as NAME-eeg and volume triggers as NAME-markers.

    What is not sent while a flag is down is lost, as from a cable that is out.
    """

    def __init__(self, name):
        self.name = name
        self.eeg_flows = threading.Event()
        self.triggers_flow = threading.Event()
        self.eeg_flows.set()
        self.triggers_flow.set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._eeg = self._open_eeg()
        self._markers = open_marker_outlet(f"{name}-markers", simulated=True)
        rng = np.random.default_rng(3)
        self._noise_uv = NOISE_UV * rng.standard_normal((4000, len(CHANNELS)))
        self._noise_uv = self._noise_uv.astype(np.float32)
        self.start_s = pylsl.local_clock()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _open_eeg(self):
        return open_eeg_outlet(
            EegOutletSettings(
                name=f"{self.name}-eeg",
                channels=tuple(Channel(label, "uV") for label in CHANNELS),
                rate_hz=RATE_HZ,
                simulated=True,
            )
        )

    def take_eeg_down(self):
        with self._lock:
            self._eeg = None

    def bring_eeg_back(self):
        """Come back as another stream of that name, as a restarted program does."""
        with self._lock:
            self._eeg = self._open_eeg()
        return pylsl.local_clock()

    def _send(self):
        n, volume = 0, 0
        while not self._stop.wait(
            max(self.start_s + (n + CHUNK_N) / RATE_HZ - pylsl.local_clock(), 0.0)
        ):
            first = n % len(self._noise_uv)
            n += CHUNK_N
            with self._lock:
                if self._eeg is not None and self.eeg_flows.is_set():
                    samples = self._noise_uv[first : first + CHUNK_N]
                    self._eeg.push_block(samples, self.start_s + (n - 1) / RATE_HZ)
            onset_s = self.start_s + FIRST_VOLUME_S + volume * TR_S
            if self.start_s + n / RATE_HZ > onset_s:
                volume += 1
                if self.triggers_flow.is_set():
                    self._markers.push_event(("R128",), onset_s)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self._eeg = self._markers = None
