import pytest
from hypothesis import given, strategies as st

from rtbold.publish.guests import (
    LONGEST_PREFIX,
    MOST_FOREIGN,
    MOST_FOREIGN_EACH,
    NOBODY,
    Allowance,
    Guests,
    Places,
    of_a_topic,
    read_frame,
)
from rtbold.publish.wire import TOPICS

SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"


@pytest.fixture
def guests():
    return Guests(Places(most=5))


def welcome(guests, *numbers):
    for number in numbers:
        assert guests.came(number) == []


def ask(guests, number, *prefixes, now_s=0.0, what=SUBSCRIBE):
    return [
        cut
        for prefix in prefixes
        for cut in guests.asked(number, what + prefix.encode(), now_s)
    ]


def test_an_allowance_grows_with_time_and_not_without_end():
    allowance = Allowance(3, 2.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True] * 3 + [False]
    assert [allowance.take(11.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(1000.0) for _ in range(4)] == [True] * 3 + [False]


def test_a_clock_that_goes_back_gives_nothing():
    allowance = Allowance(1, 1.0)
    assert allowance.take(10.0)
    assert not allowance.take(5.0)


def test_prefixes_of_topics_are_known_while_somebody_holds_them(guests):
    welcome(guests, 1, 2)
    ask(guests, 1, "pred.", "eeg")
    ask(guests, 2, "pred.")
    assert guests.prefixes == {"pred.", "eeg"}
    ask(guests, 1, "pred.", what=UNSUBSCRIBE)
    assert guests.prefixes == {"pred.", "eeg"}
    guests.left(2)
    assert guests.prefixes == {"eeg"}
    guests.left(1)
    assert guests.prefixes == frozenset()


def test_nobody_unsubscribes_another_one(guests):
    welcome(guests, 1, 2)
    ask(guests, 1, "eeg")
    ask(guests, 2, "eeg", what=UNSUBSCRIBE)
    ask(guests, NOBODY, "eeg", what=UNSUBSCRIBE)
    assert guests.prefixes == {"eeg"}


def test_who_has_too_many_foreign_prefixes_is_cut_off_alone(guests):
    welcome(guests, 1, 2)
    ask(guests, 2, "", "a game of ours")
    names = [f"x{k}" for k in range(MOST_FOREIGN_EACH + 3)]
    assert ask(guests, 1, *names) == [1]  # told once
    assert guests.n_cut == 1
    assert guests.prefixes == {""}


def test_all_together_hold_only_so_many_and_the_greediest_goes(guests):
    welcome(guests, 1, 2, 3, 4, 5)
    cut = []
    for k in range(MOST_FOREIGN_EACH):
        for number in (1, 2, 3, 4):
            cut += ask(guests, number, f"{number}-{k}")
    assert len(cut) == 1
    assert ask(guests, 5, "one of a newer version") == []
    assert MOST_FOREIGN < 4 * MOST_FOREIGN_EACH  # else this test shows nothing


def test_who_asks_too_fast_is_cut_off_whatever_it_asks(guests):
    welcome(guests, 1)
    assert ask(guests, 1, *["pred.fb"] * Places().asked_burst) == []
    assert ask(guests, 1, "pred.fb") == [1]


def test_who_asks_slowly_stays_for_ever(guests):
    welcome(guests, 1)
    for second in range(10_000):
        what = UNSUBSCRIBE if second % 2 else SUBSCRIBE
        assert ask(guests, 1, "eeg", now_s=float(second), what=what) == []


def test_too_long_a_frame_cuts_off(guests):
    welcome(guests, 1, 2)
    assert guests.asked(1, SUBSCRIBE + b"x" * LONGEST_PREFIX, 0.0) == []
    assert guests.asked(2, SUBSCRIBE + b"x" * (LONGEST_PREFIX + 1), 0.0) == [2]


def test_one_too_many_takes_the_place_of_one_that_never_asked(guests):
    welcome(guests, 1, 2, 3, 4, 5)
    for number in (1, 3, 4, 5):
        ask(guests, number, "hb")
    assert guests.came(6) == [2]
    guests.left(2)
    ask(guests, 6, "hb")
    assert guests.came(7) == [7]


def test_a_number_that_is_used_again_is_another_guest(guests):
    welcome(guests, 1)
    ask(guests, 1, *(f"x{k}" for k in range(MOST_FOREIGN_EACH)), "eeg")
    welcome(guests, 1)
    assert guests.prefixes == frozenset()
    assert ask(guests, 1, "x") == []


def test_what_comes_from_who_has_left_counts_for_nobody(guests):
    assert ask(guests, 9, "eeg") == []
    assert guests.prefixes == frozenset()
    assert len(guests) == 0


def test_who_leaves_without_a_word_is_counted(guests):
    welcome(guests, 1, 2)
    ask(guests, 2, "hb")
    guests.left(1)
    guests.left(2)
    guests.left(2)
    assert guests.n_silent == 1


def test_bytes_are_weighed_by_what_is_new():
    guests = Guests(Places(bytes_burst=1000, bytes_per_s=10.0))
    welcome(guests, 1)
    assert guests.received(1, 900, 0.0) == []
    assert guests.received(1, 900, 0.0) == []
    assert guests.received(1, 1900, 100.0) == []
    assert guests.received(1, 2000, 100.0) == [1]
    assert guests.received(2, 10**9, 100.0) == []  # left already


def test_a_key_that_is_taken_away_ends_its_connections(guests):
    welcome(guests, 1, 2, 3)
    guests.asked(1, SUBSCRIBE, 0.0, key="A")
    guests.asked(2, SUBSCRIBE, 0.0, key="B")
    guests.spoke(3)
    assert guests.without_a_key(frozenset({"A"})) == [2]
    assert guests.without_a_key(frozenset({"A"})) == []
    assert guests.n_cut == 0  # nobody did anything wrong


def test_all_together_send_only_so_much():
    guests = Guests(Places(bytes_burst=10_000, bytes_per_s=1.0))
    numbers = range(1, 30)
    welcome(guests, *numbers)
    cut = [n for number in numbers for n in guests.received(number, 9000, 0.0)]
    assert len(cut) == 29 - 16 * 10_000 // 9000
    assert guests.received(1, 9100, 0.0) == []  # a few more are nobody's fault


def test_requests_are_served_then_refused_then_cut_off():
    guests = Guests(Places(asked_burst=5, served_burst=2))
    welcome(guests, 1, 2)
    found = [guests.requested(1, 0.0) for _ in range(6)]
    assert found == ["serve"] * 2 + ["refuse"] * 3 + ["cut"]
    assert guests.requested(2, 0.0) == "serve"
    guests.cut(1)
    assert guests.requested(1, 0.0) == "ignore"


@given(st.binary(max_size=600))
def test_any_frame_is_read(frame):
    ask = read_frame(frame)
    assert len(ask.prefix) <= LONGEST_PREFIX
    assert (ask.kind == "nothing") == (frame[:1] not in (b"\x00", b"\x01"))


events = st.one_of(
    st.tuples(st.just("came"), st.integers(0, 8)),
    st.tuples(st.just("left"), st.integers(0, 8)),
    st.tuples(st.just("asked"), st.integers(-1, 8), st.binary(max_size=300)),
    st.tuples(
        st.just("asked"),
        st.integers(-1, 8),
        st.sampled_from([SUBSCRIBE, UNSUBSCRIBE]).flatmap(
            lambda what: st.sampled_from(TOPICS).map(lambda t: what + t.encode())
        ),
    ),
)


@given(st.lists(events, max_size=200))
def test_whatever_happens_what_is_kept_is_bounded(story):
    guests = Guests(Places(most=5))
    cut = set()
    for at, (what, *given_) in enumerate(story):
        if what == "left":
            guests.left(*given_)
            cut.discard(given_[0])
        elif what == "came":
            cut.discard(given_[0])
            cut.update(guests.came(*given_))
        else:
            cut.update(guests.asked(*given_, at / 100))
        assert all(of_a_topic(prefix) for prefix in guests.prefixes)
        assert len(set(guests.numbers) - cut) <= 6  # with `NOBODY`
