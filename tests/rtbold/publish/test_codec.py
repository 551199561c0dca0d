import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from rtbold.publish.wire import (
    Bands,
    Eeg,
    Heartbeat,
    Truth,
    decode,
    encode,
    pack_samples,
    unpack_samples,
)

NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@given(
    values=st.lists(NUMBERS, max_size=70),
    t_s=st.floats(0, 1e9),
    seq=st.integers(0, 2**53),
    session=st.text(max_size=40),
)
def test_wire_round_trip(encoding, values, t_s, seq, session):
    message = Truth(
        session=session, seq=seq, t_lsl=t_s, t_unix_ms=t_s, volume_index=seq,
        t_volume=t_s, values=tuple(values), rois=tuple("r" for _ in values),
    )  # fmt: skip
    assert decode("truth", encode(message, encoding), encoding) == message


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_goes_out_as_null(encoding, bad):
    message = Bands(
        t_start=0.0, t_end=1.0, bands=("alpha",), edges_hz=((8.0, 12.0),),
        power_uv2=((bad, 1.0),),
    )  # fmt: skip
    payload = encode(message, encoding)
    read = json.loads if encoding == "json" else msgspec.msgpack.decode
    assert read(payload)["power_uv2"] == [[None, 1.0]]


def test_msgpack_holds_the_same_as_json():
    message = Heartbeat(state="running", last_pred_seq=None, stream_age_ms=1.5, queue=0)
    packed = msgspec.msgpack.decode(encode(message, "msgpack"))
    assert packed == json.loads(encode(message))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2),
        elements=st.floats(width=32, allow_nan=False),
    )
)
def test_samples_round_trip_in_any_memory_order(data):
    for given_uv in (data, np.asfortranarray(data)):
        n_channels, n_samples = data.shape
        message = Eeg(
            sample_index=0, t_first=0.0, rate_hz=200.0, n_channels=n_channels,
            n_samples=n_samples, data=pack_samples(given_uv),
        )  # fmt: skip
        np.testing.assert_array_equal(unpack_samples(message), data)


def test_unknown_topic_is_an_error():
    with pytest.raises(KeyError, match=r"nonsense"):
        decode("nonsense", b"{}")
