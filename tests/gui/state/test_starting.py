"""What keeps a run from starting, and what it is told when it does."""

from rtbold.gui.state.checks import (
    Checks,
    Override,
    SessionNotes,
    hindrance,
    notes_of_start,
)
from rtbold.gui.state.setup import LONGEST_NOTE, Run
from rtbold.messages import Check

RUN = Run(2, "training")
GREEN = Checks(made_for="now", lines=(Check("disk", "ok", ""),), ready=True)


def why(run=RUN, checks=GREEN, wanted="now", **more):
    return hindrance(run, checks, wanted=wanted, **more)


def test_green_and_fresh_may_start():
    assert why() == ""


def test_each_hindrance_says_what_to_do():
    assert "Stop it" in why(running=Run(1))
    assert "runs already" in why(heard=True)
    assert "an EEG stream" in why(missing=("an EEG stream",))
    assert "add one" in why(run=None)
    assert "Press Check" in why(checks=Checks())
    assert "changed since" in why(wanted="later")


def test_the_session_is_told_run_notes_and_overrides():
    notes = SessionNotes(impedance="below 10 kΩ", eyes="open")
    run = Run(2, "training", note="left hand")
    told = notes_of_start(run, notes, (Override("gate", "pilot"),))
    assert told == (
        "run 02, training: left hand",
        "impedance: below 10 kΩ",
        "eyes: open",
        "overridden: gate. Reason: pilot",
    )
    assert notes_of_start(Run(1), SessionNotes(), ()) == ("run 01, training",)


def test_notes_are_as_long_as_the_session_takes_them():
    notes = SessionNotes(free="x" * 5000)
    assert all(len(t) <= LONGEST_NOTE for t in notes_of_start(RUN, notes, ()))


def test_nothing_starts_during_a_rehearsal():
    assert "rehearsal is running" in why(rehearsing=True)
