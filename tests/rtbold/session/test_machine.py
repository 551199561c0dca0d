import gc
import sys

import pytest

from rtbold.session import machine
from rtbold.session.machine import NICENESS, OwnGarbage, raise_priority


class Process:
    def __init__(self, niceness):
        self.niceness = niceness

    def nice(self):
        return self.niceness


@pytest.fixture
def system(monkeypatch):
    """A Linux that lets this user go down to `lowest`; what was set stands in it."""
    made = []

    def of(lowest, niceness=0, error=None):
        def setpriority(which, who, value):
            if error is not None:
                raise error
            made.append(value)

        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(machine.psutil, "Process", lambda: Process(niceness))
        monkeypatch.setattr(machine, "_lowest_allowed", lambda: lowest)
        monkeypatch.setattr(machine.os, "setpriority", setpriority, raising=False)
        monkeypatch.setattr(machine.os, "PRIO_PROCESS", 0, raising=False)
        return made

    return of


def test_it_is_raised_as_far_as_wanted(system):
    made = system(lowest=-20)
    assert raise_priority() == "priority raised from niceness 0 to -10"
    assert made == [NICENESS]


def test_it_is_raised_as_far_as_the_system_lets_it(system):
    made = system(lowest=-4)
    assert raise_priority().endswith("from niceness 0 to -4")
    assert made == [-4]


@pytest.mark.parametrize("lowest", [0, 20])
def test_where_it_may_not_it_says_so_and_what_to_do(system, lowest):
    made = system(lowest=lowest)
    said = raise_priority()
    assert "not raised" in said
    assert "close what needs the processor" in said
    assert made == []


def test_a_refusal_is_told_and_ends_nothing(system):
    system(lowest=-20, error=PermissionError(13, "Permission denied"))
    assert "not raised ([Errno 13] Permission denied)" in raise_priority()


def test_garbage_is_collected_when_told_and_not_otherwise():
    seen = []

    def note(phase, _):
        seen.append(phase)

    with OwnGarbage() as garbage:
        gc.callbacks.append(note)
        try:
            cycles = [[] for _ in range(5000)]
            for cycle in cycles:
                cycle.append(cycle)
            assert seen == []
            garbage.collect()
            assert seen == ["start", "stop"]
        finally:
            gc.callbacks.remove(note)
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_is_left_as_it_was_after_an_error():
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError), OwnGarbage():
            _ = 1 / 0
        assert not gc.isenabled()
    finally:
        gc.enable()
