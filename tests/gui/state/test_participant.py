from dataclasses import dataclass

import pytest
from msgspec import UNSET

from rtbold.gui.state.participant import TRACE_POINTS, TRACE_S, ParticipantLevel


@dataclass
class Shown:
    kind: str = "value"
    z: float | None = 0.0
    flips: int = 0
    share: object = UNSET


@pytest.mark.parametrize(
    ("z", "level"), [(0, 0.5), (3, 1), (-3, 0), (99, 1), (-99, 0), (1.5, 0.75)]
)
def test_z_within_three_is_mapped_and_the_rest_clipped(z, level):
    assert ParticipantLevel().take(Shown(z=z), 0.0).level == pytest.approx(level)


def test_the_range_can_be_narrower():
    assert ParticipantLevel(1.5).take(Shown(z=0.75), 0.0).level == pytest.approx(0.75)


@pytest.mark.parametrize(
    "shown", [Shown("neutral", 1.0), Shown(z=None), Shown(z=float("nan"))]
)
@pytest.mark.parametrize("smooth", [True, False])
def test_what_may_not_be_shown_is_neutral_at_once(shown, smooth):
    level = ParticipantLevel(smooth=smooth)
    assert level.take(Shown(z=2.0), 0.0).level is not None
    assert level.take(shown, 0.01).level is None


def test_a_held_value_stays():
    level = ParticipantLevel()
    first = level.take(Shown("value", 1.0), 0.0).level
    assert level.take(Shown("hold", 1.0), 1.0).level == first


def test_the_square_flips_with_each_update():
    level = ParticipantLevel()
    assert [level.take(Shown(flips=n), 0.0).lit for n in range(4)] == [
        False,
        True,
        False,
        True,
    ]


def test_smoothing_glides_and_arrives():
    level = ParticipantLevel(smooth=True)
    level.take(Shown(z=-3.0), 0.0)
    path = [level.take(Shown(z=3.0), 0.033 * k).level for k in range(60)]
    assert path == sorted(path)
    assert 0 <= path[1] < 0.3
    assert path[-1] > 0.99


def test_smoothing_does_not_depend_on_the_frame_rate():
    slow, fast = (ParticipantLevel(smooth=True) for _ in range(2))
    slow.take(Shown(z=0.0), 0.0)
    fast.take(Shown(z=0.0), 0.0)
    for k in range(1, 10):
        fast.take(Shown(z=3.0), 0.05 * k)
    last = fast.take(Shown(z=3.0), 0.5).level
    assert slow.take(Shown(z=3.0), 0.5).level == pytest.approx(last)


def test_the_trace_is_the_last_minute_and_bounded():
    level = ParticipantLevel()
    for frame in range(100_000):
        level.take(Shown(z=1.0), frame / 30)
    trace = level.trace(99_999 / 30)
    assert 0 <= trace[-1][0] < 0.2
    assert TRACE_S - 1 < trace[0][0] <= TRACE_S
    assert len(trace) <= TRACE_POINTS


def test_the_square_stands_still_while_nothing_is_shown():
    level = ParticipantLevel()
    assert level.take(Shown(flips=1), 0.0).lit
    assert level.take(Shown("neutral", None, flips=2), 1.0).lit
    assert level.take(Shown("neutral", None, flips=0), 2.0).lit
    assert not level.take(Shown(flips=2), 3.0).lit


def test_two_updates_between_two_frames_are_one_flip():
    level = ParticipantLevel()
    assert level.take(Shown(flips=1), 0.0).lit
    assert not level.take(Shown(flips=3), 10.0).lit


def test_another_range_or_a_fault_flips_nothing():
    level = ParticipantLevel()
    level.take(Shown(flips=1), 0.0)
    level.set_scale(2.0, smooth=True)
    assert level.take(Shown(flips=1), 1.0).lit
    assert level.neutral().lit
    assert level.take(Shown(flips=1), 2.0).lit


def test_where_the_window_stood_still_there_is_no_line():
    level = ParticipantLevel()
    level.take(Shown(z=0.0), 0.0)
    level.take(Shown(z=3.0), 10.0)
    assert level.trace(10.0) == [(10.0, 0.5), (10.0, None), (0.0, 1.0)]


def test_what_the_session_limited_is_drawn_as_it_is_whatever_z_says():
    level = ParticipantLevel(1.5)
    assert level.take(Shown(z=9.0, share=0.25), 0.0).level == 0.25
    assert level.ranged
    assert level.take(Shown(z=9.0, share=None), 0.1).level is None
    assert level.take(Shown(z=9.0, share=1.2), 0.2).level is None
    assert ParticipantLevel(down=True).take(Shown(share=0.25), 0.0).level == 0.75
