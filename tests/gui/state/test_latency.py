import math

import pytest
from feed_messages import LAG_S, received

from rtbold.gui.state.latency import LatencyBook
from rtbold.publish.wire import LatencyPart

OFFSET_S = -LAG_S


def fb(volume=0, *, publish_to_us_s=0.001, t_lsl=1005.0, **changes):
    came_s = t_lsl + OFFSET_S + publish_to_us_s
    return received(
        "pred.fb", volume=volume, t_lsl=t_lsl, t_received_s=came_s, **changes
    )


def test_an_empty_book_knows_nothing_and_says_so():
    rows = {row.stage: row for row in LatencyBook().budget()}
    assert all(row.ms is None for row in rows.values())
    assert "Measure the cleaning delay" in rows["cleaning software"].note
    assert "photodiode" in rows["screen"].note


def test_stages_are_those_of_the_message_and_the_rest_is_the_filter():
    book = LatencyBook()
    book.take(fb(), OFFSET_S)
    assert book.times("acquire").last == 15.0
    assert book.times("infer").p50 == 13.0
    assert book.times("age").p50 == 105.5
    assert book.times("filter").p50 == pytest.approx(105.5 - 15 - 2 - 13 - 0.5)
    assert book.times("feed").p50 == pytest.approx(1.0)
    assert book.times("upstream").p50 is None


def test_drawing_is_from_arrival_to_the_first_paint():
    book = LatencyBook()
    given = fb(7)
    book.take(given, OFFSET_S)
    book.painted(7, given.t_received_s + 0.025)
    book.painted(7, given.t_received_s + 9)
    book.painted(99, given.t_received_s)
    assert (book.times("draw").p50, book.times("draw").n) == (pytest.approx(25.0), 1)


def test_the_sum_is_from_brain_event_to_pixel_and_names_what_is_unknown():
    book = LatencyBook()
    given = fb()
    book.take(given, OFFSET_S)
    book.painted(0, given.t_received_s + 0.025)
    rows = {row.stage: row for row in book.budget()}
    assert rows["sum"].ms == pytest.approx(105.5 + 1 + 25)
    assert rows["sum"].note == "at least: unknown are cleaning software, screen"
    assert "5 s" in rows["BOLD itself"].note
    assert rows["BOLD itself"].ms is None


def test_a_known_upstream_delay_is_in_the_sum():
    book = LatencyBook()
    stages = LatencyPart(upstream=37.0, acquire=15.0, prepare=2.0, infer=13.0,
                         publish=0.5)  # fmt: skip
    book.take(fb(latency_ms=stages), OFFSET_S)
    rows = {row.stage: row for row in book.budget()}
    assert rows["cleaning software"].ms == 37.0
    assert "cleaning" not in rows["sum"].note


def test_percentiles():
    book = LatencyBook()
    for k in range(1, 101):
        book.take(fb(k, age_ms=float(k)), OFFSET_S)
    times = book.times("age")
    assert (times.n, times.last, times.most) == (100, 100.0, 100.0)
    assert times.p50 == pytest.approx(50.5)
    assert times.p95 == pytest.approx(95.05)
    assert book.times("age", newest=10).p50 == pytest.approx(95.5)


def test_replayed_and_unusable_ones_say_nothing_about_times():
    book = LatencyBook()
    book.take(fb(replayed=True), OFFSET_S)
    book.take(fb(status="invalid", reasons=("gap",)), OFFSET_S)
    assert book.times("age").n == 0


def test_the_feed_is_unknown_before_a_heartbeat():
    book = LatencyBook()
    book.take(fb(), math.inf)
    assert book.times("feed").n == 0
    assert book.times("age").n == 1


def test_the_book_is_bounded():
    book = LatencyBook(most=50)
    for k in range(200):
        book.take(fb(k), OFFSET_S)
    assert book.times("age").n == 50
    assert len(book._unpainted) <= 16
