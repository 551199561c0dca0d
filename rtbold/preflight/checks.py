"""How a check comes about, and what many of them come to. Pure.

`rtbold.messages.Check` is the one type for doctor, preflight and rehearsal.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from rtbold.errors import RtboldError
from rtbold.messages import Check, CheckState

Rule = tuple[object, CheckState, str]
GoNoGo = Literal["go", "no-go"]


def decided(name: str, found: str, *rules: Rule, must: bool = False) -> Check:
    """Return the check as its first rule that holds has it; without one it is ok.

    Parameters
    ----------
    rules : what holds if it is true, the state that follows, and what to do then.
    """
    for holds, state, advice in rules:
        if holds:
            return Check(name, state, found, advice, must)
    return Check(name, "ok", found, must=must)


def refused(name: str, error: RtboldError, *, override: str = "") -> Check:
    """Return the failed check that an error stands for; it says what to do itself."""
    return Check(name, "fail", str(error), must=True, override=override)


def tried(name: str, attempt: Callable[[], str]) -> Check:
    """Return what an attempt came to: its words, or the error that it raised."""
    try:
        return Check(name, "ok", attempt(), must=True)
    except RtboldError as error:
        return refused(name, error)


def gate_finding(
    name: str, ask: Callable[[], Sequence[str]], *, found: str, override: str
) -> Check:
    """Return what a gate says: it refuses, lets pass, or lets pass with reasons.

    Parameters
    ----------
    ask : the gate; returns the reasons that every message would carry.
    found : what to say where it is content.
    override : the option that opens it.
    """
    try:
        reasons = ask()
    except RtboldError as error:
        return refused(name, error, override=override)
    if reasons:
        said = ", ".join(repr(reason) for reason in reasons)
        text = f"allowed by {override}; every message then carries {said}"
        return Check(name, "warn", text, must=True, override=override)
    return Check(name, "ok", found, must=True)


def worst_state(checks: Sequence[Check]) -> CheckState:
    """Return fail if any check failed, else warn if any warned."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"


def verdict_of(checks: Sequence[Check]) -> GoNoGo:
    """Return go unless anything failed; warnings do not count."""
    return "no-go" if worst_state(checks) == "fail" else "go"


def why_of(checks: Sequence[Check]) -> list[str]:
    """Return what stands against a go, in words."""
    return [f"{c.name}: {c.found}" for c in checks if c.state == "fail"]
