"""Whether a client showed what it may: its acknowledgements against the rules. Pure.

An author's client says what it shows each time that this changes (or more often), as
one JSON object: ``{"show": "value", "value": 0.42}``, ``{"show": "neutral"}``. A
reference, `rtbold.client`, reads the same feed; what differs for longer than a grace is
a finding, in words that say which rule was broken. Time is an argument.
"""

import bisect
import json
import math
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final, Literal

from rtbold.bridge.news import Shown

GRACE_S: Final = 0.5  # that a client may be late, or ahead of the reference
LONGEST_ACK: Final = 4096  # characters
MOST_ACKS: Final = 200_000  # an hour at 60 Hz is as many
CLOSE: Final = 1e-4  # to a number, relatively: a client may round
_SHOWS: Final = ("value", "hold", "neutral")


@dataclass(frozen=True, slots=True)
class Ack:
    """What a client says that it shows."""

    show: Literal["value", "hold", "neutral"]
    value: float | None = None  # the number on the screen, `value` or `z`

    @classmethod
    def parse(cls, text: str) -> "Ack":
        """Read one acknowledgement.

        Raises
        ------
        ValueError : it is none; says what was expected.
        """
        expected = 'expected {"show": "value", "hold" or "neutral", "value": number}'
        try:
            found = json.loads(text[:LONGEST_ACK])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no JSON; {expected}") from error
        if not isinstance(found, dict) or found.get("show") not in _SHOWS:
            raise ValueError(f"no show; {expected}")
        value = found.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"value is no number; {expected}")
        if value is not None and not math.isfinite(value):
            value = None  # a client that turns null into NaN
        return cls(found["show"], value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a client did wrong."""

    rule: str
    detail: str
    t_s: float


@dataclass(frozen=True, slots=True)
class _State:
    begun_s: float
    shown: Shown


class Judge:
    """Compares what a client showed with what it might have shown.

    Parameters
    ----------
    grace_s : that a client may be late.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._states: list[_State] = []
        self._acks: list[tuple[float, Ack]] = []
        self._end_s = 0.0

    @property
    def n_acks(self) -> int:
        """How many acknowledgements came."""
        return len(self._acks)

    def expect(self, shown: Shown, now_s: float) -> None:
        """Note what the rules let an app show from now on."""
        self._end_s = now_s
        if not self._states or self._states[-1].shown != shown:
            self._states.append(_State(now_s, shown))

    def acknowledge(self, ack: Ack, now_s: float) -> None:
        """Note what the client says."""
        if len(self._acks) < MOST_ACKS:
            self._acks.append((now_s, ack))

    def findings(self) -> list[Finding]:
        """Return what was wrong, in the order of time."""
        if not self._acks:
            why = "no acknowledgement came: send one each time that you show another"
            return [Finding("says nothing", why, self._end_s)]
        found, wrong = [], set()
        for n, (t_s, ack) in enumerate(self._acks):
            near = self._between(t_s - self._grace_s, t_s + self._grace_s)
            if near and not any(_fits(ack, shown) for shown in near):
                wrong.add(n)
                found.append(self._name(ack, near[-1], t_s))
        return sorted([*found, *self._missed(wrong)], key=lambda each: each.t_s)

    def _missed(self, wrong: Set[int]) -> Iterator[Finding]:
        """Yield what was not shown though it lasted.

        Parameters
        ----------
        wrong : numbers of acknowledgements that are findings already.
        """
        ends_s = [state.begun_s for state in self._states[1:]]
        ends_s.append(self._end_s)
        times_s = [t_s for t_s, _ in self._acks]
        for state, end_s in zip(self._states, ends_s, strict=True):
            due_s = state.begun_s + self._grace_s
            if due_s >= end_s or state.begun_s < times_s[0]:
                continue  # too short to be seen, or the client was not there yet
            n = bisect.bisect_right(times_s, due_s) - 1
            if n not in wrong and not _fits(self._acks[n][1], state.shown):
                yield self._name(self._acks[n][1], state.shown, due_s, late=True)

    def _between(self, first_s: float, last_s: float) -> list[Shown]:
        """Return what might be shown at some moment of an interval."""
        before = [s.shown for s in self._states if s.begun_s <= first_s][-1:]
        within = [s.shown for s in self._states if first_s < s.begun_s <= last_s]
        return before + within

    def _name(
        self, ack: Ack, shown: Shown, t_s: float, *, late: bool = False
    ) -> Finding:
        """Return the finding for an acknowledgement that does not fit `shown`."""
        what = f"{ack.show}" + ("" if ack.value is None else f" {ack.value:g}")
        still = "still " if late else ""
        detail = f"{still}showed {what} where {_words(shown)} was to be shown"
        return Finding(self._rule(ack, shown), detail, t_s)

    def _rule(self, ack: Ack, shown: Shown) -> str:
        if ack.show == "neutral":
            return "showed neutral though there was a value"
        if "no_heartbeat" in shown.reasons:
            return "missed heartbeats: a publisher that is silent for 2 s is dead"
        if {"no_phase", "no_feedback_run"} & set(shown.reasons):
            return "showed a value in a run that shows no feedback"
        if self._was_shown_before(ack):
            return "showed a stale value"
        if shown.show != "value":
            return "read `value` when status was neither ok nor degraded"
        return "showed a number that was neither value nor z"

    def _was_shown_before(self, ack: Ack) -> bool:
        usable = [s.shown for s in self._states if s.shown.show == "value"]
        return ack.value is not None and any(_same(ack.value, s) for s in usable)


def _fits(ack: Ack, shown: Shown) -> bool:
    """Whether a client may show this at that moment."""
    if shown.show == "neutral" or ack.show == "neutral":
        return ack.show == shown.show
    if shown.show == "value" and ack.show == "hold":
        return False  # it did not notice the new one
    return ack.value is None or _same(ack.value, shown)


def _same(number: float, shown: Shown) -> bool:
    known = [x for x in (shown.value, shown.z) if x is not None]
    return any(math.isclose(number, x, rel_tol=CLOSE, abs_tol=CLOSE) for x in known)


def _words(shown: Shown) -> str:
    if shown.show == "neutral":
        return f"neutral ({', '.join(shown.reasons) or 'no value'})"
    return f"{shown.show} {shown.value:g} of volume {shown.volume_index}"


def report(findings: list[Finding], *, n_acks: int, begun_s: float) -> list[str]:
    """Return the findings as lines: each rule once, how often, and the first time."""
    if not findings:
        return [f"{n_acks} acknowledgements, nothing wrong"]
    counts = Counter(each.rule for each in findings)
    lines = []
    for rule, n in counts.most_common():
        first = next(each for each in findings if each.rule == rule)
        when = f"first at {first.t_s - begun_s:.1f} s: {first.detail}"
        lines.append(f"{rule} ({n} times; {when})")
    return lines
