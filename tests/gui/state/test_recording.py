import pytest
from feed_messages import Played
from msgspec import UNSET, structs

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.recording import record_line
from rtbold.publish.wire import RecordingPart

FILE = "sub-S01_ses-01_task-nf_run-02_eeg.xdf"


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.state.address = "tcp://127.0.0.1:5580"
    made.tick()
    return made


def recorded(session, state="recording", *, begun_s=100.5, n_bytes=12_340_000):
    begun = None if begun_s is None else session.lsl_s - begun_s
    part = RecordingPart(state=state, file=FILE, n_bytes=n_bytes, t_begun=begun)
    session.send("quality", recording=part)


def line(session):
    return record_line(session.state, session.now_s)


def test_a_recording_is_told_with_its_run_file_and_size(session):
    recorded(session)
    session.wait(25.0)
    recorded(session, begun_s=125.5)
    found = line(session)
    assert (found.level, found.chip) == ("ok", "REC 2:05")
    assert found.run == "run 02 training  ·  S01"
    assert found.file == f"{FILE}  12.3 MB"
    assert found.elapsed == "0:27"
    assert found.address == "tcp://127.0.0.1:5580"
    assert "REC 2:05" in found.spoken


def test_what_is_not_recorded_is_amber_from_the_first_look_on(session):
    session.send("quality", recording=None)
    found = line(session)
    assert (found.level, found.chip, found.file) == ("degraded", "NOT RECORDED", "")
    session.send("quality", recording=UNSET)  # a session of an earlier version
    assert line(session).level == "degraded"
    assert line(session).chip == "NOT RECORDED, or not said"


@pytest.mark.parametrize(
    ("state", "begun_s", "level", "chip"),
    [
        ("failed", 100.0, "invalid", "REC FAILS"),
        ("stopped", 100.0, "invalid", "REC FAILS"),
        ("degraded", 100.0, "degraded", "REC 1:40"),
        ("starting", None, "degraded", "NOT RECORDED yet"),
        ("of_a_later_version", 100.0, "degraded", "REC 1:40"),
    ],
)
def test_a_recording_in_trouble_does_not_look_well(
    session, *, state, begun_s, level, chip
):
    recorded(session, begun_s=begun_s)
    part = session.state.quality.recording
    session.send("quality", recording=structs.replace(part, state=state))
    assert (line(session).level, line(session).chip) == (level, chip)


def test_nothing_runs_on_while_nobody_confirms_it(session):
    recorded(session)
    session.now_s += 60
    session.link(silent_s=60.0, alive=False)
    found = line(session)
    assert (found.level, found.chip) == ("silent", "REC? no heartbeat")
    assert found.elapsed == "0:02"
    assert found.file == f"{FILE}  12.3 MB"  # as it was


def test_a_session_that_stands_still_vouches_for_no_recording(session):
    """Its heartbeats go on: they are of another thread."""
    recorded(session)
    session.wait(60.5)
    found = line(session)
    assert (found.level, found.chip) == ("degraded", "REC? not said for 1:00")


@pytest.mark.parametrize(
    ("state", "level", "chip"),
    [
        ("failed", "invalid", "REC FAILED"),
        ("starting", "degraded", "ENDED, NOT RECORDED"),
    ],
)
def test_the_end_makes_no_recording_well(session, state, level, chip):
    recorded(session, state=state)
    session.send("bye")
    assert (line(session).level, line(session).chip) == (level, chip)


def test_after_the_end_the_time_stands_still(session):
    recorded(session)
    session.wait(20.0)
    session.send("bye")
    session.now_s += 100
    found = line(session)
    assert (found.level, found.chip, found.elapsed) == ("none", "RECORDED", "0:22")


def test_a_run_without_feedback_says_so(session):
    session.send("phase", run_type="transfer", block=0, t_on=session.lsl_s)
    assert line(session).run == "run 02 transfer  ·  no feedback shown  ·  S01"


def test_nothing_heard_is_no_session():
    state = DashboardState()
    found = record_line(state, 5.0)
    assert (found.level, found.chip) == ("none", "NO SESSION")
