import pytest

from rtbold.session.nameless import REMOVED, Nameless, home_names

CLEAN = Nameless({"scanner-pc", "mmuster", "S01", ""})


@pytest.mark.parametrize(
    "text",
    [
        "scanner-pc", "SCANNER-PC", "mmuster", "S01", "anna@clinic.example",
        "/home/anna/data.xdf", "C:\\Users\\anna\\x", "\\\\server\\share", "~anna/x",
        "2026-11-30", "30.11.2026", "11/30/26", "30 Nov 2026", "November 30, 2026",
        "https://host/x", "192.168.0.12", "00:1b:63:84:45:e6", "actiCHamp-19030123",
        "96628c7e-6926-40fe-84dd-a353fc9fc740", "0176123456", "20261130",
        "scanner-pc.clinic.example", "2026-11-30T12:30:01.5+01:00",
        "3. März 2026", "30th of November 2026", "14:05", "9:30:12",
    ],
)  # fmt: skip
def test_what_has_a_form_or_a_known_name_is_taken_out(text):
    assert CLEAN.label(f"see {text} here").replace(REMOVED, "") in (
        "see  here", "see actiCHamp- here",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "R128",
        "S 1",
        "eyes open",
        "run 3 of 10",
        "and/or",
        "12.5 uV",
        "S011",
        "1/2",
        "ratio 3:1",
        "S 1:x",
    ],
)
def test_what_has_none_stays(text):
    assert CLEAN.label(text) == text


def test_an_underscore_does_not_hide_a_name():
    assert CLEAN.label("log_scanner-pc_2") == f"log_{REMOVED}_2"


def test_a_line_stays_a_line():
    assert CLEAN.label("a\tb\nc\x1b[31m\u202e d\ud800") == "a b c [31m d"
    assert len(CLEAN.label("long " * 1000)) == 300


def test_words_can_be_left_out_and_labels_stay():
    silent = Nameless((), words=False)
    assert silent.words("Anna is tired") == ""
    assert silent.label("R128") == "R128"


def test_users_are_known_by_their_home():
    texts = ["/home/anna/x", "C:\\Users\\bea\\y", "/Users/carl", "tcp:host:1"]
    assert home_names(texts) == {"anna", "bea", "carl"}
