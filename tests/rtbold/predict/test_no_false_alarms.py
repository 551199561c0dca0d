"""A stream that is as it should be stays ok, however a network hands it over.

A session that is degraded for nothing loses its hour. Hand-cranked: chunks of 20 to
400 ms, arrivals that vary, stamps that vary, are rounded, or are one for a whole chunk,
and clocks that drift.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from pipeline_rig import T0_S, card, eeg, in_order, passing, stream

from rtbold.messages import EegChunk, Marker, StreamChanged
from rtbold.predict.pipeline import FILTERS_BEGIN_S, Pipeline, PipelineSettings
from rtbold.predict.status import QualitySettings
from rtbold.window.schedule import ScheduleSettings

pytestmark = pytest.mark.heavy
CHANNELS = ("FZ", "CZ", "PZ")
BEGUN_S = 22.0
JITTER_S = 0.004


@dataclass(frozen=True)
class Way:
    """How samples come."""

    rate_hz: int
    chunk_s: float
    stamps: str
    drift: float
    tr_s: float
    seconds: float = 60.0


def stamps_of(way, taken_s, rng):
    n = len(taken_s)
    late_s = abs(rng.normal(0, JITTER_S))
    match way.stamps:
        case "smooth":
            return taken_s
        case "vary":
            return taken_s + rng.uniform(-JITTER_S, JITTER_S, n)
        case "counted back":
            return taken_s[-1] + late_s - np.arange(n - 1, -1, -1) / way.rate_hz
        case "1 ms":
            return np.floor(taken_s * 1000) / 1000
        case "10 ms":
            return np.floor(taken_s * 100) / 100
        case "one a chunk":
            return np.full(n, taken_s[-1])
        case "one a chunk, varies":
            return np.full(n, taken_s[-1] + late_s)


def chunks(way):
    rng = np.random.default_rng(4)
    data_uv = eeg(way.rate_hz, way.seconds, n_channels=len(CHANNELS))
    taken_s = T0_S + np.arange(data_uv.shape[1]) / (way.rate_hz * (1 + way.drift))
    n, arrived_s = round(way.chunk_s * way.rate_hz), 0.0
    for first in range(0, len(taken_s) - n + 1, n):
        chunk_s = taken_s[first : first + n]
        stamps_s = stamps_of(way, chunk_s, rng)
        by_s = min(0.003 + rng.exponential(0.02), 0.09)
        arrived_s = max(arrived_s, chunk_s[-1] + by_s, stamps_s[-1])
        yield EegChunk(data_uv[:, first : first + n], stamps_s, arrived_s, first)


def silent(window_uv):
    return np.zeros((len(window_uv), 2), np.float32)


@pytest.mark.parametrize(
    "way",
    [
        Way(250, 0.4, "one a chunk", 0.0, 0.5),
        Way(256, 0.25, "one a chunk, varies", 1e-3, 0.8),
        Way(512, 0.3, "one a chunk, varies", -1e-3, 0.5, 45.0),
        Way(250, 0.4, "counted back", 1e-3, 0.5),
        Way(512, 0.25, "counted back", -1e-3, 0.5, 60.0),
        Way(200, 0.1, "vary", 1e-3, 2.1, 50.0),
        Way(500, 0.02, "vary", -3e-4, 3.0, 34.0),
        Way(256, 0.1, "1 ms", 1e-4, 1.0, 40.0),
        Way(2048, 0.4, "1 ms", 1e-3, 0.5, 35.0),
        Way(1000, 0.2, "10 ms", -1e-3, 0.5, 40.0),
        Way(5000, 0.2, "10 ms", 1e-3, 0.5, 30.0),
        Way(500, 0.4, "smooth", 1e-3, 0.5, 40.0),
    ],
    ids=lambda way: f"{way.rate_hz} Hz, {way.stamps}",
)
def test_a_stream_that_is_as_it_should_be_is_ok(way):
    settings = PipelineSettings(
        schedule=ScheduleSettings(tr_s=way.tr_s, mode="trigger"),
        quality=QualitySettings(filters_begin_s=FILTERS_BEGIN_S),
    )
    pipe = Pipeline(card(channels=CHANNELS, tr_s=way.tr_s), silent, settings)
    onsets_s = T0_S + np.arange(1.0, way.seconds, way.tr_s)
    triggers = [Marker("R128", float(t_s), float(t_s) + 0.003) for t_s in onsets_s]
    pipe.push(StreamChanged(stream(way.rate_hz, CHANNELS)))
    events = in_order(chunks(way), triggers, passing(way.seconds, every_s=0.25))
    made = [p for event in events for p in pipe.push(event)]
    begun = [p for p in made if BEGUN_S < p.t_end_s - T0_S < way.seconds - 2.0]
    assert len(begun) >= 3
    assert [(p.status, p.reasons) for p in begun if p.status != "ok"] == []
