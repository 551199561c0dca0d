import math

import pytest

from rtbold.client import Message
from rtbold.preflight.count import RehearsalCount

TR_S = 2.0


def message(topic, t_s, **body):
    return Message(topic, {"t_lsl": t_s, "replayed": False, **body}, t_s)


def beat(t_s, state="running"):
    return message("hb", t_s, state=state)


def answer(t_s, index, status="ok", *, reasons=(), value=0.5, age_ms=130.0, **more):
    return message(
        "pred.fb", t_s, volume_index=index, status=status, reasons=list(reasons),
        value=value if status in ("ok", "degraded") else None, age_ms=age_ms,
        latency_ms={"infer": 5.0}, **more,
    )  # fmt: skip


def trigger(t_s, kind="volume"):
    return message("trigger", t_s, kind=kind, t_trigger=t_s)


def counted(*messages, slices=1, age_s=0.002):
    count = RehearsalCount(slices=slices)
    count.take(message("hello", 0.0, tr_s=TR_S), age_s=math.inf)
    for each in messages:
        count.take(each, age_s=age_s)
    return count


def figures(*messages, **options):
    count = counted(*messages, **options)
    return count.figures(asked_s=60.0, locked=True, n_gaps=0)


def test_one_answer_a_volume():
    found = figures(
        beat(0.5, "starting"), beat(1.0, "waiting"),
        answer(2.0, None, "paused", reasons=["waiting_for_scanner"]),
        answer(4.0, 0, "warmup", reasons=["warmup"]),
        answer(6.0, 1), answer(8.0, 2, "invalid", reasons=["no_data"]), answer(10.0, 3),
        beat(30.0, "ended"),
    )  # fmt: skip
    assert (found.n_answers, found.n_volumes) == (5, 4)
    assert (found.n_volumes_missed, found.n_volumes_double) == (0, 0)
    assert (found.n_usable, found.n_after_usable) == (2, 3)
    assert found.by_status == {"ok": 2, "paused": 1, "warmup": 1, "invalid": 1}
    assert found.by_reason["no_data"] == 1
    assert found.ran_s == 9.0  # heartbeats while parts are closed do not count
    assert found.tr_s == TR_S


def test_missing_and_double_volumes_are_counted_and_a_new_run_is_neither():
    numbers = (0, 1, 4, 4, 5, 0, 1)
    found = figures(*(answer(2.0 * k, n) for k, n in enumerate(numbers)))
    assert (found.n_volumes_missed, found.n_volumes_double) == (2, 1)


def test_a_resent_answer_is_no_second_one():
    again = answer(6.5, 1)
    again.body["replayed"] = True
    assert figures(answer(6.0, 1), again).n_answers == 1


def test_late_answers_are_counted():
    found = figures(answer(2.0, 0, "degraded", reasons=["late"]), answer(4.0, 1))
    assert found.n_late == 1


def test_latency_comes_from_answers_with_a_value():
    found = figures(
        answer(2.0, 0, "invalid", age_ms=900.0),
        answer(4.0, 1, age_ms=100.0),
        answer(6.0, 2, age_ms=200.0),
    )
    assert (found.age_p50_ms, found.age_max_ms) == (150.0, 200.0)
    assert found.infer_p99_ms == 5.0
    assert found.feed_p99_ms == pytest.approx(2.0)
    assert figures(answer(2.0, 0, "invalid")).age_p99_ms is None
    assert figures(answer(2.0, 0), age_s=math.inf).feed_p99_ms is None


def test_triggers_missed_inside_a_train_are_counted_and_its_end_is_not():
    train = [trigger(t_s) for t_s in (10.0, 12.0, 14.0, 18.0, 20.0, 60.0, 62.0)]
    found = figures(beat(1.0), *train, message("quality", 75.0, n_triggers_double=3,
                    stream_state="running", rate_hz_effective=199.9, n_gaps=1,
                    n_missing_samples=40))  # fmt: skip
    assert found.n_triggers == 7
    assert found.trigger_every_s == 2.0
    assert (found.n_triggers_missed, found.n_triggers_double) == (1, 3)
    assert found.since_trigger_s == 13.0
    assert (found.n_gaps, found.n_missing_samples) == (1, 40)
    assert (found.rate_hz, found.stream_lost) == (199.9, False)


def test_slices_between_volumes_are_no_volumes():
    messages = [trigger(2.0), trigger(2.5, "late"), trigger(4.0), trigger(4.5, "late")]
    assert figures(*messages, slices=4).n_triggers == 2
    assert figures(*messages).n_triggers == 4


def test_a_stall_is_remembered():
    stalled = message("quality", 2.0, stream_state="stalled", rate_hz_effective=None)
    well = message("quality", 3.0, stream_state="running", rate_hz_effective=200.0)
    assert figures(stalled, well).stream_lost


def test_the_longest_silence_is_the_loops_and_not_the_starts():
    found = figures(
        beat(0.0, "starting"), beat(9.0, "starting"), beat(9.5), beat(10.0), beat(12.5)
    )
    assert found.longest_silence_s == 2.5


def test_memory_is_compared_between_the_first_third_and_the_end():
    count = counted()
    for mb in (100.0, 200.0, 300.0, *[340.0] * 6, 341.0):
        count.memory(mb)
    found = count.figures(asked_s=60.0, locked=True, n_gaps=2)
    assert (found.memory_begin_mb, found.memory_end_mb) == (340.0, 341.0)
    assert found.n_sequence_gaps == 2
    assert figures().memory_end_mb is None


def test_nothing_at_all_is_counted_too():
    found = figures()
    assert (found.n_answers, found.ran_s, found.trigger_every_s) == (0, 0.0, None)


def test_a_silence_that_lasts_to_the_end_is_one():
    found = figures(beat(1.0), beat(1.5), answer(6.0, 1), answer(8.0, 2))
    assert found.longest_silence_s == 6.5


def test_measured_volumes_are_counted_where_they_were_asked_for():
    count = counted(message("truth", 2.0), message("truth", 4.0))
    told = {"asked_s": 60.0, "locked": True, "n_gaps": 0}
    assert count.figures(**told).n_measured is None
    assert count.figures(**told, measures=True).n_measured == 2
