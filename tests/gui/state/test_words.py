from typing import get_args

import pytest

from rtbold.gui.state.setup import Run, SetupChoice, run_arguments
from rtbold.gui.state.words import (
    CHANNEL_WORDS,
    FIELD_WORDS,
    REASON_WORDS,
    STATUS_WORDS,
    Level,
    channel_words,
    ood_words,
    reason_words,
    status_line_words,
    status_words,
    window_words,
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


def test_a_status_line_has_its_reasons_in_words():
    line = status_line_words("status degraded: channel_flat, late", set())
    assert line == (
        "▲ DEGRADED: a channel is flat; predictions or triggers come too late"
    )
    assert status_line_words("status ok: well", set()) == "● OK"
    assert status_line_words("status ok", set()) == "status ok"
    assert status_line_words("status quo: ante", set()) == "status quo: ante"
    assert status_line_words("volume 12", set()) == "volume 12"
    newer = status_line_words("status invalid: moon_phase", set())
    assert newer == "■ INVALID: moon phase"


def test_what_holds_all_session_long_is_said_once():
    said = set()
    lines = [
        status_line_words(text, said)
        for text in (
            "status ok: upstream_delay_unknown",
            "status degraded: gap, upstream_delay_unknown, unvalidated",
            "status degraded: upstream_delay_unknown, unvalidated",
            "status degraded: late, upstream_delay_unknown, unvalidated",
            "status ok: upstream_delay_unknown",
        )
    ]
    assert lines == [
        "● OK: the delay of the cleaning software is not known (for the whole session)",
        "▲ DEGRADED: a gap in the EEG within the last 16 s; the model was not shown to "
        "predict this subject (for the whole session)",
        "▲ DEGRADED: as was said before",
        "▲ DEGRADED: predictions or triggers come too late",
        "● OK",
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("give the scanner's TR with --tr, or --trigger-every N if slices",
         "give the scanner's TR with “TR (s)”, or “Triggers per volume” if slices"),
        ("give --record DIR unless this is a trial",
         "give “Record into” unless this is a trial"),
        ("look at it again: rtbold preflight", "look at it again: “Check”"),
        ("join it: rtbold gui --connect tcp://127.0.0.1:5580; or end it",
         "join it: “Join…” with tcp://127.0.0.1:5580; or end it"),
        ("a -- b, x--tr, --unheard-of", "a -- b, x--tr, --unheard-of"),
    ],
)  # fmt: skip
def test_options_are_called_by_their_fields(said, shown):
    assert window_words(said) == shown


def test_every_option_of_a_run_has_its_field():
    choice = SetupChoice(
        stream="cap", host="h", model="m", target="t", trigger_stream="m",
        trigger_host="h", trigger_every=2, tr_s=2.0, record="/d", record_copy="/e",
        cleaning="none", scanner="outside", truth="lsl:b", truth_rois="A",
        truth_first=1, session="02", task="imagery", truth_by_onset=True, unit="uV",
        reference="FCz",
        interpolate=True, upstream_delay_ms=1.0, engine="torch", precision="f32",
        root="/s",
    )  # fmt: skip
    words = run_arguments(choice, Run(1, dummy_volumes=2))
    options = {word for word in words if word.startswith("--")}
    assert options <= set(FIELD_WORDS)
