import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.summary import as_html, as_text, summary_rows
from rtbold.publish.wire import ChannelPart, TruthScore


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
    played.send("quality", n_triggers=8, n_triggers_missed=2, n_triggers_double=1,
                n_gaps=3, n_missing_samples=52, channels=parts)  # fmt: skip
    found = rows(played)
    assert found["triggers"] == "8, missed 2, double 1"
    assert found["gaps in the EEG"] == "3, 52 samples missing"
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
    text = as_text(played.state.summary())
    assert "dmn: R +0.41 [+0.20, +0.58], 120 volumes" in text
    assert "V1: not enough (11.0 independent volumes)" in text
    assert "causal" in text
    assert rows(played)["measured against predicted: dmn"].startswith("not enough")


def test_nothing_measured_is_said(played):
    found = rows(played)
    assert found["measured against predicted: dmn"] == "not measured"
    assert "no goodbye" in found["end"]
    played.send("bye")
    assert rows(played)["end"] == "end"


def test_an_empty_session_has_a_summary_too():
    found = as_text(DashboardState().summary())
    assert "none measured" in found
    assert "not said" in found


def test_html_escapes_what_came_over_the_wire(played):
    page = as_html(played.state.summary())
    assert "&lt;S01 &amp; co&gt;" in page
    assert "<S01" not in page


def test_simulated_data_are_named(played):
    played.send("hello", simulated_stream=True)
    assert "SIMULATED EEG" in rows(played)["model"]
