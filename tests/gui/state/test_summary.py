import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.summary import as_html, as_page, mark_rows, summary_rows
from rtbold.publish.wire import ChannelPart, RecordingPart, TruthScore


@pytest.fixture
def played():
    session = Played(DashboardState())
    session.hello(model_name="<S01 & co>")
    for _ in range(6):
        session.tick()
    session.tick("degraded", ("late",), age_ms=2200.0)
    session.tick("invalid", ("gap",))
    session.tick("paused", ("waiting_for_scanner",), volume_index=None, t_trigger=None)
    return session


def rows(played):
    return dict(summary_rows(played.state.summary()))


def test_the_numbers_are_those_that_came(played):
    found = played.state.summary()
    assert (found.n_volumes, found.n_runs, found.n_late) == (8, 1, 1)
    assert found.by_status == {"ok": 6, "degraded": 1, "invalid": 1, "paused": 1}
    assert found.worst_age_ms == 2200.0
    assert (found.age.p50, found.age.most, found.age.n) == (105.5, 2200.0, 7)
    assert found.ended == ""


def test_triggers_and_channels_come_from_the_newest_quality(played):
    parts = (
        ChannelPart(label="Cz", state="flat"),
        ChannelPart(label="O1", state="good"),
    )
    played.send("quality", n_triggers=18, n_triggers_missed=2, n_triggers_double=1,
                n_gaps=3, n_missing_samples=52, channels=parts)  # fmt: skip
    found = rows(played)
    assert found["triggers"] == "18, missed 2, double 1, late 0"
    assert found["gaps in the EEG"] == "3, 0.0104 s lost (52 samples)"
    assert "Cz 90 %" in found["channels, share of time good (worst five)"]


def test_volumes_that_never_arrived_are_counted(played):
    played.volume += 3
    played.tick()
    assert played.state.summary().n_lost_volumes == 4  # the paused one had no volume


def test_r_is_given_with_its_interval_or_not_at_all(played):
    good = TruthScore(r=0.41, low=0.2, high=0.58, n_eff=44.2, n=120)
    few = TruthScore(r=None, low=None, high=None, n_eff=11.0, n=35)
    played.send("truth", rois=("dmn", "V1"), values=(1.0, 2.0), filtered=(),
                predicted=(), scores=(good, few), target_score=few)  # fmt: skip
    text = as_html(played.state.summary())
    assert (
        "<b>dmn</b>&nbsp;&nbsp;</td><td>R +0.41 [+0.20, +0.58], 120 volumes"
    ) in text
    assert "not enough (11.0 independent volumes)" in text
    assert "causal" in text
    assert rows(played)["measured against predicted: dmn"].startswith("not enough")


def test_nothing_measured_is_said(played):
    found = rows(played)
    assert found["measured against predicted: dmn"] == "not measured"
    assert "no goodbye" in found["end"]
    played.send("bye")
    assert rows(played)["end"].endswith("(end)")


def test_an_empty_session_has_a_summary_too():
    found = as_html(DashboardState().summary())
    assert "none measured" in found
    assert "not said" in found


def test_html_escapes_what_came_over_the_wire(played):
    page = as_html(played.state.summary())
    assert "&lt;S01 &amp; co&gt;" in page
    assert "<S01" not in page


def test_simulated_data_are_named(played):
    played.send("hello", simulated_stream=True)
    assert "SIMULATED EEG" in rows(played)["model"]


# What must survive: reconnections, counters that begin anew, messages that are lost


def test_no_gap_is_forgotten_when_the_counters_begin_anew(played):
    played.send("quality", n_gaps=3, n_missing_samples=5000, lost_s=1.0,
                n_triggers=90, n_triggers_missed=2, n_triggers_double=1)  # fmt: skip
    played.send("quality", n_gaps=0, n_triggers=1)  # another process, same session
    played.send("quality", n_gaps=1, n_missing_samples=10_000, lost_s=2.0,
                n_triggers=5, n_triggers_missed=1)  # fmt: skip
    found = rows(played)
    assert found["gaps in the EEG"] == "4, 3 s lost (15000 samples)"
    assert found["triggers"] == "95, missed 3, double 1, late 0"


def test_what_comes_after_all_is_not_lost(played):
    played.send("quality", n_gaps=1, n_missing_samples=500, lost_s=0.1)
    played.send("quality", n_gaps=1, n_missing_samples=0)
    assert rows(played)["gaps in the EEG"] == "1, of unknown length"


def test_a_gap_that_predictions_tell_of_is_never_no_gap(played):
    """The session of an earlier version counts nothing between two connections."""
    for _ in range(2):
        played.tick("invalid", ("gap",))
    played.tick()
    played.tick("invalid", ("no_data",))
    found = rows(played)["gaps in the EEG"]
    assert found == "3, of unknown length"  # one more in the fixture
    state = DashboardState()
    deaf = Played(state)
    deaf.hello()
    deaf.send("pred.fb", status="invalid", reasons=("gap",))
    assert rows(deaf)["gaps in the EEG"].startswith("at least 1")


def test_joining_the_same_session_again_forgets_nothing(played):
    played.send("quality", n_gaps=2, n_missing_samples=9, lost_s=0.5)
    played.link(n_gaps=4)
    before = played.state.summary()
    played.state.disconnect()
    played.link(n_gaps=0)
    played.send("hello", model_name="<S01 & co>")
    after = played.state.summary()
    assert after.n_messages_lost == before.n_messages_lost == 4
    assert (after.n_gaps, after.by_status) == (before.n_gaps, before.by_status)
    played.link(n_gaps=1)
    assert played.state.summary().n_messages_lost == 5


def test_marks_notes_start_end_target_path_and_reasons_are_listed(played):
    played.state.story.folder = "/data/today"
    recording = RecordingPart(
        state="recording", file="sub-S01_ses-01_task-nf_run-02_eeg.xdf",
        n_bytes=12_340_000, t_begun=played.lsl_s,
    )  # fmt: skip
    played.send("quality", recording=recording, n_triggers=9)
    for text in (
        "operator: mark eyes <open>", "operator: note cap is tight",
        "operator: pause", "status ok: well", "no operator: mark",
    ):  # fmt: skip
        played.send("log", text=text)
    played.send("trigger", kind="late")
    played.send("bye", reason="end")
    summary = played.state.summary()
    found = dict(summary_rows(summary))
    assert found["run"] == "02 training"
    assert found["target"] == "dmn"
    stem = "sub-S01_ses-01_task-nf_run-02"
    path = f"/data/today/sub-S01/ses-01/eeg/{stem}/{stem}_eeg.xdf"
    assert found["recording"] == f"{path}, 12.3 MB"
    assert found["start"][:2] == "20"
    assert found["end"].endswith(", after 0:18 (end)")
    assert found["triggers"].endswith("late 1")
    assert found["reasons"].startswith("predictions or triggers come too late (1); ")
    assert [what for _, what in mark_rows(summary)] == [
        "1  mark: eyes <open>", "2  note: cap is tight", "3  paused",
    ]  # fmt: skip
    assert "note: cap is tight" in as_html(summary)
    assert "mark: eyes &lt;open&gt;" in as_page(summary)


def test_a_session_that_records_nothing_says_so(played):
    played.send("quality", recording=None)
    assert rows(played)["recording"] == "none that this window knows of"
