from typing import get_args

import pytest

from rtbold.gui.state.words import (
    CHANNEL_WORDS,
    REASON_WORDS,
    STATUS_WORDS,
    Level,
    channel_words,
    ood_words,
    reason_words,
    status_words,
)
from rtbold.messages import ChannelState, Reason, Status


def test_every_reason_status_and_channel_state_has_words():
    assert set(REASON_WORDS) == set(get_args(Reason))
    assert set(STATUS_WORDS) == set(get_args(Level))
    assert set(get_args(Status)) <= set(STATUS_WORDS)
    assert set(CHANNEL_WORDS) == set(get_args(ChannelState))


def test_words_are_words_and_short_enough_for_a_line():
    for words in REASON_WORDS.values():
        assert 0 < len(words.short) <= 60
        assert words.do.endswith((".", "?"))
        assert "_" not in words.short


def test_statuses_differ_by_word_and_by_shape():
    assert len({w.symbol for w in STATUS_WORDS.values()}) == len(STATUS_WORDS)
    assert len({w.word for w in STATUS_WORDS.values()}) == len(STATUS_WORDS)
    assert status_words("ok").symbol == "●"


def test_a_word_of_a_newer_publisher_is_named_as_it_came():
    assert reason_words("moon_phase").short == "moon phase"
    assert channel_words("bridged_to") == "bridged to"


@pytest.mark.parametrize(
    ("unlikeness", "level"),
    [(None, "unknown"), (0.0, "ok"), (0.8, "ok"), (0.9, "near"), (1.0, "near"),
     (1.01, "beyond"), (50.0, "beyond")],
)  # fmt: skip
def test_ood_score_in_words(unlikeness, level):
    assert ood_words(unlikeness).level == level
