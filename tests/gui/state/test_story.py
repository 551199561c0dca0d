import pytest
from feed_messages import TR_S, Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.run_picture import run_picture, spoken
from rtbold.gui.state.story import MOST_MARKS


@pytest.fixture
def played():
    session = Played(DashboardState())
    session.hello()
    return session


def story(session):
    return session.state.story


def picture(session):
    state = session.state
    return run_picture(state.history, state.story, target="dmn", tr_s=state.tr_s)


def test_marks_and_notes_are_kept_with_their_times(played):
    played.send("log", text="operator: mark")
    played.send("log", text="operator: note a  b", t_lsl=1010.5)
    played.send("log", text="operator: jump")
    assert [(m.kind, m.text) for m in story(played).marks] == [
        ("mark", ""),
        ("note", "a  b"),
    ]
    assert story(played).marks[1].t_s == 1010.5


def test_marks_are_bounded(played):
    for k in range(MOST_MARKS + 3):
        played.send("log", text=f"operator: mark {k}", seq=k)
    assert len(story(played).marks) == MOST_MARKS
    assert story(played).marks[-1].text == f"{MOST_MARKS + 2}"


def test_a_block_is_kept_once_however_often_it_is_told(played):
    t_on_s = played.lsl_s
    for _ in range(3):
        played.send("phase", block=1, name="rest", t_on=t_on_s)
    played.send("phase", block=2, name="regulate", t_on=t_on_s + 20)
    played.send("phase", block=0, name="end", t_on=t_on_s)
    named = [block.name for block in story(played).blocks if block.block]
    assert named == ["rest", "regulate"]


def test_a_gap_lies_where_the_eeg_was_lost(played):
    played.send("quality", n_gaps=0, n_missing_samples=0)
    played.tick()
    t_s = played.lsl_s
    played.send("quality", n_gaps=1, lost_s=1.0, t_lsl=t_s)
    played.send("quality", n_gaps=1, lost_s=2.0, t_lsl=t_s + 1)  # it goes on
    played.send("quality", n_gaps=2, lost_s=2.5, t_lsl=t_s + 60)
    assert [(g.t_from_s - t_s, g.t_to_s - t_s) for g in story(played).gaps] == [
        pytest.approx((-1.0, 1.0)),
        pytest.approx((59.5, 60.0)),
    ]


def test_what_was_lost_before_the_window_joined_lies_nowhere(played):
    """It is counted; when it was, nobody has told."""
    played.send("quality", n_gaps=3, lost_s=40.0, t_lsl=played.lsl_s + 900)
    assert story(played).gaps == ()
    assert (story(played).n_gaps, story(played).total("lost_s")) == (3, 40.0)


def test_another_session_has_a_story_of_its_own(played):
    played.send("log", text="operator: mark x")
    played.send("hello", session="another")
    assert story(played).marks == ()


# The picture of it


def test_the_picture_has_everything_and_keeps_it(played):
    for _ in range(3):
        played.tick(value=0.5)
    for _ in range(2):
        played.tick("invalid", ("gap",))
    played.tick("degraded", ("interpolated",), value=0.7)
    played.send("log", text="operator: mark x")
    found = picture(played)
    lasted = [(s.status, (s.t_to_s - s.t_from_s) / TR_S) for s in found.statuses]
    assert [(status, round(n)) for status, n in lasted] == [
        ("ok", 3), ("invalid", 2), ("degraded", 1),
    ]  # fmt: skip
    assert [mark.text for mark in found.marks] == ["x"]
    assert [block.run_type for block in found.blocks] == ["train"]
    assert found.t_from_s < story(played).begun_s
    low, high = found.range
    assert low < -0.5
    assert high > 1.7  # with its interval
    assert found.share(found.t_from_s) == 0
    assert found.share(found.t_to_s) == 1
    before = found.trace.value.copy()
    for _ in range(5):
        played.tick(value=9.0)
    assert (found.trace.value[:3] == before[:3]).all()
    assert len(found.trace.value) == len(before)
    said = "dmn: ok 6 s, invalid 4 s, degraded 2 s, 0 gaps, 1 marks and notes"
    assert spoken(found) == said


def test_without_a_volume_there_is_no_picture(played):
    assert picture(played) is None
    assert "no volume" in spoken(None)
