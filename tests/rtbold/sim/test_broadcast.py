import threading

import numpy as np
import pytest

from rtbold.clock import HandCrankedClock
from rtbold.sim import outlets as module
from rtbold.sim.outlets import (
    MARKERS_WAIT_S,
    BroadcastSettings,
    TwinOutlets,
    bold_events,
    broadcast,
)
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import simulate, simulate_base


class Sink:
    def __init__(self, clock, listeners=True):
        self.clock, self.listeners = clock, listeners
        self.blocks, self.events = [], []

    def push_block(self, samples, t_last_s):
        self.blocks.append((samples, t_last_s))

    def push_event(self, values, t_s):
        self.events.append((values, t_s, self.clock.now_s()))

    def wait_for_consumers(self, timeout_s):
        self.clock.advance(timeout_s)
        return self.listeners


@pytest.fixture
def settings():
    return TwinSettings(
        seed=1000, duration_s=20.0, rate_hz=500.0, sample_index_channel=True
    )


def on_air(monkeypatch, settings, *, listeners=True, to_markers=True, wait_s=0.0):
    clock = HandCrankedClock(50.0)
    sinks = TwinOutlets(
        eeg=Sink(clock, listeners), markers=Sink(clock, to_markers), bold=Sink(clock)
    )
    monkeypatch.setattr(module, "open_outlets", lambda *_: sinks)
    said = []
    report = broadcast(
        simulate_base(settings),
        BroadcastSettings(wait_for_consumers_s=wait_s),
        clock=clock,
        stop=threading.Event(),
        say=said.append,
    )
    return sinks, said, report


def test_what_goes_out_is_the_session(monkeypatch, settings):
    sinks, _, report = on_air(monkeypatch, settings)
    whole = simulate(settings)
    sent = np.concatenate([block for block, _ in sinks.eeg.blocks]).T
    np.testing.assert_array_equal(sent, whole.eeg_uv)
    np.testing.assert_array_equal(sent[-1], np.arange(20 * 500))
    assert report.n_samples == 20 * 500


def test_triggers_are_stamped_at_the_onsets(monkeypatch, settings):
    sinks, _, _ = on_air(monkeypatch, settings)
    start_s = sinks.eeg.blocks[0][1] - (len(sinks.eeg.blocks[0][0]) - 1) / 500
    onsets_s = simulate_base(settings).volume_onsets_s
    assert {values for values, *_ in sinks.markers.events} == {("R128",)}
    np.testing.assert_allclose(
        [t_s for _, t_s, _ in sinks.markers.events], start_s + onsets_s
    )


def test_a_volume_is_stamped_at_its_onset_and_sent_one_tr_later(monkeypatch, settings):
    sinks, _, _ = on_air(monkeypatch, settings)
    recording = simulate_base(settings)
    exported = recording.volume_onsets_s + 2.1 <= 20.0
    assert len(sinks.bold.events) == exported.sum()
    for k, (values, stamp_s, sent_s) in enumerate(sinks.bold.events):
        assert values == (k, *recording.bold[k])
        assert sent_s - stamp_s == pytest.approx(2.1)


def test_bold_events_count_volumes_from_zero(settings):
    events = bold_events(simulate_base(settings))
    assert [event.values[0] for event in events] == list(range(len(events)))
    assert {len(event.values) for event in events} == {65}


def test_nobody_listening_is_said_and_it_plays_all_the_same(monkeypatch, settings):
    _, said, report = on_air(monkeypatch, settings, listeners=False, wait_s=3.0)
    assert any("nobody listens" in text for text in said)
    assert report.n_samples == 20 * 500


def test_the_first_triggers_wait_for_a_listener_of_the_markers(monkeypatch, settings):
    sinks, said, _ = on_air(monkeypatch, settings, to_markers=False, wait_s=3.0)
    assert "nobody listens to the markers" in said[-1]
    first_s = sinks.eeg.blocks[0][1]
    assert first_s > 50.0 + MARKERS_WAIT_S
    sinks, said, _ = on_air(monkeypatch, settings, wait_s=3.0)
    assert sinks.eeg.blocks[0][1] < first_s - MARKERS_WAIT_S / 2
    assert len(said) == 1


def test_what_is_on_the_air_is_called_simulated(monkeypatch, settings):
    _, said, _ = on_air(monkeypatch, settings, wait_s=1.0)
    assert len(said) == 1
    assert "simulated" in said[0]
