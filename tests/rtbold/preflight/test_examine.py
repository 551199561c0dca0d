"""Everything that is opened, with streams that are made up and a clock that is told."""

import itertools
import json
import os
import sys
import threading
from dataclasses import replace

import numpy as np
import pipeline_rig as rig
import pytest
from blinded_runs import study
from bundles import CHANNELS, write_tiny
from verdicts import make_verdict

from rtbold.bundle.card import Origin
from rtbold.config import RunSettings
from rtbold.errors import StreamMismatch, StreamNotFound
from rtbold.messages import Channel, Check, Marker
from rtbold.preflight import streams
from rtbold.preflight.examine import PreflightSettings, _verdict, examine_session
from rtbold.preflight.stream_checks import ChannelReport
from rtbold.protocol import example

RATE_HZ = 250.0
SECONDS = 6.0


class World:
    """Streams that are not there, and a clock that moves when they are listened to."""

    def __init__(self):
        self.now = rig.T0_S
        self.stream = rig.stream(RATE_HZ, CHANNELS, host="vm")
        self.markers = rig.stream(0.0, (), name="M", host="vm")
        self.labels = ["R128"]
        self.refuse = lambda settings: None
        self.asked = []
        self.closed = 0

    def now_s(self):
        return self.now

    def acquisition(self, settings):
        return Acquisition(self, settings)


class Acquisition:
    refused = None

    def __init__(self, world, settings):
        world.asked.append(settings)
        self._world, self._settings = world, settings
        self.description = self.marker_description = None
        self._chunks = self._all_chunks()
        self._n = 0

    def start(self):
        world = self._world
        error = world.refuse(self._settings)
        if not getattr(error, "eeg_is_lost", error is not None):
            self.description = world.stream
        if error is not None:
            raise error
        if self._settings.trigger is not None:
            self.marker_description = world.markers
        return self.description

    def _all_chunks(self):
        data_uv = rig.eeg(RATE_HZ, SECONDS, n_channels=len(self._world.stream.channels))
        return rig.samples(data_uv, RATE_HZ, rig.every(RATE_HZ, SECONDS))

    def events(self, timeout_s=0.0):
        if timeout_s == 0.0:
            return []
        self._world.now += timeout_s
        found = list(itertools.islice(self._chunks, 1))
        volume = int((self._world.now - rig.T0_S) / rig.TR_S)
        if self._settings.trigger is not None and volume >= self._n:
            t_s = rig.T0_S + self._n * rig.TR_S
            label = self._world.labels[self._n % len(self._world.labels)]
            found.append(Marker(label, t_s, t_s))
            self._n += 1
        return found

    def close(self):
        self._world.closed += 1


@pytest.fixture
def world(monkeypatch):
    world = World()
    monkeypatch.setattr(streams, "Acquisition", world.acquisition)
    return world


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    write_tiny(folder)
    real = Origin(kind="subject", simulated_lineage=False, subject="S01")
    write_tiny(folder, name="real", origin=real, scanner="outside")
    return folder


def look(world, root, *, model="tiny", **changes):
    known = {
        "model": str(root / f"{model}.rtbold"),
        "trigger_stream": "M",
        "port": 0,
        "control_port": 0,
        "engine": "openvino",
    }
    run = RunSettings(**{**known, **changes})
    settings = PreflightSettings(run=run, listen_s=SECONDS)
    world.now, world.closed = rig.T0_S, 0
    found = list(examine_session(settings, world))
    checks = {one.name: one for one in found if isinstance(one, Check)}
    reports = [one for one in found if isinstance(one, ChannelReport)]
    assert world.closed == ("samples" in checks)  # what was opened is closed
    return checks, reports


def failed(checks):
    return {name for name, check in checks.items() if check.state == "fail"}


def test_a_bundle_without_a_seal_is_warned_of(world, root, tmp_path):
    made = write_tiny(tmp_path)
    fields = json.loads((made.path / "card.json").read_text("utf-8"))
    del fields["sealed"]
    (made.path / "card.json").write_text(json.dumps(fields), "utf-8")
    (made.path / "card.json.sha256").unlink()
    checks, _ = look(world, tmp_path)
    assert failed(checks) == set()
    assert checks["seal"].state == "warn"
    assert "rtbold models seal" in checks["seal"].advice
    assert "seal" not in look(world, root)[0]


def test_all_is_well(world, root):
    checks, (report,) = look(world, root)
    assert failed(checks) == set()
    assert list(checks)[:3] == ["model", "target", "verdict"]
    assert "3 in 6 s" in checks["triggers"].found
    assert checks["samples"].state == "ok"
    assert [line.state for line in report.lines] == ["good"] * len(CHANNELS)
    assert checks["recording folder"].state == "warn"
    assert "feedback from Heschl's gyrus" in checks["target"].found


def test_the_protocols_run_is_said_and_what_it_refuses_fails(world, root, tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(example())
    found = look(world, root, protocol=path)[0]
    assert failed(found) == set()
    assert found["protocol"].found.startswith("example, Run 1: localiser 'resting'")
    assert look(world, root, protocol=path, run=9)[0]["protocol"].state == "fail"
    path.write_bytes(example().replace(b"tr_s = 2.1", b"tr_s = 2.0"))
    checks = look(world, root, protocol=path)[0]
    assert failed(checks) == {"protocol"}
    assert "for a TR of 2 s" in checks["protocol"].found
    path.write_bytes(example().replace(b"cycles", b"cycels"))
    assert (
        "Did you mean 'cycles'" in look(world, root, protocol=path)[0]["protocol"].found
    )


def test_a_blinded_session_says_its_place_and_what_any_arm_lacks(world, root, tmp_path):
    said = set()
    for arm in ("real", "inverse"):
        study(tmp_path / "s", arm, arms=("real", "inverse"))
        given = {"blind": tmp_path / "s", "record": tmp_path, "record_as": "S01"}
        checks = look(world, root, **given)[0]
        said.add((checks["blinding"].state, checks["blinding"].found))
    assert said == {("ok", "study 'nf1', place K7M2P")}
    checks = look(world, root, **{**given, "record_as": "S02"})[0]
    assert checks["blinding"].state == "fail"
    assert "'S02' is not in the allocation" in checks["blinding"].found
    study(tmp_path / "s", "real", arms=("real", "yoked"))
    checks = look(world, root, **given, duration_s=60.0)[0]
    assert "there are no recordings" in checks["blinding"].found


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities")
def test_a_session_that_would_give_way_is_told(world, root):
    def lowered():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        found.append(look(world, root)[0]["priority"])

    found = []
    thread = threading.Thread(target=lowered)  # which alone has it, and ends with it
    thread.start()
    thread.join()
    assert (found[0].state, found[0].must) == ("warn", False)
    assert "policy batch" in found[0].found


def test_without_a_model_the_streams_are_looked_at_all_the_same(world, root):
    checks, reports = look(world, root, model="nope")
    assert failed(checks) == {"model"}
    assert reports == []
    assert checks["samples"].state == "ok"
    assert checks["triggers"].state == "warn"  # the TR to compare is not known


def test_a_wrong_target_does_not_hide_the_rest(world, root):
    checks, reports = look(world, root, target="Nowhere")
    assert failed(checks) == {"target"}
    assert len(reports) == 1


def test_no_triggers_were_named(world, root):
    checks, reports = look(world, root, trigger_stream=None)
    assert failed(checks) == {"triggers"}
    assert "--trigger-stream" in checks["triggers"].found
    assert len(reports) == 1


def test_a_free_run_is_said_to_be_one(world, root):
    checks, _ = look(world, root, trigger_stream=None, tr_s=2.1)
    assert failed(checks) == set()
    assert "free run" in checks["triggers"].found


def test_no_stream_is_looked_for_once(world, root):
    def lost(settings):
        error = StreamNotFound("no LSL stream fits")
        error.eeg_is_lost = True
        return error

    world.refuse = lost
    checks, reports = look(world, root)
    assert failed(checks) == {"stream"}
    assert len(world.asked) == 1
    assert reports == []


def test_a_marker_stream_that_is_not_there_leaves_the_eeg(world, root):
    def lost(settings):
        error = StreamNotFound("no marker stream")
        error.eeg_is_lost = False
        return error if settings.trigger is not None else None

    world.refuse = lost
    checks, reports = look(world, root)
    assert failed(checks) == {"triggers"}
    assert checks["triggers"].found == "no marker stream"
    assert [settings.trigger is None for settings in world.asked] == [False, True]
    assert len(reports) == 1


def test_an_unknown_unit_is_named_and_the_rest_is_looked_at(world, root):
    channels = tuple(Channel(label, "furlong") for label in CHANNELS)
    world.stream = replace(world.stream, channels=channels)

    def refuse(settings):
        return StreamMismatch("unit?") if settings.unit is None else None

    world.refuse = refuse
    checks, _ = look(world, root)
    assert failed(checks) == {"units"}
    assert "'furlong'" in checks["units"].found
    assert "3 in 6 s" in checks["triggers"].found


def test_two_labels_are_asked_about(world, root):
    world.labels = ["R128", "S  1"]
    checks, _ = look(world, root)
    assert failed(checks) == {"triggers"}
    assert "--trigger" in checks["triggers"].found
    told = look(world, root, trigger="R128")[0]["triggers"]
    assert told.state == "warn"  # every second one, so some are missing
    assert "labelled R128" in told.found


def test_a_simulated_model_on_a_real_stream(world, root):
    world.stream = rig.stream(RATE_HZ, CHANNELS, host="vm", simulated=False)
    checks, _ = look(world, root)
    assert failed(checks) == {"simulated model"}
    assert checks["simulated model"].override == "--allow-simulated-model"
    checks, _ = look(world, root, allow_simulated_model=True)
    assert checks["simulated model"].state == "warn"
    assert "domain" not in checks


def test_another_domain(world, root):
    world.stream = rig.stream(RATE_HZ, CHANNELS, host="vm", simulated=False)
    checks, _ = look(world, root, model="real")
    assert failed(checks) == {"domain"}
    assert checks["domain"].override == "--allow-domain-shift"
    checks, _ = look(world, root, model="real", allow_domain_shift=True)
    assert checks["domain"].state == "warn"


def test_stamps_of_another_clock_and_triggers_do_not_go_together(world, root):
    world.stream = rig.stream(RATE_HZ, CHANNELS, host="vm", foreign_clock=True)
    checks, _ = look(world, root)
    assert checks["clock"].state == "fail"
    assert "--trigger-channel" in checks["clock"].found


def test_a_silent_stream(world, root, monkeypatch):
    monkeypatch.setattr(Acquisition, "_all_chunks", lambda self: iter(()))
    checks, (report,) = look(world, root)
    assert failed(checks) == {"samples"}
    assert {line.state for line in report.lines} == {"unknown"}
    assert "amplitude" not in checks


def test_recording_and_measured_bold(world, root, tmp_path, monkeypatch):
    class Truth:
        problem = ""

        def volumes(self):
            return [object()] if world.now < rig.T0_S + 0.2 else []

        def close(self):
            self.closed = True

    monkeypatch.setattr(streams, "open_bold", lambda *_: Truth())
    folder = tmp_path / "rec"
    checks, _ = look(world, root, record=folder, truth="lsl:bold")
    assert failed(checks) == set()
    assert "will be made" in checks["recording folder"].found
    assert "an hour of this stream" in checks["disk"].found
    assert checks["measured BOLD"].state == "ok"
    assert not folder.exists()
    free = look(world, root, truth="lsl:bold", trigger_stream=None, tr_s=2.1)[0]
    assert "free run" in free["measured BOLD"].found


def test_units_that_are_none_are_said_before_a_stream_is_asked_for(world, root):
    checks, _ = look(world, root, unit="furlong")
    assert "units" in failed(checks)
    assert world.asked == []


def test_a_flat_channel_is_named(world, root, monkeypatch):
    whole = Acquisition._all_chunks

    def flat(self):
        for chunk in whole(self):
            chunk.data_uv[3] = np.float32(4.0)
            yield chunk

    monkeypatch.setattr(Acquisition, "_all_chunks", flat)
    checks, (report,) = look(world, root)
    assert checks["channel quality"].state == "warn"
    assert f"{CHANNELS[3]} flat" in checks["channel quality"].found
    assert report.lines[3].state == "flat"


def test_a_sender_that_could_not_be_known_again_is_told(world, root):
    assert "no source id" in look(world, root)[0]["stream"].found
    world.stream = replace(world.stream, source_id="amplifier 7")
    told = look(world, root)[0]["stream"]
    assert "source id" not in told.found
    assert told.state == "ok"


def test_left_over_recorders_are_looked_for_though_nothing_is_recorded(world, root):
    checks, _ = look(world, root)
    assert checks["recording folder"].state == "warn"
    assert "recorders" in checks


def test_a_target_that_is_not_fit_is_said_to_feed_nothing_back():
    judged = rig.card(target="a", verdict=make_verdict("a", "undecided"))
    refused = _verdict(RunSettings(), judged)
    assert (refused.state, refused.override) == ("fail", "--allow-unvalidated")
    allowed = RunSettings(allow_unvalidated=True)
    assert "nothing is fed back" in _verdict(allowed, judged).found
    assert "--approval ID" in _verdict(allowed, judged).found
    approved = replace(allowed, approval="EC-1")
    assert "nothing is fed back" not in _verdict(approved, judged).found
