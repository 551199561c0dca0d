import pytest
from hypothesis import given, strategies as st

from rtbold.session.discretion import Discretion

HOME = "/home/Erika Muster"


@pytest.fixture
def discretion():
    made = Discretion([HOME, "/tmp"], ["LAB-PC7.uni.example"])
    made.learn("scanner-pc")
    return made


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("stream 'x' on 'LAB-PC7': 32 EEG", "stream 'x' on this computer: 32 EEG"),
        ("on 'lab-pc7.uni.example' now", "on this computer now"),
        ("tcp://scanner-pc:5555 refused", "tcp://another computer:5555 refused"),
        ("scanner-pc2 is another one", "scanner-pc2 is another one"),
        (f"RECORDING: {HOME}/rec/sub-01/a.xdf: full", "RECORDING: a.xdf: full"),
        ("No such file: '/data/Hans Meier/x.xdf'", "No such file: 'x.xdf'"),
        (r"ENGINE: C:\Users\erika\cache\m.bin broken", "ENGINE: m.bin broken"),
        ("1 uV/s, and/or 1/2", "1 uV/s, and/or 1/2"),
        ("feed on tcp://127.0.0.1:5580", "feed on tcp://127.0.0.1:5580"),
        (
            "two:\n  name 'a', host 'OTHER', source id 'BA-1'",
            "two: name 'a', host not shown, source id not shown",
        ),
        ("one\n12:00:00 status ok", "one 12:00:00 status ok"),
        ("\x1b[2Jcleared", r"\x1b[2Jcleared"),
    ],
)
def test_a_line_names_no_place_and_no_person(discretion, said, shown):
    assert discretion.line(said) == shown


def test_no_line_of_an_entry_can_pass_for_another_entry(discretion):
    text = (
        f'boom\n  File "{HOME}/x.py", line 3\nValueError: a\n2026 INFO forged\r\x1b[A'
    )
    assert discretion.entry(text).split("\n") == [
        "boom",
        '    |   File "x.py", line 3',
        "    | ValueError: a",
        r"    | 2026 INFO forged\r\x1b[A",
    ]


def test_a_short_name_is_known_in_quotes():
    shown = Discretion(hosts=["vm"]).line("'x' on 'vm', not vm2 or uvm")
    assert shown == "'x' on this computer, not vm2 or uvm"


def test_the_first_meaning_of_a_name_stays(discretion):
    discretion.learn("LAB-PC7")
    assert discretion.line("at LAB-PC7") == "at this computer"


@given(st.text(max_size=300))
def test_any_text_becomes_one_line(text):
    assert Discretion(["/home/x"], ["lab-pc7"]).line(text).isprintable()
