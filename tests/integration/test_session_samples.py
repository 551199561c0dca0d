"""Real LSL, five rates at once: each prediction used exactly the samples it names.

The twin's spare channel carries the index of each sample, so a sample has a name from
its sender to the model.
"""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from bundles import CHANNELS, ROIS, tiny_card
from loop import PATIENCE_S, new_name, twin

from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
from rtbold.acquire.streams import LslClock, StreamQuery
from rtbold.acquire.triggers import TriggerStream
from rtbold.condition.conditioner import Conditioner
from rtbold.messages import ClockOffset, EegChunk, Marker, TimePassed
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
RATES_HZ = (200, 250, 500, 1000, 5000)
SECONDS = 27.0  # the last of volumes 0 to 11 is at 24.1 s
TR_S = 2.1
AT_ONCE_S = 1e-6  # stamps are float64 sums; no sample is this close to a trigger


class KeepsWindows:
    def __init__(self):
        self.windows = []

    def __call__(self, eeg_uv):
        self.windows.append(eeg_uv[0].copy())
        return np.zeros((1, len(ROIS)), np.float32)


@dataclass
class Heard:
    """What one session saw and said."""

    pipeline: Pipeline
    model: KeepsWindows
    chunks: list = field(default_factory=list)
    markers: list = field(default_factory=list)
    offsets: list = field(default_factory=list)
    predictions: list = field(default_factory=list)

    @property
    def data_uv(self):
        return np.concatenate([c.data_uv for c in self.chunks], axis=1)

    @property
    def stamps_s(self):
        return np.concatenate([c.t_lsl_s for c in self.chunks])

    @property
    def volumes(self):
        return [p for p in self.predictions if p.tick.volume_index is not None]

    @property
    def usable(self):
        return [p for p in self.predictions if p.values is not None]

    def take(self, event):
        if isinstance(event, EegChunk):
            self.chunks.append(event)
        elif isinstance(event, Marker):
            self.markers.append(event)
        elif isinstance(event, ClockOffset):
            if event.stream == "marker":
                return  # as the session does where EEG and markers share a host
            self.offsets.append(event.offset_s)
        self.predictions += self.pipeline.push(event)


def listen(rate_hz, ready):
    """Run one twin and one session on it until its 12th volume is answered."""
    name, clock, model = new_name("exact"), LslClock(), KeepsWindows()
    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=TR_S))
    heard = Heard(Pipeline(tiny_card(), model, settings), model)
    acquisition = Acquisition(
        AcquisitionSettings(
            query=StreamQuery(name=f"{name}-eeg"),
            trigger=TriggerStream(StreamQuery(name=f"{name}-markers"), "R128"),
            wait_s=PATIENCE_S,
        )
    )
    sender = twin(
        name, duration_s=SECONDS, rate=rate_hz, level="easy", sample_index=True
    )
    with sender, contextlib.closing(acquisition):
        acquisition.start()
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait(PATIENCE_S)
        due_s = clock.now_s()
        end_s = time.monotonic() + SECONDS + PATIENCE_S
        while len(heard.volumes) < 12 and time.monotonic() < end_s:
            for event in acquisition.events(max(due_s - clock.now_s(), 0.0)):
                heard.take(event)
            if clock.now_s() >= due_s:
                heard.take(TimePassed(clock.now_s()))
                due_s += 0.05
    return heard


@pytest.fixture(scope="module")
def sessions():
    ready = threading.Barrier(len(RATES_HZ))
    with ThreadPoolExecutor(len(RATES_HZ)) as pool:
        yield {rate_hz: pool.submit(listen, rate_hz, ready) for rate_hz in RATES_HZ}


@pytest.fixture(params=RATES_HZ)
def rate_hz(request):
    return request.param


@pytest.fixture
def heard(sessions, rate_hz):
    return sessions[rate_hz].result(SECONDS + 3 * PATIENCE_S)


def sent_numbers(heard):
    """Return the twin's number of each received sample, from its spare channel."""
    labels = [c.label for c in heard.pipeline.intake.description.channels]
    return heard.data_uv[labels.index("SAMPLE_INDEX")].astype(np.int64)


def trigger_of(prediction, heard):
    """Return the twin's own stamp of the prediction's volume."""
    return heard.markers[prediction.tick.volume_index].t_lsl_s


def test_every_sample_came_once_with_the_stamp_of_its_number(heard, rate_hz):
    numbers = sent_numbers(heard)
    np.testing.assert_array_equal(np.diff(numbers), 1)
    first_s = heard.stamps_s[0] - numbers[0] / rate_hz
    np.testing.assert_allclose(
        heard.stamps_s, first_s + numbers / rate_hz, rtol=0, atol=AT_ONCE_S
    )
    assert heard.pipeline.counters.n_gaps == 0
    assert heard.pipeline.counters.n_stamp_steps == 0


def test_no_volume_is_missed_or_doubled(heard):
    assert [p.tick.volume_index for p in heard.volumes] == list(range(12))
    assert all(p.tick.trigger_locked for p in heard.volumes)
    onsets_s = np.array([m.t_lsl_s for m in heard.markers[:12]])
    np.testing.assert_allclose(np.diff(onsets_s), TR_S, rtol=0, atol=AT_ONCE_S)
    local_s = [p.tick.t_trigger_s for p in heard.volumes]
    # corrected to this machine's clock, which is the sender's own here
    assert max(map(abs, heard.offsets)) < 0.001
    np.testing.assert_allclose(local_s, onsets_s, rtol=0, atol=0.001)
    assert len(heard.usable) >= 3
    assert {p.status for p in heard.usable} == {"ok"}


def test_source_indices_name_the_samples_before_the_trigger(heard, rate_hz):
    numbers = sent_numbers(heard)
    first_s = heard.stamps_s[0] - numbers[0] / rate_hz
    for prediction in heard.usable:
        named = numbers[prediction.source_first : prediction.source_end]
        sent_s = first_s + np.arange(numbers[-1] + 1) / rate_hz
        end_s = trigger_of(prediction, heard)
        inside = np.flatnonzero((sent_s >= end_s - 16.0) & (sent_s < end_s))
        np.testing.assert_array_equal(named, inside)
        assert len(named) == 16 * rate_hz


def test_the_model_saw_those_samples_and_no_others(heard, rate_hz):
    """The window is the twin's own samples, conditioned at once and cut by stamp."""
    fit = heard.pipeline.intake.fit
    conditioner = Conditioner(rate_hz, len(fit.rows), heard.pipeline._card.conditioning)
    whole = conditioner(heard.data_uv[fit.rows])
    place = [conditioner.resampler.source_position(m) for m in range(whole.shape[1])]
    times_s = heard.stamps_s[0] + np.array(place) / rate_hz
    matrix = fit.spatial.matrix(frozenset()).matrix
    assert len(heard.model.windows) == len(heard.usable)
    for prediction, window in zip(heard.usable, heard.model.windows, strict=True):
        end_s = trigger_of(prediction, heard)
        inside = (times_s >= end_s - 16.0) & (times_s < end_s)
        assert inside.sum() == 3200
        expected = matrix @ whole[:, inside].astype(np.float64)
        expected -= expected.mean(axis=1, keepdims=True)
        assert window.shape == (len(CHANNELS), 3200)
        np.testing.assert_allclose(window, expected, rtol=0, atol=1e-3)
        # one sample to either side is another window altogether
        assert np.abs(window[:, 1:] - expected[:, :-1]).max() > 1.0
