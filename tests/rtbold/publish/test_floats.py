import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.publish.wire import shortest, shortest_all


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_gives_back_every_float32_exactly(value):
    assert np.float32(shortest(value)) == np.float32(value)
    assert np.float32(json.loads(json.dumps(shortest(value)))) == np.float32(value)


def test_json_shows_what_was_meant():
    assert json.dumps(shortest(float(np.float32(0.42)))) == "0.42"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1e39])
def test_what_float32_cannot_hold_is_null(value):
    assert shortest(value) is None


def test_each_value_of_an_array():
    values = np.array([0.1, np.nan, -3.5], np.float32)
    assert shortest_all(values) == (0.1, None, -3.5)
