import threading
import uuid

import numpy as np
import pylsl
import pytest

from rtbold.acquire.streams import LslClock
from rtbold.clock import HandCrankedClock
from rtbold.errors import ConfigError, StreamMismatch, StreamNotFound
from rtbold.messages import Channel, StreamDescription
from rtbold.preflight.delay import DelayRequest, common_channels, measure_delay

RATE_HZ = 250
DELAY_S = 0.08


def described(*labels):
    return StreamDescription(
        "s", "EEG", 250.0, tuple(Channel(label) for label in labels)
    )


def test_channels_are_matched_by_name_whatever_their_order_or_prefix():
    pairs = common_channels(
        described("Fp1", "Cz", "T3"), described("EEG T7", "Oz", "EEG FP1-REF")
    )
    assert pairs == [(0, 2), (2, 0)]


def test_streams_of_other_caps_are_refused():
    with pytest.raises(StreamMismatch, match="1 EEG channels in common"):
        common_channels(described("Cz", "Pz"), described("Cz", "Oz"))


@pytest.mark.parametrize(
    "request_", [DelayRequest("a", None), DelayRequest(None, None, trigger_stream="t")]
)
def test_one_stream_alone_is_no_measurement(request_):
    with pytest.raises(ConfigError, match="--raw and --cleaned"):
        measure_delay(request_, HandCrankedClock())


def eeg_outlet(name, labels):
    info = pylsl.StreamInfo(name, "EEG", len(labels), RATE_HZ, "float32", name)
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    return pylsl.StreamOutlet(info)


class Sender(threading.Thread):
    """Sends what `chunk(first, n)` makes, every 40 ms, stamped from one start."""

    def __init__(self, send):
        super().__init__()
        self._send = send
        self._stop_asked = threading.Event()

    def run(self):
        start_s, n, step = pylsl.local_clock(), 0, RATE_HZ // 25
        while not self._stop_asked.wait(0.04):
            self._send(n, step, start_s + (n + step - 1) / RATE_HZ)
            n += step

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stop_asked.set()
        self.join()


@pytest.mark.integration
def test_a_delay_between_two_streams_is_measured(monkeypatch):
    monkeypatch.setattr("rtbold.preflight.delay.BLOCK_S", 0.8)
    mark, rng, seen = uuid.uuid4().hex, np.random.default_rng(0), []
    names = f"raw-{mark}", f"cleaned-{mark}"
    raw = eeg_outlet(names[0], ["C3", "C4"])
    cleaned = eeg_outlet(names[1], ["C4", "C3"])

    def send(_, n, last_s):
        new = (rng.normal(size=(n, 2)) * 20).astype(np.float32)
        raw.push_chunk(new.tolist(), last_s)
        cleaned.push_chunk(new[:, ::-1].tolist(), last_s + DELAY_S)

    with Sender(send):
        found = measure_delay(
            DelayRequest(*names, seconds=5.5, max_lag_s=0.2), LslClock(), seen.append
        )
    assert found.delay_s == pytest.approx(DELAY_S, abs=3e-3)
    assert found.correlation > 0.9
    assert seen == sorted(seen)


@pytest.mark.integration
def test_the_delay_of_an_onset_after_its_trigger_is_measured():
    mark, rng = uuid.uuid4().hex, np.random.default_rng(0)
    eeg = eeg_outlet(f"eeg-{mark}", ["C3", "C4"])
    info = pylsl.StreamInfo(f"mrk-{mark}", "Markers", 1, 0, "string", f"mrk-{mark}")
    markers = pylsl.StreamOutlet(info)
    onset = 2 * RATE_HZ

    def send(first, n, last_s):
        loud = np.arange(first, first + n) >= onset + round(DELAY_S * RATE_HZ)
        new = rng.normal(size=(n, 2)) * np.where(loud, 2000, 10)[:, None]
        eeg.push_chunk(new.astype(np.float32).tolist(), last_s)
        if first <= onset < first + n:
            markers.push_sample(["R128"], last_s - (first + n - 1 - onset) / RATE_HZ)

    with Sender(send):
        found = measure_delay(
            DelayRequest(
                f"eeg-{mark}", None, trigger_stream=f"mrk-{mark}", seconds=4.0,
                max_lag_s=0.5,
            ),
            LslClock(),
        )  # fmt: skip
    assert found.delay_s == pytest.approx(DELAY_S, abs=1.5 / RATE_HZ)
    assert (found.n_used, found.iqr_s) == (1, None)


@pytest.mark.integration
def test_a_stream_that_is_not_there_is_named():
    with pytest.raises(StreamNotFound, match="nobody-sends-this"):
        measure_delay(
            DelayRequest("nobody-sends-this", "nor-this", wait_s=0.3), LslClock()
        )
