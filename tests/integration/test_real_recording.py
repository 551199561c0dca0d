"""A brain's signal through the whole loop, in real time, from two players.

`rtbold play` gives it artificial triggers; mne-lsl's PlayerLSL has none, so that
session runs free. The shipped models, the small network and the band-power ridge, are
of simulated lineage: pred.roi carries values, pred.fb must not. Nothing here says
anything about BOLD.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from loop import PATIENCE_S, Listener, Process, Rtbold, free_ports, new_name
from real_eeg import CLOSED_S, OPEN_S, recording_path

from rtbold.bundle.store import load

pytestmark = [pytest.mark.integration]
CARD = load("demo").card  # demo-ridge has the same channels and ROIs
TR_S = 2.1
WARM_UP_S = 16.0 + 2 * TR_S  # a full window, and filters that have settled
SPARE_S = 30.0  # the player outlives the session
SHORT_START_S, SHORT_S = 1183.0, 60.0  # "sitting quietly on bed", eyes open and closed
# Awakened at 899 s; of the 10 minutes from here no window holds a movement so large
# that the amplitude check refuses it.
LONG_START_S, LONG_S = 820.0, 625.0
PLAYER = Path(__file__).parents[1] / "support" / "mne_lsl_player.py"
TOPICS = ("hello", "pred.roi", "pred.fb", "quality", "bands")
LEAST_USED = 16  # volumes, before the EEG was unlike the twin's for a minute


@dataclass
class Ran:
    """What one session published, and how it ended."""

    seconds: float
    roi: list
    fb: list
    quality: list
    bands: list
    code: int
    said: str

    @property
    def volumes(self):
        return [m for m in self.roi if m["volume_index"] is not None]


def run(model, name, options, seconds):
    ports = free_ports()
    with (
        Listener(ports[0], TOPICS) as listener,
        Rtbold(
            "run", "--model", model, "--stream", name, "--wait", PATIENCE_S,
            "--allow-simulated-model", "--duration", seconds,
            "--port", ports[0], "--control-port", ports[1], *options,
        ) as running,
    ):  # fmt: skip
        listener.while_running(running, seconds + 3 * PATIENCE_S)
        return Ran(
            seconds,
            *(listener.of(t) for t in ("pred.roi", "pred.fb", "quality", "bands")),
            code=running.wait(1),
            said=running.said(),
        )


def with_rtbold_play(start_s, seconds):
    name = new_name("play")
    player = Rtbold(
        "play", recording_path(), "--name", name, "--wait", PATIENCE_S,
        "--start", start_s, "--duration", seconds + SPARE_S,
        "--no-markers", "--trigger-every-s", TR_S,
    )  # fmt: skip
    locked = ("--trigger-stream", f"{name}-markers", "--trigger", "R128")
    with player:
        return run("demo", name, locked, seconds)


def with_mne_lsl(start_s, seconds):
    name = new_name("player")
    stop_s = start_s + seconds + PATIENCE_S + SPARE_S
    span = [str(start_s), str(stop_s)]
    with Process([sys.executable, PLAYER, recording_path(), name, *span]) as player:
        ran = run("demo-ridge", name, ("--tr", TR_S), seconds)
        assert player.running, player.said()
        return ran


PLAYERS = {"rtbold": with_rtbold_play, "mne_lsl": with_mne_lsl}


def minute_with_rtbold_play(_root):
    return with_rtbold_play(SHORT_START_S, SHORT_S)


def minute_with_mne_lsl(_root):
    return with_mne_lsl(SHORT_START_S, SHORT_S)


TOGETHER = {minute_with_rtbold_play: SHORT_S, minute_with_mne_lsl: SHORT_S}


@pytest.fixture(scope="module")
def ten_minutes():
    recording_path()
    with ThreadPoolExecutor(len(PLAYERS)) as pool:
        yield {
            name: pool.submit(play, LONG_START_S, LONG_S)
            for name, play in PLAYERS.items()
        }


def check_one_prediction_per_tr(ran):
    assert ran.code == 0, ran.said
    volumes = ran.volumes
    assert [m["volume_index"] for m in volumes] == list(range(len(volumes)))
    t_end_s = np.array([m["window"]["t_end"] for m in volumes])
    np.testing.assert_allclose(np.diff(t_end_s), TR_S, rtol=0, atol=0.01)
    # From the start of the session to its end, but for what is lost on starting.
    assert len(volumes) * TR_S > ran.seconds - 3 * TR_S
    for topic in (ran.roi, ran.fb):
        assert [m["seq"] for m in topic] == list(range(len(topic)))
    same = [(m["volume_index"], m["window"]) for m in ran.fb]
    assert same == [(m["volume_index"], m["window"]) for m in ran.roi]


def check_every_window_is_answered(ran):
    """Return the answers after warm-up; only EEG unlike the twin's makes one null."""
    after = [
        m
        for m in ran.volumes
        if m["window"]["t_end"] > ran.volumes[0]["window"]["t_end"] + WARM_UP_S
    ]
    for message in after:
        assert "simulated_model" in message["reasons"]
        assert "gap" not in message["reasons"]
        if message["status"] == "invalid":
            assert "unlike_calibration" in message["reasons"]
            assert message["values"] is None
    used = [m for m in after if m["status"] != "invalid"]
    assert {m["status"] for m in used} == {"degraded"}
    values = np.array([m["values"] for m in used])
    assert values.shape == (len(used), len(CARD.rois))
    assert np.isfinite(values).all()
    assert len(used) >= LEAST_USED
    assert np.all(np.std(values, axis=0) > 0)
    return after


def check_feedback_is_withheld(ran):
    for message in ran.fb:
        assert message["value"] is None
        assert message["z"] is None
        assert message["status"] in ("invalid", "warmup", "paused")
        if message["volume_index"] is not None:
            assert "simulated_model" in message["reasons"]


def check_no_gap_is_reported(ran):
    last = ran.quality[-1]
    assert last["stream_state"] == "running"
    for count in ("n_gaps", "n_missing_samples", "n_stamp_steps"):
        assert last[count] == 0, ran.said
    assert last["n_triggers_missed"] == last["n_triggers_double"] == 0
    assert [c["label"] for c in last["channels"]] == list(CARD.channels)


def check(ran):
    check_one_prediction_per_tr(ran)
    check_feedback_is_withheld(ran)
    check_no_gap_is_reported(ran)
    return check_every_window_is_answered(ran)


@pytest.mark.realtime
@pytest.mark.parametrize("scenario", TOGETHER)
def test_a_minute_of_a_brain_is_predicted_once_per_tr(together, scenario):
    assert len(check(together(scenario))) >= 16


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("player", PLAYERS)
def test_ten_minutes_of_a_brain_are_predicted_once_per_tr(ten_minutes, player):
    after = check(ten_minutes[player].result(880))
    assert len(after) * TR_S >= 600


@pytest.mark.long
@pytest.mark.timeout(900)
def test_alpha_with_eyes_closed_is_seen_in_bands(ten_minutes):
    ran = ten_minutes["rtbold"].result(880)
    # The first artificial trigger is the first sample that was played.
    start_s = ran.volumes[0]["t_trigger"] - LONG_START_S
    rows = [CARD.channels.index(name) for name in ("O1", "O2")]

    def alpha_uv2(spans_s):
        within = [
            np.mean(np.array(m["power_uv2"])[m["bands"].index("alpha"), rows])
            for m in ran.bands
            if any(
                m["t_start"] - start_s >= first_s and m["t_end"] - start_s <= last_s
                for first_s, last_s in spans_s
            )
        ]
        assert len(within) > 20
        return np.median(within)

    assert alpha_uv2(CLOSED_S) > 2 * alpha_uv2(OPEN_S)
