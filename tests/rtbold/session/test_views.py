import json
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.messages import Discontinuity, EegChunk, Marker, StreamChanged
from rtbold.preflight.stream_checks import channel_lines
from rtbold.publish.wire import encode, unpack_samples
from rtbold.record.folder import SessionPaths
from rtbold.record.parts import RecorderState
from rtbold.session.views import Outages, StreamFacts, Views, recording_part

RATE_HZ = 250.0
FACTS = StreamFacts(
    state="running", age_s=0.02, trigger_age_s=None, n_overflow_samples=0
)


@pytest.fixture
def pipe():
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(RATE_HZ)))
    return pipe


def feed(pipe, data_uv, **options):
    cuts = rig.every(RATE_HZ, data_uv.shape[1] / RATE_HZ)
    for chunk in rig.samples(data_uv, RATE_HZ, cuts, **options):
        pipe.push(chunk)


def test_eeg_comes_in_pieces_that_fit_together(pipe):
    views = Views(pipe, rig.card())
    assert views.eeg() is None
    data_uv = rig.eeg(RATE_HZ, 4.0)
    half = round(2 * RATE_HZ)
    feed(pipe, data_uv[:, :half])
    first = views.eeg()
    feed(pipe, data_uv[:, half:], t0_s=rig.T0_S + 2.0, index0=half)
    second = views.eeg()
    assert views.eeg() is None
    assert (first.sample_index, second.sample_index) == (0, first.n_samples)
    assert second.t_first == pytest.approx(first.t_first + first.n_samples / 200)
    samples_uv = np.concatenate([unpack_samples(first), unpack_samples(second)], axis=1)
    assert samples_uv.shape[0] == len(rig.CHANNELS)
    np.testing.assert_allclose(samples_uv.mean(axis=0), 0, atol=1e-4)  # average ref.


def test_bands_need_four_seconds_and_find_alpha(pipe):
    views = Views(pipe, rig.card())
    data_uv = rig.eeg(RATE_HZ, 8.0)
    t_s = np.arange(data_uv.shape[1]) / RATE_HZ
    data_uv[3] += (30 * np.sin(2 * np.pi * 10 * t_s)).astype(np.float32)
    feed(pipe, data_uv[:, : round(2 * RATE_HZ)])
    assert views.bands() is None
    begin = round(2 * RATE_HZ)
    feed(pipe, data_uv[:, begin:], t0_s=rig.T0_S + 2.0, index0=begin)
    bands = views.bands()
    alpha = bands.power_uv2[bands.bands.index("alpha")]
    assert len(alpha) == len(rig.CHANNELS)
    assert alpha[3] == max(alpha)
    assert alpha[3] > 100
    assert bands.t_end - bands.t_start == 4.0


def test_quality_names_a_flat_channel_and_a_missing_stream():
    pipe = rig.pipeline()
    views = Views(pipe, rig.card())
    before = views.quality(FACTS)
    assert {part.state for part in before.channels} == {"missing"}
    assert before.rate_hz_nominal is None
    pipe.push(StreamChanged(rig.stream(RATE_HZ)))
    data_uv = rig.eeg(RATE_HZ, 4.0)
    data_uv[1] = 7.0
    feed(pipe, data_uv)
    states = {part.label: part.state for part in views.quality(FACTS).channels}
    assert states["CZ"] == "flat"
    assert {s for name, s in states.items() if name != "CZ"} == {"good"}


def test_quality_and_preflight_have_one_word_for_a_railed_channel(pipe):
    data_uv = rig.eeg(RATE_HZ, 4.0)
    data_uv[1] = 5000.0  # at the rail, so it does not vary either
    feed(pipe, data_uv)
    parts = Views(pipe, rig.card()).quality(FACTS).channels
    heard = pipe.intake.monitor.report()
    lines = channel_lines(rig.card(), rig.stream(RATE_HZ), heard)
    assert {part.label: part.state for part in parts}["CZ"] == "railed"
    assert [part.state for part in parts] == [line.state for line in lines]


def test_quality_tells_how_late_triggers_come_and_what_was_lost(pipe):
    views = Views(pipe, rig.card())
    before = json.loads(encode(views.quality(FACTS)))
    new = {"trigger_lag_ms", "n_triggers_implausible", "n_overflow_samples"}
    assert not new & set(before)  # nothing to say
    pipe.push(Marker("R128", rig.T0_S, rig.T0_S + 0.035))
    pipe.push(Marker("R128", rig.T0_S + 500.0, rig.T0_S + 2.0))  # cannot be
    lost = views.quality(replace(FACTS, n_overflow_samples=480))
    assert (lost.n_triggers_implausible, lost.n_overflow_samples) == (1, 480)
    pipe.push(Marker("R128", rig.T0_S + 2.1, rig.T0_S + 2.135))
    assert views.quality(FACTS).trigger_lag_ms == pytest.approx(35.0)


def test_quality_says_that_another_sender_is_read(pipe):
    views = Views(pipe, rig.card())
    facts = replace(FACTS, other_sender="EEG: source id 'b' instead of 'a'")
    assert views.quality(facts).other_sender == facts.other_sender
    assert b"other_sender" not in encode(views.quality(FACTS), "json")


def test_quality_tells_when_the_eeg_arrives(pipe):
    views = Views(pipe, rig.card())
    assert "stream_lag_ms" not in json.loads(encode(views.quality(FACTS)))
    chunks = rig.samples(
        rig.eeg(RATE_HZ, 6.0), RATE_HZ, rig.every(RATE_HZ, 6.0), delay_s=0.04
    )
    for chunk in chunks:
        pipe.push(chunk)
    told = views.quality(FACTS)
    assert told.stream_lag_ms == pytest.approx(40.0, abs=0.1)
    assert told.stream_lag_usual_ms == pytest.approx(40.0, abs=0.1)


def chunk_at(t_s, n=10):
    stamps_s = t_s - np.arange(n)[::-1] / RATE_HZ
    return EegChunk(np.zeros((1, n), np.float32), stamps_s, t_s, 0)


def test_what_is_lost_between_two_connections_is_a_gap():
    outages = Outages()
    for event in (StreamChanged(rig.stream(RATE_HZ)), chunk_at(100.0)):
        outages.take(event)
    assert outages.counted(100.5) == (0, 0.0)
    outages.take(Discontinuity("lost"))
    assert outages.counted(107.0) == (1, 7.0)  # it lasts
    outages.take(StreamChanged(rig.stream(RATE_HZ)))
    outages.take(Discontinuity("resumed"))
    outages.take(chunk_at(112.0))
    assert outages.counted(115.0) == (1, 12.0)
    outages.take(chunk_at(112.1))
    outages.take(Discontinuity("lost"))
    outages.take(chunk_at(113.1))
    n, lost_s = outages.counted(115.0)
    assert (n, lost_s) == (2, pytest.approx(12.96))  # the chunk holds some of it


def test_what_comes_late_was_not_lost():
    """A network that stood still hands over all that it held back."""
    outages = Outages()
    outages.take(StreamChanged(rig.stream(RATE_HZ)))
    outages.take(chunk_at(100.0))
    outages.take(Discontinuity("lost"))
    assert outages.counted(101.5) == (1, 1.5)  # as far as known
    outages.take(Discontinuity("resumed"))
    outages.take(chunk_at(101.5, n=round(1.5 * RATE_HZ)))
    assert outages.counted(102.0) == (1, pytest.approx(0.0, abs=1e-9))
    outages.take(Discontinuity("lost"))
    outages.take(replace(chunk_at(104.0), t_lsl_s=np.full(10, 9e9)))  # another clock
    assert outages.counted(104.0) == (2, pytest.approx(2.5))


def test_quality_counts_outages_among_the_gaps(pipe):
    views = Views(pipe, rig.card())
    assert "lost_s" not in json.loads(encode(views.quality(FACTS)))
    told = views.quality(replace(FACTS, outages=(2, 13.0)))
    assert (told.n_gaps, told.n_missing_samples, told.lost_s) == (2, 3250, 13.0)
    pipe.intake.counters.n_missing = 50
    pipe.intake.counters.n_gaps = 1
    told = views.quality(replace(FACTS, outages=(2, 13.0)))
    assert (told.n_gaps, told.n_missing_samples, told.lost_s) == (3, 3300, 13.2)


def test_quality_tells_of_the_recording_and_names_no_folder(pipe, tmp_path):
    views = Views(pipe, rig.card())
    assert recording_part(None) is None
    assert json.loads(encode(views.quality(FACTS)))["recording"] is None
    state = RecorderState("recording", 1, 12_300_000, None)
    paths = SessionPaths(tmp_path, "sub-S01_ses-01_task-nf_run-02")
    run = SimpleNamespace(state=state, paths=paths, begun_s=99.5)
    told = views.quality(replace(FACTS, recording=recording_part(run)))
    assert msgspec.to_builtins(told.recording) == {
        "state": "recording", "n_bytes": 12_300_000, "t_begun": 99.5,
        "file": "sub-S01_ses-01_task-nf_run-02_eeg.xdf",
    }  # fmt: skip
    assert str(tmp_path).encode() not in encode(told)
