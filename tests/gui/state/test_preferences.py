import json

import pytest
from hypothesis import given, strategies as st

from rtbold.gui.state.preferences import Preferences, as_dict, from_dict

CHOSEN = Preferences(
    theme="light",
    text_scale=1.3,
    participant="circle",
    participant_limit_z=2,
    participant_smooth=True,
    photodiode_px=0,
    scope_uv=50,
    scope_seconds=5,
    scope_filter="1-40 Hz",
    choices={"subject": "S01"},
    layout={"session": "00ff"},
)


def test_what_is_kept_comes_back():
    assert from_dict(json.loads(json.dumps(as_dict(CHOSEN)))) == CHOSEN


def test_unknown_keys_are_ignored_and_missing_ones_are_defaults():
    assert from_dict({"theme": "light", "sound": "loud"}) == Preferences(theme="light")


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("theme", "pink"),
        ("theme", ["dark"]),
        ("text_scale", 9),
        ("text_scale", True),
        ("text_scale", float("nan")),
        ("text_scale", "1.2"),
        ("participant", "rocket"),
        ("participant_smooth", 1),
        ("photodiode_px", 12.5),
        ("choices", {"subject": 3}),
        ("choices", [1]),
        ("layout", {str(i): "" for i in range(100)}),
    ],
)
def test_a_bad_value_becomes_the_default_and_spoils_no_other(name, bad):
    kept = from_dict({"scope_uv": 20.0, name: bad})
    assert kept == Preferences(scope_uv=20.0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_in_the_file_keeps_the_dashboard_from_starting(anything):
    assert isinstance(from_dict(anything), Preferences)
    everything_bad = dict.fromkeys(as_dict(CHOSEN), anything)
    assert isinstance(from_dict(everything_bad), Preferences)


def test_text_grows_and_shrinks_within_what_can_be_read():
    larger = Preferences().with_text_scale(1.1)
    assert larger.text_scale == pytest.approx(1.1)
    assert larger.with_text_scale(100).text_scale == 2.0
    assert larger.with_text_scale(0.001).text_scale == 0.7
