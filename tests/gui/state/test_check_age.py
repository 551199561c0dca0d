from dataclasses import replace

import pytest

from rtbold.gui.state.checks import OLD_S, Checks, age_of, ago_words
from rtbold.gui.state.words import wall_words
from rtbold.messages import Check

NOW_S = 1.8e9
WANTED = ("run", "--stream", "X")
DONE = Checks(
    made_for=WANTED, lines=(Check("disk", "ok", ""),), ready=True, done_unix_s=NOW_S
)


@pytest.mark.parametrize(
    ("age_s", "words"),
    [
        (0, "less than a minute ago"), (59.9, "less than a minute ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"), (3600, "1 h 0 min ago"), (94_000, "26 h 6 min ago"),
    ],
)  # fmt: skip
def test_an_age_is_said_in_minutes(age_s, words):
    assert ago_words(age_s) == words


def test_fresh_then_old():
    at = wall_words(1000 * NOW_S)
    fresh = age_of(DONE, WANTED, NOW_S + OLD_S - 1)
    assert (fresh.level, fresh.words) == ("fresh", f"Checked {at} (9 min ago).")
    old = age_of(DONE, WANTED, NOW_S + OLD_S)
    assert old.level == "old"
    assert old.words.startswith(f"▲ Checked {at} (10 min ago)")
    back = age_of(DONE, WANTED, NOW_S - 1)
    assert (back.level, "set back" in back.words) == ("old", True)


def test_other_settings_go_over_the_age():
    age = age_of(DONE, (*WANTED, "--tr", "2"), NOW_S)
    assert age.level == "changed"
    assert "Not checked since you changed the TR." in age.words


def test_no_check_has_no_age():
    running = replace(DONE, ready=None, done_unix_s=None)
    died = replace(DONE, ready=None, problem="killed")
    for checks in (Checks(), running, died):
        assert age_of(checks, WANTED, NOW_S).level == "none"
