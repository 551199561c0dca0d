"""What a comparison of published and recomputed messages comes to."""

import functools

import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.bundle.card import N_QUANTILES, Intervals
from rtbold.config import FeedbackSettings
from rtbold.messages import MeasuredVolume, StreamChanged
from rtbold.predict.pipeline import PipelineSettings
from rtbold.record.events_read import Loss
from rtbold.session.published import Published
from rtbold.session.recompute import Recomputation, Remade, on_wire
from rtbold.session.truth import SessionTruth
from rtbold.session.verify import Comparison, Kind
from rtbold.window.schedule import ScheduleSettings

SECONDS, RATE_HZ = 60.0, 250.0
SETTINGS = PipelineSettings(schedule=ScheduleSettings(tr_s=rig.TR_S))
FED_BACK = FeedbackSettings(target="a")
QUANTILES = tuple(i / (N_QUANTILES - 1) for i in range(N_QUANTILES))
CARD = rig.card(
    intervals=Intervals(
        levels=(0.8, 0.95),
        half_width=((0.5, 0.9), (0.6, 0.9)),
        quantiles=(QUANTILES, QUANTILES),
    )
)
SAME = Kind(same=True, precision="f32")
OTHER = Kind(same=False, precision="f32", difference="it ran elsewhere")


def events():
    measured = [
        MeasuredVolume(k, ("a", "b"), (float(k % 3), float(k % 5)), arrived_s)
        for k, arrived_s in enumerate(rig.T0_S + 4 + rig.TR_S * np.arange(25.0))
    ]
    found = rig.in_order(
        rig.samples(rig.eeg(RATE_HZ, SECONDS), RATE_HZ, rig.every(RATE_HZ, SECONDS)),
        rig.triggers(SECONDS),
        rig.passing(SECONDS),
        measured,
    )
    return [StreamChanged(rig.stream(RATE_HZ)), *found]


EVENTS = events()


@functools.cache
def again():
    truth = SessionTruth(CARD, "a", tr_s=rig.TR_S)
    model = rig.RecordingModel()
    made = Recomputation(CARD, model, SETTINGS, feedback=FED_BACK, truth=truth)
    return list(made(EVENTS))


def as_published(late=()):
    """Return the messages of a session; volumes in `late` were late."""
    messages = {"pred.roi": [], "pred.fb": [], "truth": []}
    for one in again():
        if isinstance(one, Remade):
            index = one.prediction.tick.volume_index
            roi, fb = one.messages(late=index in late)
            after_s = 0.05 if index in late else -0.5
            for topic, fields in (("pred.roi", roi), ("pred.fb", fb)):
                t_s = (one.prediction.next_due_s or 0.0) + after_s
                age_ms = 1000 * (t_s - one.prediction.t_end_s)
                timed = {"age_ms": age_ms, "latency_ms": {"publish": 0.0}}
                messages[topic].append({**fields, **timed})
        else:
            messages["truth"].append(on_wire(one))
    return messages


@pytest.fixture
def published():
    return as_published()


def compared(messages, kind=SAME, *, whole=True, made=None):
    told = Published({t: tuple(m) for t, m in messages.items()}, whole, "here")
    comparison = Comparison(told, CARD)
    comparison(again() if made is None else made(comparison))
    return comparison.result(kind)


def with_values(messages):
    return max(i for i, m in enumerate(messages["pred.roi"]) if m["values"])


def test_a_session_is_identical_to_itself(published):
    found = compared(published)
    assert found.verdict == "identical", found
    assert found.n_compared["pred.roi"] == len(published["pred.roi"]) > 20
    assert found.n_compared["pred.fb"] == len(published["pred.fb"])
    assert found.n_compared["truth"] == len(published["truth"]) > 10
    assert found.largest == 0.0


class Learns:
    """Truth that teaches the intervals with each volume, far off the prediction."""

    def predicted(self, prediction):
        self.newest = prediction

    def measured(self, volume, *, say, learn):
        learn(np.zeros(2), np.full(2, 5.0))


def test_measured_volumes_move_the_intervals_from_then_on():
    made = Recomputation(
        CARD, rig.RecordingModel(), SETTINGS, feedback=FED_BACK, truth=Learns()
    )
    messages = [one.messages(late=False)[0] for one in made(EVENTS[:3000])]
    usable = [m for m in messages if m["values"]]
    assert len(usable) > 5
    widths = [m["high_80"][0] - m["values"][0] for m in usable]
    assert widths[-1] > widths[len(widths) // 2] > widths[0] + 0.01


def test_what_was_late_is_taken_over(published):
    late = as_published(late={10, 12})
    reasons = {m["volume_index"]: m["reasons"] for m in late["pred.roi"]}
    assert "late" in reasons[12]
    assert compared(late).verdict == "identical"


def test_late_against_the_published_times_is_a_difference():
    messages = as_published(late={10})
    number = [m["volume_index"] for m in messages["pred.roi"]].index(10)
    for topic in ("pred.roi", "pred.fb"):
        message = messages[topic][number]
        message["age_ms"] -= 1000.0
    found = compared(messages)
    assert (found.verdict, found.first.field) == ("different", "reasons")


@pytest.mark.parametrize(
    ("topic", "field", "change"),
    [
        ("pred.roi", "values", lambda v: [v[0], v[1] + 1e-6]),
        ("pred.roi", "values_z", lambda v: [v[0] + 1e-6, v[1]]),
        ("pred.roi", "low_80", lambda v: [v[0], v[1] + 1e-6]),
        ("pred.fb", "z", lambda v: v + 1e-6),
        ("pred.fb", "value", lambda v: v + 1e-6),
        ("pred.fb", "high", lambda v: None),
        ("pred.fb", "norm", lambda v: {**v, "n": 7}),
        ("pred.roi", "window", lambda v: {**v, "t_start": v["t_start"] + 0.1}),
        ("pred.roi", "reasons", lambda v: [*v, "rate"]),
        ("pred.fb", "status", lambda v: "invalid"),
        ("pred.roi", "volume_index", lambda v: v + 1),
    ],
)
def test_the_first_difference_is_shown(published, topic, field, change):
    number = with_values(published)
    was = published[topic][number][field]
    published[topic][number] = {**published[topic][number], field: change(was)}
    found = compared(published)
    assert found.verdict == "different"
    first = found.first
    assert (first.topic, first.field) == (topic, field)
    assert first.t_end_s == published[topic][number]["window"]["t_end"]
    if isinstance(was, list) and field != "reasons":
        assert first.roi in CARD.rois
        assert abs(first.published - first.recomputed) < 1e-5


def test_a_last_bit_on_another_machine_is_within_tolerance_and_not_identical(published):
    number = with_values(published)
    message = published["pred.roi"][number]
    values = [message["values"][0] + 1e-6, message["values"][1]]
    published["pred.roi"][number] = {**message, "values": values}
    found = compared(published, OTHER)
    assert found.verdict == "within_tolerance"
    assert "not identical: it ran elsewhere" in found.why


def test_a_status_on_another_machine_is_a_difference(published):
    number = with_values(published)
    changed = {**published["pred.fb"][number], "status": "invalid"}
    published["pred.fb"][number] = changed
    assert compared(published, OTHER).verdict == "different"


def test_a_message_that_does_not_come_out_is_a_difference(published):
    extra = {**published["pred.fb"][-1], "volume_index": 99}
    published["pred.fb"].append(extra)
    found = compared(published)
    assert (found.verdict, found.first.field) == ("different", "message")


def test_a_message_that_was_never_published_is_a_difference(published):
    del published["pred.roi"][10]
    found = compared(published)
    assert (found.verdict, found.first.topic) == ("different", "pred.roi")


def test_messages_that_a_crash_kept_back_at_the_end_are_none(published):
    shorter = {topic: those[:-2] for topic, those in published.items()}
    assert compared(shorter).verdict == "identical"


def test_messages_that_were_not_kept_are_passed_over(published):
    """A full disk, or an XDF that began later and lost its last second."""
    kept = {topic: those[3:10] + those[12:-1] for topic, those in published.items()}
    found = compared(kept, whole=False)
    assert found.verdict == "identical"
    assert found.n_compared["pred.roi"] == len(kept["pred.roi"])


def test_after_a_loss_nothing_is_called_exact(published):
    def broken(comparison):
        for n, one in enumerate(again()):
            if n == 20:
                comparison.lost(Loss("samples", "the samples 1 to 9 are gone"))
            yield one

    found = compared(published, made=broken)
    assert found.verdict == "not_verifiable"
    assert "are identical" in found.why
    assert "the samples 1 to 9 are gone" in found.why


def test_a_loss_after_the_last_message_changes_nothing(published):
    def broken(comparison):
        yield from again()
        comparison.lost(Loss("samples", "the last samples are gone"))

    found = compared(published, made=broken)
    assert found.verdict == "identical"
    assert "the last samples are gone" in found.notes


def test_a_part_that_is_left_out_is_a_note(published):
    def told(comparison):
        comparison.lost(Loss("part", "part 2 is left out"))
        yield from again()

    found = compared(published, made=told)
    assert (found.verdict, found.notes) == ("identical", ("part 2 is left out",))


def test_a_field_of_another_version_is_said_and_not_compared(published):
    for message in published["pred.roi"]:
        message["mood"] = "good"
    found = compared(published)
    assert found.verdict == "identical"
    assert "'mood', which this version has not" in found.notes[0]
