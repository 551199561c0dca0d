"""A stream that declares another rate than it has: nothing is predicted, and why."""

import itertools

import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.condition.intake import stream_fit
from rtbold.errors import StreamMismatch
from rtbold.messages import EegChunk


def answers(declared_hz, comes_hz, seconds=40.0, chunk_s=0.05, counted_back=False):
    data_uv = rig.eeg(comes_hz, seconds)
    n = data_uv.shape[1]
    cuts = [0, *rig.every(comes_hz, seconds, chunk_s), n]
    chunks = []
    for first, end in itertools.pairwise(cuts):
        t_s = rig.T0_S + np.arange(first, end) / comes_hz
        if counted_back:  # as LSL fills in the stamps of a chunk
            t_s = t_s[-1] - np.arange(end - first)[::-1] / declared_hz
        chunks.append(EegChunk(data_uv[:, first:end], t_s, float(t_s[-1]), first))
    events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
    return rig.run(rig.pipeline(), rig.stream(declared_hz), events)


@pytest.mark.parametrize(
    ("declared_hz", "comes_hz", "counted_back"),
    [(500.0, 250.0, False), (500.0, 250.0, True), (250.0, 500.0, False),
     (1000.0, 250.0, True), (300.0, 250.0, True)],
)  # fmt: skip
def test_the_reason_rate_stays(declared_hz, comes_hz, counted_back):
    found = answers(declared_hz, comes_hz, counted_back=counted_back)
    assert all(p.values is None for p in found)
    late = found[len(found) // 2 :]
    assert len(late) >= 8
    assert all("rate" in p.reasons for p in late), [p.reasons for p in late]


def test_a_measured_rate_is_the_one_that_was_set():
    whole, odd = answers(250.0, 250.0), answers(249.9983, 250.0)
    assert sum(p.values is not None for p in odd) >= 8
    for a, b in zip(whole, odd, strict=True):
        assert (a.status, a.reasons) == (b.status, b.reasons)
        np.testing.assert_array_equal(a.values, b.values)


def test_channels_without_names_are_told_as_such():
    nameless = rig.stream(250.0, channels=[f"Ch{k}" for k in range(1, 7)])
    with pytest.raises(StreamMismatch, match=r"its 6 channels have no names"):
        stream_fit(nameless, rig.card())
