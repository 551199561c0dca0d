import json
from dataclasses import asdict

import msgspec
import pytest
from hypothesis import given, strategies as st

from rtbold.config import FeedbackSettings, RunSettings, feedback_table
from rtbold.errors import ConfigError

RANGE = {"low": -1.0, "high": 1.0}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"smoth": "mean"}, r"unknown keys \['smoth'\].*Did you mean 'smooth'"),
        ({"smooth": "median"}, "feedback.smooth is 'median', expected one of none, me"),
        ({"smooth": 3}, "feedback.smooth is 3, expected one of"),
        ({"smooth_n": 0}, "feedback.smooth_n is 0, expected 1 to 100"),
        ({"smooth_n": 2.5}, "Expected `int`"),
        ({"smooth_s": float("nan")}, "feedback.smooth_s is nan"),
        ({"low": -1.0}, "expected both"),
        ({"low": 1.0, "high": 1.0}, "expected less than feedback.high"),
        ({"low": float("-inf"), "high": 1.0}, "feedback.low is -inf"),
        (
            {"normalise": "percentile"},
            "expected feedback.baseline 'block' or 'running'",
        ),
        ({"normalise": "percentile", "baseline": "block", **RANGE}, "0 to 100"),
        ({"neutral": 0.9, "shown_max": 0.8}, "between feedback.shown_min"),
        ({"max_step": 0.1}, "feedback.max_step is about what is shown"),
        ({"reward": 0.5}, "feedback.reward is about what is shown"),
        ({"success_rate": 0.5, **RANGE}, "Expected the threshold to begin with"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_expected(table, said):
    with pytest.raises(ConfigError, match=f"(?i){said}"):
        FeedbackSettings.build(table)


def test_a_file_has_a_table_and_options_go_over_it(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text(
        '[feedback]\ntarget = "Putamen"\nsmooth = "mean"\nsmooth_n = 5\n', "utf-8"
    )
    of_file = RunSettings.build({}, file)
    assert of_file.fed_back == FeedbackSettings(
        target="Putamen", smooth="mean", smooth_n=5
    )
    both = RunSettings.build({"feedback": {"smooth_n": 4}, "target": "Caudate"}, file)
    assert both.fed_back == FeedbackSettings(
        target="Caudate", smooth="mean", smooth_n=4
    )


@pytest.mark.parametrize("text", ["feedback = 3", "[feedback]\nsmooth = 'maen'"])
def test_a_table_of_a_file_that_is_wrong_names_the_file(tmp_path, text):
    file = tmp_path / "f.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"f\.toml|feedback\.smooth"):
        RunSettings.build({}, file)


def test_words_of_the_command_line_are_a_table():
    table = feedback_table(["smooth=mean", "low=-2", "high = 1.5", "target='a b'"])
    assert table == {"smooth": "mean", "low": -2, "high": 1.5, "target": "a b"}
    assert FeedbackSettings.build(table).low == -2.0


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["smooth"], "expected KEY=VALUE"),
        (["smooth="], "expected KEY=VALUE"),
        (["=3"], "expected KEY=VALUE"),
        (["low=1", "low=2"], "gives 'low' twice"),
        (["low=1e999"], "feedback.low is inf"),
    ],
)
def test_words_that_are_no_pairs_are_refused(pairs, said):
    with pytest.raises(ConfigError, match=said):
        FeedbackSettings.build({**feedback_table(pairs), "high": 1.0})


@pytest.mark.parametrize("approval", ["", " ", "x" * 65, "a\nb", "\x1b[2J"])
def test_an_approval_is_an_id_that_can_be_read_again(approval):
    with pytest.raises(ConfigError, match="--approval is"):
        RunSettings(approval=approval)
    assert RunSettings(approval="EC-2026-114").approval == "EC-2026-114"


@given(low=st.floats(-100, 99), smooth_s=st.floats(0.1, 300))
def test_a_record_keeps_them_to_the_last_bit(low, smooth_s):
    made = FeedbackSettings(low=low, high=100.0, smooth_s=smooth_s)
    text = json.dumps(asdict(made))
    assert msgspec.json.decode(text, type=FeedbackSettings) == made
