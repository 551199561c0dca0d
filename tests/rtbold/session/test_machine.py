import gc
import sys

import pytest

from rtbold.session import machine
from rtbold.session.machine import NICENESS, garbage_on_demand, raised_priority


class Process:
    def __init__(self, niceness, made, error):
        self._niceness, self._made, self._error = niceness, made, error

    def nice(self, value=None):
        if value is None:
            return self._niceness
        if self._error is not None:
            raise self._error
        self._niceness = value
        self._made.append(value)
        return None


@pytest.fixture
def system(monkeypatch):
    """A Linux that lets this user go down to `lowest`; what was set stands in it."""
    made = []

    def of(lowest, niceness=0, error=None):
        process = Process(niceness, made, error)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(machine.psutil, "Process", lambda: process)
        monkeypatch.setattr(machine, "lowest_allowed", lambda: lowest)
        return made

    return of


def test_it_is_raised_as_far_as_wanted(system):
    made = system(lowest=-20)
    with raised_priority() as said:
        assert made == [NICENESS]
    assert said == "priority raised from niceness 0 to -10"


def test_what_comes_after_a_session_has_the_priority_of_before(system):
    made = system(lowest=-20, niceness=3)
    with pytest.raises(ZeroDivisionError), raised_priority():
        _ = 1 / 0
    assert made == [NICENESS, 3]


def test_it_is_raised_as_far_as_the_system_lets_it(system):
    made = system(lowest=-4)
    with raised_priority() as said:
        assert made == [-4]
    assert said.endswith("from niceness 0 to -4")


@pytest.mark.parametrize("lowest", [0, 20])
def test_where_it_may_not_it_says_so_and_what_to_do(system, lowest):
    made = system(lowest=lowest)
    with raised_priority() as said:
        pass
    assert "not raised" in said
    assert "close what needs the processor" in said
    assert made == []


def test_a_refusal_is_told_and_ends_nothing(system):
    system(lowest=-20, error=PermissionError(13, "Permission denied"))
    with raised_priority() as said:
        pass
    assert "not raised ([Errno 13] Permission denied)" in said


def test_garbage_is_collected_when_told_and_not_otherwise():
    seen = []

    def note(phase, _):
        seen.append(phase)

    with garbage_on_demand():
        gc.callbacks.append(note)
        try:
            cycles = [[] for _ in range(5000)]
            for cycle in cycles:
                cycle.append(cycle)
            assert seen == []
            gc.collect()
            assert seen == ["start", "stop"]
        finally:
            gc.callbacks.remove(note)
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("frozen", [True, False])
def test_what_others_had_frozen_stays_so(frozen):
    gc.unfreeze()  # which the tests are
    try:
        if frozen:
            gc.freeze()
        with garbage_on_demand():
            assert gc.get_freeze_count() > 0
        assert (gc.get_freeze_count() > 0) == frozen
    finally:
        gc.freeze()


def test_garbage_is_left_as_it_was_after_an_error():
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError), garbage_on_demand():
            _ = 1 / 0
        assert not gc.isenabled()
    finally:
        gc.enable()
