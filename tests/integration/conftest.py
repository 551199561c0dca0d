"""An EEG sender whose every value is known, and acquisitions that are always closed."""

import threading
import uuid

import numpy as np
import pylsl
import pytest
from together import together  # noqa: F401 (a fixture)

from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
from rtbold.acquire.streams import StreamQuery

RATE_HZ = 1000
CHANNELS = (("Cz", "EEG", "uV"), ("Pz", "EEG", "V"), ("IDX", "Misc", ""))


class Sender:
    """Sends `above` + sample number on all channels, stamped start + number / rate."""

    def __init__(
        self,
        name,
        *,
        channels=CHANNELS,
        rate_hz=RATE_HZ,
        epoch_s=None,
        order=1,
        source_id=None,
        above=0,
    ):
        self.channels = channels = channels[::order]
        self._above = above
        source_id = uuid.uuid4().hex if source_id is None else source_id
        info = pylsl.StreamInfo(
            name, "EEG", len(channels), rate_hz, "double64", source_id
        )
        nodes = info.desc().append_child("channels")
        for label, kind, unit in channels:
            node = nodes.append_child("channel")
            node.append_child_value("label", label)
            node.append_child_value("type", kind)
            node.append_child_value("unit", unit)
        self.outlet = pylsl.StreamOutlet(info)
        self.source_id = info.source_id()
        self.rate_hz = rate_hz
        self.start_s = pylsl.local_clock()
        self.epoch_s = self.start_s if epoch_s is None else epoch_s
        self.paused = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        if rate_hz:
            self._thread.start()

    def _send(self):
        n, size = 0, 20
        while not self._stop.wait(
            max(0.0, self.start_s + (n + size) / self.rate_hz - pylsl.local_clock())
        ):
            numbers = np.arange(n, n + size, dtype=float) + self._above
            n += size
            if not self.paused.is_set():
                values = np.repeat(numbers[:, None], len(self.channels), axis=1)
                last_s = self.epoch_s + (n - 1) / self.rate_hz
                self.outlet.push_chunk(values, timestamp=last_s)

    def close(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.outlet = None


@pytest.fixture
def name():
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def send():
    senders = []

    def start(name, **options):
        senders.append(Sender(name, **options))
        return senders[-1]

    yield start
    for sender in senders:
        sender.close()


@pytest.fixture
def acquire():
    running = []

    def start(name, **settings):
        acquisition = Acquisition(
            AcquisitionSettings(query=StreamQuery(name=name), **settings)
        )
        running.append(acquisition)
        acquisition.start()
        return acquisition

    yield start
    for acquisition in running:
        acquisition.close()
