"""However the samples are cut into chunks, each stage gives the same bits.

A stage is a signal (drawn, or named by its rate) and a function that feeds it to the
stage in chunks and returns all that can be seen of the outcome.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pipeline_rig as rig
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.acquire.triggers import RisingEdges
from rtbold.bundle.card import Conditioning
from rtbold.condition.channel_quality import ChannelMonitor
from rtbold.condition.clock_model import StampRuns
from rtbold.condition.conditioner import Conditioner, Resampler
from rtbold.condition.intake import Intake, IntakeCounters, IntakeSettings
from rtbold.condition.timebase import SampleClock, SampleClockSettings
from rtbold.messages import EegChunk
from rtbold.window.ring import Ring
from rtbold.window.window import Window

pytestmark = pytest.mark.heavy

TRANSPORT_S = 0.02


@dataclass(frozen=True)
class Stage:
    signals: st.SearchStrategy
    length: Callable  # of a signal, in samples
    fed: Callable  # (signal, [(first, end), ...]) -> what came out


def pieces(n, cuts=()):
    return itertools.pairwise([0, *sorted(min(cut, n) for cut in cuts), n])


def rough(rate_hz, seconds=1.5):
    """Steps, a long transient, electrode offsets, samples that are no number."""
    random = np.random.default_rng(0)
    n = int(rate_hz * seconds)
    x = random.normal(scale=20, size=(4, n)) + np.array([[0], [3e4], [-1e5], [5]])
    x[1, n // 3 :] += 5e3
    x[2] += 1e4 * np.exp(-np.arange(n) / rate_hz)
    x[3, :9] = np.nan
    x[3, n // 2 : n // 2 + 30] = [np.inf, -np.inf, np.nan] * 10
    return x.astype(np.float32)


def bits(array):
    return None if array is None else array.tobytes()


def resampled(rate_hz, chunks):
    x = np.nan_to_num(rough(rate_hz), posinf=0, neginf=0).astype(np.float64)
    stage = Resampler(rate_hz, len(x))
    return np.concatenate([stage(x[:, a:b]) for a, b in chunks], axis=1).tobytes()


def conditioned(rate_hz, chunks):
    x = rough(rate_hz)
    stage = Conditioner(rate_hz, len(x), Conditioning())
    out = np.concatenate([stage(x[:, a:b]) for a, b in chunks], axis=1)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    return out.tobytes()


def edges(levels, chunks):
    values, stamps_s = np.array(levels), np.arange(len(levels), dtype=float)
    stage = RisingEdges()
    return [edge for a, b in chunks for edge in stage(values[a:b], stamps_s[a:b])]


def runs(steps, chunks):
    steps_s = np.array(steps, float)
    stamps_s = 5 + np.cumsum(np.nan_to_num(steps_s))
    stamps_s[np.isnan(steps_s)] = np.nan
    stage = StampRuns(100, 6)
    return [run for a, b in chunks for run in stage(stamps_s[a:b], a).runs()]


def troubled_stamps(seed, kind):
    """13 s at 200 Hz with everything that can go wrong; when taken, and stamps."""
    rng = np.random.default_rng(seed)
    truth = (5000.0 + np.arange(2600) / 200) * (1 + rng.normal(0, 1e-4))
    if kind == "bursts":
        return truth, truth[np.minimum(np.arange(2600) // 40 * 40 + 39, 2599)]
    stamps = truth + rng.normal(0, 0.002, len(truth))
    if kind == "outliers":
        stamps[rng.integers(0, 2600, 30)] += rng.normal(0, 1, 30)
        stamps[rng.integers(0, 2600, 5)] = rng.choice([np.nan, np.inf, 0], 5)
    if kind == "steps":
        for at in rng.integers(0, 2600, 2):
            stamps[at:] += rng.choice([20.0, -20.0, 2e5])
    if kind == "gaps":
        for at in rng.integers(0, 2000, 2):
            kept = np.delete(np.arange(len(truth)), np.s_[at : at + 150])
            truth, stamps = truth[kept], stamps[kept]
    return truth, stamps


def timed(case, chunks, index0=0):
    truth_s, stamps_s = troubled_stamps(*case)
    before = stamps_s.copy()
    clock, jumps = SampleClock(SampleClockSettings(200)), []
    for a, b in chunks:
        t_arrived_s = truth_s[max(b - 1, 0)] + TRANSPORT_S
        jumps += clock.push(stamps_s[a:b], t_arrived_s, index0 + a)
    np.testing.assert_array_equal(stamps_s, before)
    return (
        [(j.source_index - index0, j.kind, j.seconds) for j in jumps],
        [clock.time_of(index0 + index) for index in (0, 1000, 2599)],
        clock.drift_s(2000),
        clock.step_s,
    )


def spoilt(rate_hz):
    data_uv = rig.eeg(rate_hz, 12.0, seed=3)
    second = round(rate_hz)
    data_uv[0, 2 * second : 6 * second] = 12.5
    data_uv[1, 3 * second : 7 * second].clip(
        -9, 9, out=data_uv[1, 3 * second :][: 4 * second]
    )
    data_uv[2, 4 * second : 4 * second + 3] = np.nan
    data_uv[3] += 60 * np.sin(2 * np.pi * 50 * np.arange(12 * second) / rate_hz)
    data_uv[4, 8 * second :] = 5000.0
    data_uv[5, 7 * second + 11 : 9 * second] = data_uv[5, 5 * second + 11 : 7 * second]
    data_uv[:, 10 * second + 7 : 11 * second] = data_uv[:, second + 7 : 2 * second]
    return data_uv


def monitored(rate_hz, chunks):
    data_uv = spoilt(rate_hz)
    monitor = ChannelMonitor(rate_hz, rig.stream(rate_hz).channels)
    for a, b in chunks:
        monitor.push(data_uv[:, a:b], a)
    ends = range(100, data_uv.shape[1], 371)
    return monitor.report(), [
        (monitor.bad_between(max(end - 999, 0), end),
         monitor.amplitude_between(max(end - 999, 0), end),
         monitor.repeated_between(max(end - 999, 0), end))
        for end in ends
    ]  # fmt: skip


def ringed(n, chunks):
    data = np.add.outer(1000.0 * np.arange(3), np.arange(n))
    ring = Ring(3, 40, np.float64)
    for a, b in chunks:
        ring.write(data[:, a:b], a)
    return ring.begin, ring.end, ring.latest(ring.end - ring.begin).tobytes()


LOST_AT, LOST_N, GAP_AT, GAP_S, STEP_AT = 700, 10, 2000, 0.7, 6300
SECONDS, FIRST_CUT_S, EVERY_S, PIPELINE_S = 30, 24.0, 0.21, 21.0


def cut_windows(rate_hz, chunks):
    """Samples that are lost and bridged, a gap of the stamps, a step of the stamps.

    A chunk is never so long that its beginning looks late.
    """
    n = SECONDS * rate_hz
    data_uv, index = rig.eeg(rate_hz, SECONDS), np.arange(n)
    taken_s = rig.T0_S + index / rate_hz + GAP_S * (index >= GAP_AT)
    stamps_s = taken_s + 3.0 * (index >= STEP_AT)
    intake = Intake(rig.stream(rate_hz), rig.card(), IntakeSettings())
    window, found = Window(rig.N_CHANNELS), []
    lost = (LOST_AT, LOST_AT + LOST_N)
    ends = {b for _, b in chunks} | {*lost, *range(0, n, rate_hz // 4)}
    for a, b in pieces(n, ends - {n}):
        if a == b or lost[0] <= a < lost[1]:
            continue
        chunk = EegChunk(data_uv[:, a:b], stamps_s[a:b], 0.0, a)
        for block in intake.conditioned(chunk, taken_s[b - 1] + TRANSPORT_S):
            window.append(block)
            found += cuts_of(window, len(found))
    assert found[-1][-1] is not None
    counted = IntakeCounters(
        n_gaps=1, n_bridged=LOST_N, n_missing=LOST_N + round(GAP_S * rate_hz),
        n_stamp_steps=1, n_segments=2,
    )  # fmt: skip
    assert intake.counters == counted
    return found, window.newest_s, intake.settled


def cuts_of(window, n_found):
    """Return the cuts that are complete now, in order."""
    found = []
    while True:
        t_end_s = rig.T0_S + FIRST_CUT_S + (n_found + len(found)) * EVERY_S
        cut = window.cut(t_end_s)
        if cut is None:
            return found
        span = (cut.source_first, cut.source_end, cut.bridged_share, cut.stepped)
        found.append((*span, cut.t_needed_s, bits(cut.data_uv)))


@cache
def stepped_uv(rate_hz):
    signal_uv = rig.eeg(rate_hz, PIPELINE_S)
    signal_uv[2, round(5 * rate_hz) :] += 300.0  # a step
    signal_uv[1] += 2000 * np.exp(-np.arange(signal_uv.shape[1]) / (3 * rate_hz))
    return signal_uv


def predicted(rate_hz, chunks):
    """Markers keep their place among the samples; the samples are cut anew."""
    cuts = [b for _, b in chunks][:-1]
    samples = rig.samples(stepped_uv(rate_hz), rate_hz, [c for c in cuts if c > 0])
    events = [*rig.triggers(PIPELINE_S), *samples]
    predictions = rig.run(rig.pipeline(), rig.stream(rate_hz), events)
    assert any(p.values is not None for p in predictions)
    return [
        (*(p.tick, p.status, p.reasons, p.source_first, p.source_end), bits(p.values))
        for p in predictions
    ]


def at(rate_hz, seconds, fed):
    return Stage(st.just(rate_hz), lambda rate: int(rate * seconds), fed)


TROUBLES = st.sampled_from(["bursts", "outliers", "steps", "gaps"])
LEVELS = st.lists(st.sampled_from([0.0, 1.0, 3.0, np.nan]), min_size=1, max_size=60)
STEPS = st.lists(st.sampled_from([0, 0, 0.01, 0.02, -3, 1e-4, np.nan]), max_size=80)
STAGES = {
    "trigger channel": Stage(LEVELS, len, edges),
    "stamp runs": Stage(STEPS, len, runs),
    "sample clock": Stage(
        st.tuples(st.integers(0, 1000), TROUBLES),
        lambda case: len(troubled_stamps(*case)[1]),
        timed,
    ),
    **{f"resampler {hz}": at(hz, 1.5, resampled) for hz in (250, 500, 1024, 5000)},
    **{f"conditioner {hz}": at(hz, 1.5, conditioned) for hz in (250, 500, 5000)},
    "channel monitor": at(250, 12.0, monitored),
    "ring": Stage(st.integers(0, 200), int, ringed),
}
WHOLES = {
    "cut windows": at(250, SECONDS, cut_windows),
    **{
        f"pipeline {hz}": at(float(hz), PIPELINE_S, predicted)
        for hz in (250, 500, 5000)
    },
}
ALL = STAGES | WHOLES


def check(stage, data):
    signal = data.draw(stage.signals)
    n = stage.length(signal)
    cuts = data.draw(st.lists(st.integers(0, n), max_size=40))
    assert stage.fed(signal, list(pieces(n, cuts))) == stage.fed(signal, [(0, n)])


@pytest.mark.parametrize("name", STAGES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_chunks_give_the_same_bits(name, data):
    check(ALL[name], data)


@pytest.mark.parametrize("name", WHOLES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_chunks_give_the_same_windows_and_predictions(name, data):
    check(ALL[name], data)


@pytest.mark.parametrize(
    "name", ["resampler 500", "conditioner 250", "channel monitor"]
)
def test_samples_that_come_one_by_one_give_the_same_bits(name):
    stage = ALL[name]
    rate_hz = int(name.split()[-1]) if name[-1].isdigit() else 250
    n = stage.length(rate_hz)
    singly = list(pieces(n, range(1, n)))
    assert stage.fed(rate_hz, singly) == stage.fed(rate_hz, [(0, n)])


@given(case=st.tuples(st.integers(0, 1000), TROUBLES), index0=st.integers(1, 10**9))
def test_the_index_of_the_first_sample_moves_no_time(case, index0):
    chunks = list(pieces(len(troubled_stamps(*case)[1]), range(0, 2600, 20)))
    assert timed(case, chunks) == timed(case, chunks, index0)
