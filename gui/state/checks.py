"""The pre-flight list: what was found, what blocks a start, what was overridden."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

CheckState = Literal["ok", "warn", "fail"]
CHECK_WORDS: dict[CheckState, tuple[str, str]] = {
    "ok": ("✓", "ready"),
    "warn": ("▲", "look"),
    "fail": ("✕", "must be mended"),
}
OVERRIDE_WORD = "OVERRIDE"
SHORTEST_REASON = 4
MOST_LINES = 200
_FLAG = re.compile(r"--[a-z][a-z-]*[a-z]")


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of the list."""

    name: str
    state: CheckState
    found: str
    advice: str = ""
    must: bool = False  # red here means that the run cannot be what it claims
    flags: tuple[str, ...] = ()  # options of the run that let it start all the same

    @property
    def word(self) -> str:
        """Its state in words."""
        if self.state == "fail" and not self.must:
            return "should be mended"
        return CHECK_WORDS[self.state][1]

    @property
    def blocks(self) -> bool:
        """Whether nothing starts before this is mended or overridden."""
        return self.must and self.state == "fail"


@dataclass(frozen=True, slots=True)
class ChannelFound:
    """One channel that the model wants, as the stream has it."""

    label: str
    state: str
    found: str = ""  # under which name
    rms_uv: float | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A check that blocks, and why the operator starts all the same."""

    name: str
    reason: str
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it as it goes into the log and the recording."""
        return f"overridden: {self.name}. Reason: {self.reason}"


@dataclass(frozen=True, slots=True)
class Checks:
    """What one pre-flight said so far.

    Parameters
    ----------
    made_for : the settings that were checked, whatever they are; compared by value.
    ready : its verdict; None while it runs, or if it ended without one.
    done_unix_s : when it ended, by the clock on the wall.
    """

    made_for: object = None
    lines: tuple[CheckLine, ...] = ()
    channels: tuple[ChannelFound, ...] = ()
    extra: tuple[str, ...] = ()
    ready: bool | None = None
    overrides: tuple[Override, ...] = ()
    problem: str = ""  # why it ended without a verdict
    done_unix_s: float | None = None

    def with_line(self, text: str) -> "Checks":
        """Return these with one line of ``preflight --json``; others change nothing."""
        return self.with_object(read_object(text))

    def with_object(self, said: dict[str, Any]) -> "Checks":
        """Return these with one object of a check run."""
        changed = self
        if (line := read_check(said.get("check"))) is not None:
            changed = replace(changed, lines=(*self.lines, line)[-MOST_LINES:])
        if isinstance(said.get("channels"), list):
            changed = replace(
                changed,
                channels=tuple(_channels(said["channels"])),
                extra=texts(said.get("extra")),
            )
        if isinstance(said.get("ready"), bool):
            changed = replace(changed, ready=said["ready"])
        return changed

    @property
    def blocking(self) -> tuple[CheckLine, ...]:
        """What keeps Start from starting."""
        let_go = {override.name for override in self.overrides}
        return tuple(
            line for line in self.lines if line.blocks and line.name not in let_go
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """The options that the overrides ask of the run."""
        return tuple(dict.fromkeys(f for o in self.overrides for f in o.flags))

    def stale(self, wanted: object) -> bool:
        """Whether other settings were checked than those that are wanted now."""
        return bool(self.lines) and self.made_for != wanted


def may_start(checks: Checks, wanted: object) -> str:
    """Return why nothing may be started now; empty: it may."""
    if not checks.lines or checks.made_for is None:
        return "Not checked yet. Press Check first."
    if checks.stale(wanted):
        return "The settings changed since the check. Press Check again."
    if checks.blocking:
        names = ", ".join(line.name for line in checks.blocking)
        return f"Must be mended or overridden first: {names}."
    if checks.ready is None:
        return checks.problem or "The check is not done yet."
    if not checks.ready and all(line.state != "fail" for line in checks.lines):
        return "The check says no, but not why. Press Check again."
    return ""


def overridden(checks: Checks, reason: str) -> Checks:
    """Return the checks with all that blocks overridden for `reason`.

    Raises
    ------
    ValueError : no reason worth the name was given.
    """
    said = " ".join(reason.split())
    if len(said) < SHORTEST_REASON:
        raise ValueError("say in a few words why this run starts all the same")
    made = tuple(Override(b.name, said, b.flags) for b in checks.blocking)
    return replace(checks, overrides=checks.overrides + made)


def summary_words(checks: Checks) -> str:
    """Return what the list says as a whole."""
    count = {state: 0 for state in CHECK_WORDS}
    for line in checks.lines:
        count[line.state] += 1
    if checks.problem:
        return checks.problem
    if not checks.lines:
        return "Not checked yet."
    said = [f"{count['ok']} ready"]
    said += [f"{count['warn']} to look at"] if count["warn"] else []
    said += [f"{count['fail']} to mend"] if count["fail"] else []
    said += [f"{len(checks.overrides)} overridden"] if checks.overrides else []
    return ("Checking: " if checks.ready is None else "") + ", ".join(said) + "."


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object of a line; empty where it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def read_check(said: object) -> CheckLine | None:
    """Return a check as a child process wrote it; None: it is none."""
    if not isinstance(said, dict) or said.get("state") not in CHECK_WORDS:
        return None
    found, advice = str(said.get("found", "")), str(said.get("advice", ""))
    must = bool(said.get("must", said["state"] == "fail"))
    return CheckLine(
        name=str(said.get("name", "check")),
        state=said["state"],
        found=found,
        advice=advice,
        must=must,
        flags=tuple(dict.fromkeys(_FLAG.findall(str(said.get("override", ""))))),
    )


def texts(said: object) -> tuple[str, ...]:
    """Return the texts of a JSON list; empty where it is none."""
    return tuple(str(each) for each in said) if isinstance(said, list) else ()


def _channels(said: Iterable[object]) -> Iterable[ChannelFound]:
    for each in said:
        if isinstance(each, dict) and "label" in each:
            rms = each.get("rms_uv")
            yield ChannelFound(
                label=str(each["label"]),
                state=_channel_state(each),
                found=str(each.get("found") or ""),
                rms_uv=float(rms) if isinstance(rms, int | float) else None,
            )


def _channel_state(said: dict[str, Any]) -> str:
    """Return its state; one that is well but has another name is an alias."""
    state = str(said.get("state", "unknown"))
    return "alias" if said.get("match") == "alias" and state == "good" else state
