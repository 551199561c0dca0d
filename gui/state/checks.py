"""What keeps a run from starting: checks, their age, overrides, notes. Pure."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from rtbold.gui.state.setup import LONGEST_NOTE, Run
from rtbold.gui.state.words import wall_words
from rtbold.messages import Check, CheckState

CHECK_WORDS: dict[CheckState, tuple[str, str]] = {
    "ok": ("✓", "ready"),
    "warn": ("▲", "look"),
    "fail": ("✕", "must be mended"),
}
OVERRIDE_WORD = "OVERRIDE"
SHORTEST_REASON = 4
MOST_LINES = 200
_FLAG = re.compile(r"--[a-z][a-z-]*[a-z]")


def word_of(check: Check) -> str:
    """Return its state in words."""
    if check.state == "fail" and not check.must:
        return "should be mended"
    return CHECK_WORDS[check.state][1]


def flags_of(check: Check) -> tuple[str, ...]:
    """Return the options of the run that let it start all the same."""
    return tuple(dict.fromkeys(_FLAG.findall(check.override)))


EFFECTS: dict[str, str] = {  # of an override, as the session's messages tell it
    "--allow-unvalidated": "says in every message that the model is not validated",
    "--allow-domain-shift": "says in every message that cleaning or place differ",
    "--allow-simulated-model": "keeps every value invalid: the model is simulated",
    "--interpolate": "fills the missing channels from their neighbours: degraded",
}
LET_GO = "this check is let go"


def effect_words(line: Check) -> str:
    """Return what overriding a check comes to."""
    flags = flags_of(line)
    if not flags:
        return "→ Nothing lets a session start with this: expect it to refuse, or end."
    effects = " and ".join(EFFECTS.get(flag, LET_GO) for flag in flags)
    return f"→ The session starts, and {effects}."


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
    lines: tuple[Check, ...] = ()
    channels: tuple[ChannelFound, ...] = ()
    extra: tuple[str, ...] = ()
    ready: bool | None = None
    overrides: tuple[Override, ...] = ()
    problem: str = ""  # why it ended without a verdict
    done_unix_s: float | None = None

    def with_line(self, text: str) -> "Checks":
        """Return these with one line of ``preflight --json``; others change nothing."""
        said, changed = read_object(text), self
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
    def blocking(self) -> tuple[Check, ...]:
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
    made = tuple(Override(b.name, said, flags_of(b)) for b in checks.blocking)
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


def read_check(said: object) -> Check | None:
    """Return a check as a child process wrote it; None: it is none."""
    if not isinstance(said, dict) or said.get("state") not in CHECK_WORDS:
        return None
    return Check(
        name=str(said.get("name", "check")),
        state=said["state"],
        found=str(said.get("found", "")),
        advice=str(said.get("advice", "")),
        must=bool(said.get("must", said["state"] == "fail")),
        override=str(said.get("override", "")),
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


# Which settings differ between two command lines, by the names of the page.

NAMES = {
    "--stream": "the EEG stream",
    "--host": "the EEG stream",
    "--subject": "the subject or model",
    "--model": "the subject or model",
    "--root": "the folder of the subjects",
    "--target": "the target",
    "--trigger-stream": "where the TR comes from",
    "--trigger-host": "where the TR comes from",
    "--trigger-channel": "where the TR comes from",
    "--trigger": "the trigger's label",
    "--trigger-every": "the triggers per volume",
    "--tr": "the TR",
    "--dummy-volumes": "the dummy volumes",
    "--protocol": "the protocol",
    "--kind": "the protocol",  # which says the kind
    "--confirmed-by": "who confirmed",
    "--blind": "the blinded study",
    "--record": "the recording folder",
    "--record-copy": "the second copy",
    "--record-as": "the subject or model",
    "--session": "the names of the recording",
    "--task": "the names of the recording",
    "--cleaning": "what cleaned the EEG",
    "--scanner": "the scanner's state",
    "--truth": "measured BOLD",
    "--truth-roi": "measured BOLD",
    "--truth-first": "measured BOLD",
    "--truth-by-onset": "measured BOLD",
    "--unit": "the unit",
    "--reference": "the reference",
    "--interpolate": "the interpolation",
    "--upstream-delay-ms": "the delay of the cleaning",
    "--engine": "the engine",
    "--precision": "the precision",
    "--port": "the ports",
    "--control-port": "the ports",
}
SOMETHING = "a setting"
MOST_NAMES = 4


def changed_words(before: object, now: object) -> str:
    """Return what differs, such as "the EEG stream and the TR".

    Parameters
    ----------
    before, now : words of a command line; of anything else it says "a setting".
    """
    if not isinstance(before, tuple) or not isinstance(now, tuple):
        return SOMETHING
    old, new = _options(before), _options(now)
    options = [each for each in (*NAMES, *old, *new) if old.get(each) != new.get(each)]
    names = list(dict.fromkeys(NAMES.get(option, SOMETHING) for option in options))
    return _listed(names) or SOMETHING


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option; what comes before the first is left out."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            values = found.setdefault(word, [])
        else:
            values.append(word)
    return found


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        more = len(names) - MOST_NAMES + 1
        names = [*names[: MOST_NAMES - 1], f"{more} more"]
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last


# How old a check is, and whether it is still one of these settings.

AgeLevel = Literal["none", "fresh", "old", "changed"]
OLD_S = 600.0  # cables, electrodes and other programs have had their time


@dataclass(frozen=True, slots=True)
class CheckAge:
    """What is said of it; empty words: there is nothing to say."""

    level: AgeLevel = "none"
    words: str = ""


def age_of(checks: Checks, wanted: object, now_unix_s: float) -> CheckAge:
    """Return the age of a check.

    Parameters
    ----------
    wanted : settings of now.
    now_unix_s : time of day; a machine that slept has no other clock that went on.
    """
    if checks.stale(wanted):
        what = changed_words(checks.made_for, wanted)
        words = f"▲ Not checked since you changed {what}. Check again before Start."
        return CheckAge("changed", words)
    done_s = checks.done_unix_s
    if done_s is None or checks.ready is None:
        return CheckAge()
    age_s, at = now_unix_s - done_s, wall_words(1000 * done_s)
    if age_s < 0:
        return CheckAge("old", f"▲ Checked {at}, but the clock was set back since.")
    if age_s < OLD_S:
        return CheckAge("fresh", f"Checked {at} ({ago_words(age_s)}).")
    words = f"▲ Checked {at} ({ago_words(age_s)}): that is old. Better check again."
    return CheckAge("old", words)


def ago_words(age_s: float) -> str:
    """Return an age in words, in whole minutes."""
    hours, minutes = divmod(int(age_s // 60), 60)
    if hours:
        return f"{hours} h {minutes} min ago"
    return f"{minutes} min ago" if minutes else "less than a minute ago"


# What the operator writes down before a run: impedance, light, eyes.

EYES = ("open", "closed", "open and closed")
LIGHT = ("on", "dimmed", "off")
NOTES_HOLD_S = 12 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotes:
    """Quick fields and free text; they hold for this session only.

    Remembered for `NOTES_HOLD_S`: an impedance of yesterday is none of today.
    """

    impedance: str = ""
    light: str = ""
    eyes: str = ""
    free: str = ""

    def remembered(self, now_unix_s: float) -> dict[str, str]:
        """Return what to keep for a restart of the window; nothing if all is empty."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        said = {name: text for name, text in kept.items() if text}
        return {**said, "at": f"{now_unix_s:.0f}"} if said else {}

    @classmethod
    def from_remembered(cls, kept: Mapping[str, str], now_unix_s: float) -> Self:
        """Return what was kept; none where it is old, or cannot be read."""
        try:
            age_s = now_unix_s - float(kept.get("at", "nan"))
        except ValueError:
            age_s = math.nan
        if not 0 <= age_s < NOTES_HOLD_S:
            return cls()
        return cls(**{f.name: kept.get(f.name, "") for f in fields(cls)})

    def lines(self) -> tuple[str, ...]:
        """Return a note for each thing that was written down."""
        said = (
            ("impedance", self.impedance),
            ("light", self.light),
            ("eyes", self.eyes),
            ("note", self.free),
        )
        return tuple(f"{what}: {text}"[:LONGEST_NOTE] for what, text in said if text)


def notes_of_start(
    run: Run, notes: SessionNotes, overrides: tuple[Override, ...]
) -> tuple[str, ...]:
    """Return what the session is told at its start, a NOTE each."""
    first = f"run {run.number:02d}, {run.kind}" + (f": {run.note}" if run.note else "")
    told = (first, *notes.lines(), *(str(override) for override in overrides))
    return tuple(text[:LONGEST_NOTE] for text in told)


# Whether the run that is marked may be started now.


def hindrance(
    run: Run | None,
    checks: Checks,
    *,
    wanted: object,
    missing: Sequence[str] = (),
    wrong: Sequence[str] = (),
    running: Run | None = None,
    heard: bool = False,
    rehearsing: bool = False,
) -> str:
    """Return why `run` cannot be started, and what to do; empty: it can.

    Parameters
    ----------
    run : the one that is marked; None: it was started before, or none is.
    wanted : settings of now; `checks` must have been made for them.
    missing : what was not chosen yet.
    wrong : what was chosen and cannot be, a sentence each.
    running : the run of this plan that is under way.
    heard : a session lives on the feed that this window shows, whoever started it.
    rehearsing : a rehearsal has the streams and the ports.
    """
    if running is not None:
        return f"Run {running.number} is running. Stop it on the Session page first."
    if rehearsing:
        return "A rehearsal is running. Wait for its end, or stop it there."
    if heard:
        return "A session runs already on the feed that this window shows."
    if wrong:
        return " ".join(wrong)
    if missing:
        return f"Still missing: {', '.join(missing)}."
    if run is None:
        return "Mark a run that was not started yet, or add one."
    return may_start(checks, wanted)
