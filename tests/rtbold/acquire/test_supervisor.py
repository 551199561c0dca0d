from types import SimpleNamespace

import pytest

from rtbold.acquire.frames import Order
from rtbold.acquire.streams import StreamQuery
from rtbold.acquire.supervisor import SHORT_LIFE_LOOKS, Supervisor


def test_a_reader_that_fails_says_why_and_starts_another_process(monkeypatch):
    said = []

    def on_death(why):
        said.append(why)
        raise RuntimeError("the listener is broken too")

    made = Supervisor(
        lambda: Order(role="eeg", query=StreamQuery()),
        on_frame=lambda frame: None,
        on_death=on_death,
    )

    def listen():
        made._n_looks += SHORT_LIFE_LOOKS  # a long life: no pause afterwards
        if len(said) == 2:
            made._closing.set()
        raise ValueError("broken frame")

    monkeypatch.setattr(made, "_spawn", lambda errors: True)
    monkeypatch.setattr(made, "_listen", listen)
    made._read()
    assert said == ["ValueError('broken frame')"] * 3


def test_no_room_for_the_error_output_is_no_end(monkeypatch):
    said = []
    made = Supervisor(
        lambda: Order(role="eeg", query=StreamQuery()),
        on_frame=lambda frame: None,
        on_death=said.append,
    )

    def no_room():
        made._closing.set()
        raise OSError("no files left")

    monkeypatch.setattr("rtbold.acquire.supervisor.tempfile.TemporaryFile", no_room)
    made._read()
    assert said == ["OSError('no files left')"]


@pytest.mark.parametrize(
    ("hung", "code", "words"),
    [
        (True, -9, "It was silent for too long and was killed."),
        (False, -11, "It was killed by signal 11."),
        (False, 1, ""),  # it said itself what it ended by
        (False, 0, ""),
    ],
)
def test_an_end_that_no_process_can_say_itself_is_said(hung, code, words):
    made = Supervisor(
        lambda: Order(role="eeg", query=StreamQuery()),
        on_frame=lambda frame: None,
        on_death=lambda said: None,
    )
    made._hung = hung
    made._process = SimpleNamespace(returncode=code)
    assert made._end_in_words() == words
