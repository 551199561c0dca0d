"""Whether a recorded session's predictions and feedback come out again, bit for bit.

Compared is everything that is a result: windows, status, reasons, values, z, intervals,
feedback and truth. When a message was computed and sent is not a result; whether it was
late is taken over, and checked against the times that were published with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtbold.blinding import ARM_RECORD, UNBLINDED_NAME, note_of, opened_records
from rtbold.bundle import Bundle, Card
from rtbold.engine import deviation, why_refused
from rtbold.errors import DataFileError
from rtbold.feedback import choose_target
from rtbold.messages import Float32Array
from rtbold.predict import Model
from rtbold.publish import Phase, Truth as TruthMessage
from rtbold.record import EVENTS_NAME, Loss, session_events
from rtbold.session.blinded import blinded_again
from rtbold.session.protocol import follower, recorded_protocol
from rtbold.session.published import (
    Fields,
    Published,
    Topic,
    compared_keys,
    read_published,
    with_sealed,
)
from rtbold.session.recompute import Follows, Recomputation, Remade, on_wire
from rtbold.session.recorded import RecordedSettings
from rtbold.session.replay import NEEDS_KEY
from rtbold.session.truth import SessionTruth

Verdict = Literal["identical", "different", "within_tolerance", "not_verifiable"]
# What another CPU may round otherwise; all else must agree whatever computes it.
ROUNDED = frozenset((
    "values", "values_z", "value", "z", "low", "high", "low_80", "high_80",
    "unlikeness", "mirrored", "filtered", "predicted", "scores", "target_score",
    "shown", "percentile", "reward_threshold",
))  # fmt: skip
_LATE_ROUNDING_S = 2e-6  # of the published times
_LOOK_AHEAD = 50  # messages; those that were not kept may lie between
_MOST_LOSSES = 5  # that are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a recomputed message is not the published one."""

    topic: Topic
    field: str
    published: object
    recomputed: object
    volume_index: int | None = None
    t_end_s: float | None = None  # of its window
    roi: str | None = None
    status: tuple[str, str] = ("", "")  # published, recomputed
    reasons: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def rounded(self) -> bool:
        """Whether rounding alone may have made it."""
        known = self.published is not None and self.recomputed is not None
        return self.field in ROUNDED and known


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """On what a session is recomputed, beside what it ran on."""

    same: bool  # engine, file and machine are the session's
    precision: str
    difference: str = ""  # in words, where they are not, or that is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of it."""

    verdict: Verdict
    why: str  # in a sentence; of a verdict that is not "identical"
    n_compared: Mapping[Topic, int]
    first: Difference | None = None
    largest: float | None = None  # difference of a value, model units
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    """What a comparison has come to so far."""

    n: dict[Topic, int] = field(default_factory=dict)
    first: Difference | None = None
    serious: Difference | None = None  # the first that is no rounding
    published: list[tuple[float, ...]] = field(default_factory=list)
    recomputed: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.first = self.first or difference
        if not difference.rounded:
            self.serious = self.serious or difference


class Comparison:
    """Takes recomputed messages in order; compares each with the one published.

    Parameters
    ----------
    published : of the session.
    card : the session's.
    """

    def __init__(self, published: Published, card: Card) -> None:
        self._published = published
        self._rois = card.rois
        self._card = card
        self._at: dict[Topic, int] = dict.fromkeys(published.messages, 0)
        self._found = _Found(dict.fromkeys(published.messages, 0))
        self._losses: list[Loss] = []
        self._notes = list(published.notes)
        self._broken: Loss | None = None  # the first after which nothing is exact

    def lost(self, loss: Loss) -> None:
        """Take word that something of the recording is missing from here on."""
        self._losses.append(loss)
        if loss.kind != "part":
            self._broken = self._broken or loss

    def __call__(self, made: Iterable[Remade | TruthMessage | Phase]) -> None:
        """Compare until nothing more comes, or a loss makes the rest inexact."""
        for one in made:
            if self._broken is not None:
                return
            if isinstance(one, Remade):
                self._prediction(one)
            elif isinstance(one, Phase):
                self._pair("phase", on_wire(one))
            else:
                self._pair("truth", on_wire(one))

    def result(self, kind: Kind) -> Verification:
        """Return the verdict."""
        self._look_at_the_end()
        found = self._found
        notes = [*self._notes, *(str(loss) for loss in self._losses[:_MOST_LOSSES])]
        if (n_more := len(self._losses) - _MOST_LOSSES) > 0:
            notes.append(f"and {n_more} losses more")
        largest = self._largest()
        verdict, why = self._verdict(kind, largest)
        return Verification(
            verdict=verdict,
            why=why,
            n_compared=found.n,
            first=found.first,
            largest=largest,
            notes=tuple(notes),
        )

    def _verdict(self, kind: Kind, largest: float | None) -> tuple[Verdict, str]:
        found = self._found
        if found.serious is not None:
            return "different", "what was published does not come out again"
        if found.first is not None:
            if kind.same:
                return "different", "what was published does not come out again"
            return self._by_tolerance(kind, largest)
        if not any(found.n.values()):
            return "not_verifiable", "no published message could be compared"
        if self._broken is not None and self._n_left():
            return "not_verifiable", (
                f"the first {sum(found.n.values())} messages are identical; the "
                f"{self._n_left()} after them cannot be recomputed exactly: "
                f"{self._broken}"
            )
        return "identical", ""

    def _by_tolerance(self, kind: Kind, largest: float | None) -> tuple[Verdict, str]:
        """Judge what another engine or machine rounds otherwise."""
        words = kind.difference
        answers, reference = self._values()
        if not len(answers):
            return "different", f"{words}; no value can be judged by a tolerance"
        found = deviation(answers, reference)
        off = f"largest difference {largest:.2g} model units ({found})"
        refused = why_refused(found, self._card, kind.precision)
        if refused is not None:
            return "different", f"{words}; {off}, more than rounding: {refused}"
        return "within_tolerance", (
            f"not identical: {words}. Status and reasons agree everywhere; values are "
            f"within the engine's own tolerance, {off}"
        )

    def _n_left(self) -> int:
        return self._published.n - sum(self._at.values())

    def _prediction(self, made: Remade) -> None:
        late = self._is_late(made)
        roi, fb = made.messages(late=late)
        self._pair("pred.roi", roi)
        if "pred.roi" not in self._published.messages:
            values = roi["values"] or [None] * len(self._rois)
            fb["mirrored"] = [_as_float32(v) for v in (*values, fb["value"])]
        self._pair("pred.fb", fb)

    def _is_late(self, made: Remade) -> bool:
        """Whether the session found it late, as it published."""
        index = made.prediction.tick.volume_index
        moment = made.prediction.t_end_s, -1 if index is None else index
        for topic, those in self._published.messages.items():
            for fields in those[self._at[topic] :][:_LOOK_AHEAD]:
                if topic in ("pred.roi", "pred.fb") and _moment(fields) == moment:
                    late = "late" in fields.get("reasons", ())
                    self._check_late(topic, fields, late=late)
                    return late
        return False

    def _check_late(self, topic: Topic, fields: Fields, *, late: bool) -> None:
        """Hold `late` against the times that were published with it."""
        due_s, age_ms = fields.get("next_due_lsl"), fields.get("age_ms")
        publish_ms = (fields.get("latency_ms") or {}).get("publish")
        if fields.get("status") == "paused":
            return
        if due_s is None or age_ms is None or publish_ms is None:
            return
        t_s = fields["window"]["t_end"] + (age_ms - publish_ms) / 1000
        if abs(t_s - due_s) > _LATE_ROUNDING_S and (t_s > due_s) is not late:
            told = "late" if late else "not late"
            came = f"{t_s - due_s:+.6f} s after it was due"
            self._found.add(
                _difference(topic, (fields, fields), "reasons", values=(told, came))
            )

    def _pair(self, topic: Topic, remade: Fields) -> None:
        """Compare a recomputed message with the published one of the same moment."""
        those = self._published.messages.get(topic)
        if those is None:
            return
        at = self._at[topic]
        if not self._published.whole:  # what was not kept is passed over
            while at < len(those) and _moment(those[at]) < _moment(remade):
                at += 1
            self._at[topic] = at
            if at == len(those) or _moment(those[at]) != _moment(remade):
                return
        if at == len(those):
            return  # a crash: it was computed, and not published any more
        self._at[topic] = at + 1
        self._found.n[topic] += 1
        self._keep_values(those[at], remade)
        for key in compared_keys(those[at]):
            if (found := self._unequal(topic, key, (those[at], remade))) is not None:
                self._found.add(found)

    def _unequal(
        self, topic: Topic, key: str, messages: tuple[Fields, Fields]
    ) -> Difference | None:
        """Return the first difference in a field; None: it agrees, or is unknown."""
        published, remade = messages
        if key not in remade:
            note = f"{topic} was published with {key!r}, which this version has not"
            if note not in self._notes:
                self._notes.append(note)
            return None
        was, now = published[key], remade[key]
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            now = {name: now.get(name) for name in was}
        if isinstance(was, list | tuple) and isinstance(now, list | tuple):
            for i, (one, other) in enumerate(zip(was, now, strict=False)):
                if one != other:
                    roi = self._roi(key, i, published)
                    pair = one, other
                    return _difference(topic, messages, key, values=pair, roi=roi)
            if len(was) == len(now):
                return None
        if was == now:
            return None
        return _difference(topic, messages, key, values=(was, now))

    def _roi(self, key: str, i: int, published: Fields) -> str | None:
        """Return which ROI number `i` of a field is; None: it is not by ROI."""
        if key not in ROUNDED:
            return None
        rois = published.get("rois") or self._rois  # truth has its own
        return rois[i] if i < len(rois) else None

    def _keep_values(self, published: Fields, remade: Fields) -> None:
        key = "values" if "values" in published else "mirrored"
        was, now = published.get(key), remade.get(key)
        n = len(self._rois)
        if "volume_index" in published and was and now and len(was) >= n:
            pair = tuple(was[:n]), tuple(now[:n])
            if None not in pair[0] and None not in pair[1]:
                self._found.published.append(pair[0])
                self._found.recomputed.append(pair[1])

    def _values(self) -> tuple[Float32Array, Float32Array]:
        found = self._found
        return (
            np.array(found.recomputed, dtype=np.float32),
            np.array(found.published, dtype=np.float32),
        )

    def _largest(self) -> float | None:
        answers, reference = self._values()
        if not len(answers):
            return None
        return float(np.abs(answers.astype(np.float64) - reference).max())

    def _look_at_the_end(self) -> None:
        """Say what was published and never came out."""
        if self._broken is not None or self._found.serious is not None:
            return
        for topic, those in self._published.messages.items():
            left = those[self._at[topic] :]
            if left:
                text = f"{len(left)} messages that do not come out"
                pair: tuple[Fields, Fields] = (left[0], {})
                self._found.add(
                    _difference(topic, pair, "message", values=(text, None))
                )


def _as_float32(value: float | None) -> float | None:
    """Return a value as the mirror sends it."""
    return None if value is None else float(np.float32(value))


def _moment(fields: Fields) -> tuple[float, int]:
    """Return what puts messages of a topic in order."""
    index = fields.get("volume_index")
    window = fields.get("window") or {}
    t_s = window.get("t_end") or fields.get("t_on") or 0.0
    return float(t_s), -1 if index is None else int(index)


def _difference(
    topic: Topic,
    messages: tuple[Fields, Fields],
    key: str,
    *,
    values: tuple[object, object],
    roi: str | None = None,
) -> Difference:
    """Return a difference; messages and values are the published and the other one."""
    published, remade = messages
    window = published.get("window") or {}
    return Difference(
        topic=topic,
        field=key,
        published=values[0],
        recomputed=values[1],
        volume_index=published.get("volume_index"),
        t_end_s=window.get("t_end"),
        roi=roi,
        status=(published.get("status") or "", remade.get("status") or ""),
        reasons=(
            tuple(published.get("reasons") or ()),
            tuple(remade.get("reasons") or ()),
        ),
    )


def verify_session(
    folder: Path,
    bundle: Bundle,
    model: Model,
    *,
    settings: RecordedSettings,
    kind: Kind,
) -> Verification:
    """Recompute a recorded session and compare it with what it published.

    Parameters
    ----------
    folder : of the session.
    bundle : its model, with its own card.
    model : its engine.
    kind : what that engine is beside the session's.

    Raises
    ------
    DataFileError : log, settings or what was published cannot be read.
    """
    published, blinded = read_published(folder), None
    if note_of(folder) is not None:
        records = opened_records(folder)
        if records is None:
            return Verification(verdict="not_verifiable", why=NEEDS_KEY, n_compared={})
        published = with_sealed(published, records)
        blinded = blinded_again(_arm_of(folder, records), bundle.card)
    comparison = Comparison(published, bundle.card)
    events = session_events(folder / EVENTS_NAME, tell=comparison.lost)
    assert events is not None  # the caller found the folder by its event log
    again = Recomputation(
        bundle.card,
        model,
        settings.pipeline,
        feedback=settings.run.fed_back,
        withheld=settings.run.withheld(bundle.card),
        carried=settings.carried_baseline,
        where=settings.where,
        truth=_truth(bundle.card, settings),
        blinded=blinded,
        follows=_follows(folder, settings),
    )
    comparison(again(events))
    return comparison.result(kind)


def _arm_of(folder: Path, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for record in records:
        if record.get("record") == ARM_RECORD:
            return record
    raise DataFileError(
        f"{folder / UNBLINDED_NAME} does not say which arm it was, expected its first "
        "line to do so. Unblind the session again."
    )


def _follows(folder: Path, settings: RecordedSettings) -> Follows | None:
    """Return the protocol of the session from its start; None: it had none."""
    if (asked := settings.protocol) is None:
        return None
    protocol = recorded_protocol(folder, asked)
    return Follows(protocol, follower(protocol, asked))


def _truth(card: Card, settings: RecordedSettings) -> SessionTruth | None:
    """Return what paired measured BOLD in the session; None: it measured none."""
    run = settings.run
    if run.truth is None:
        return None
    return SessionTruth(
        card,
        choose_target(card, run.target).name,
        tr_s=settings.pipeline.schedule.tr_s,
        first=run.truth_first,
        by_onset=run.truth_by_onset,
    )
