import pytest
from hypothesis import given, strategies as st

from rtbold.text import LONGEST_TEXT, did_you_mean, printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Fp1", "Fp1"),
        ("µV, Größe 5 °C, 脳波", "µV, Größe 5 °C, 脳波"),
        ("", ""),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("one\nstatus ok\r", r"one\nstatus ok\r"),
        ("tab\there", r"tab\there"),
        ("nul\x00", r"nul\x00"),
        ("\x9b31m", r"\x9b31m"),  # the same as an escape, in one character
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("\ud800", r"\ud800"),
        ("a\u00a0b\u3000c", "a b c"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_what_a_screen_would_obey_is_shown_as_its_escape(raw, shown):
    assert printable(raw) == shown


def test_what_is_endless_is_cut():
    assert printable("x" * 10**6) == "x" * (LONGEST_TEXT - 3) + "..."
    assert printable("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert len(printable("\x1b" * 10**6, 40)) == 40


@given(st.text(st.characters(codec=None)), st.integers(10, 60))
def test_any_text_comes_out_as_one_line_that_can_be_written(raw, longest):
    shown = printable(raw, longest)
    assert shown.isprintable()
    assert len(shown) <= longest
    shown.encode("utf-8")
    assert printable(shown, longest) == shown


def test_the_nearest_choices_are_asked_for():
    rois = ("Putamen", "Heschl's gyrus", "Cuneus", "Precuneus")
    assert did_you_mean(["putaman"], rois) == " Did you mean 'Putamen'?"
    assert did_you_mean(["heschls gyrus"], rois) == ' Did you mean "Heschl\'s gyrus"?'
    both = did_you_mean(["Cunneus", "putamen"], rois)
    assert "'Cuneus'" in both
    assert "'Putamen'" in both
    assert did_you_mean(["xyz"], rois) == ""
    assert did_you_mean([], rois) == did_you_mean(["Cuneus"], ()) == ""
