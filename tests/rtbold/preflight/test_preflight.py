import socket

import pytest

from rtbold.config import RunSettings
from rtbold.errors import RtboldError
from rtbold.messages import Check
from rtbold.preflight import examine as preflight
from rtbold.record.folder import open_session_folder


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_free_ports_and_any_port():
    findings = preflight.check_ports(RunSettings(port=0, control_port=0))
    assert [f.state for f in findings] == ["ok", "ok"]
    assert findings[0].name != findings[1].name


def test_a_port_that_is_taken_is_named_with_its_holder(taken, monkeypatch):
    def nobody(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(preflight, "request", nobody)
    first, second = preflight.check_ports(RunSettings(port=0, control_port=taken))
    assert first.state == "ok"
    assert (second.state, second.must) == ("fail", True)
    assert str(taken) in second.found
    assert "held by" in second.found
    assert "--control-port" in second.advice


def test_a_session_that_runs_is_offered_to_be_joined(taken, monkeypatch):
    hello = {"model_name": "m", "subject": "S01", "target": "Cuneus"}
    monkeypatch.setattr(preflight, "request", lambda *_, **__: {"message": hello})
    run = RunSettings(port=taken, control_port=0)
    failed, fine = preflight.check_ports(run)
    assert "a session runs here already (model m, S01" in failed.found
    assert f"rtbold gui --connect tcp://127.0.0.1:{taken}" in failed.advice
    assert fine.state == "ok"


def test_an_address_without_keys_is_refused():
    (finding,) = preflight.check_ports(RunSettings(bind="0.0.0.0"))
    assert finding.state == "fail"
    assert "--curve-keys" in finding.found


def into(folder, **more):
    return RunSettings(record=folder, **more)


def test_a_recording_folder_is_tried_and_left_as_it_was(tmp_path):
    finding = preflight.check_recording_folder(into(tmp_path / "a" / "b"), "S01")
    assert finding.state == "ok"
    assert "sub-S01" in finding.found
    assert list(tmp_path.iterdir()) == []


def test_the_check_says_what_the_recording_will_be_called(tmp_path):
    open_session_folder(tmp_path, "S01", session="02")
    run = into(tmp_path, session="02", record_as="S01")
    assert "sub-S01_ses-02_task-nf_run-02" in (
        preflight.check_recording_folder(run, "S01").found
    )


def test_a_run_that_was_recorded_before_blocks_before_the_start(tmp_path):
    open_session_folder(tmp_path, "S01")
    finding = preflight.check_recording_folder(into(tmp_path, run=1), "S01")
    assert (finding.state, finding.must) == ("fail", True)
    assert "--run 2" in finding.found


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    finding = preflight.check_recording_folder(into(file / "rec"), "S01")
    assert (finding.state, finding.must) == ("fail", True)
    assert "is a file" in finding.found
    bad = preflight.check_recording_folder(into(tmp_path), "../S01")
    assert "letters and digits" in bad.found


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(preflight.tempfile, "TemporaryDirectory", refuse)
    finding = preflight.check_recording_folder(into(tmp_path), "S01")
    assert "Permission denied" in finding.found


def test_without_labrecorder_there_is_no_recording(monkeypatch):
    def lost():
        raise RtboldError("--record needs LabRecorderCLI")

    monkeypatch.setattr(preflight, "find_labrecorder", lost)
    assert preflight.check_recorder().state == "fail"


@pytest.mark.parametrize(
    ("free_gb", "doctor", "state"),
    [(100, "ok", "ok"), (8, "ok", "warn"), (4, "ok", "fail"), (100, "warn", "warn")],
)
def test_room_is_judged_by_an_hour_of_the_stream(tmp_path, monkeypatch, free_gb,
                                                 doctor, state):  # fmt: skip
    class Usage:
        free = free_gb * 1e9

    monkeypatch.setattr(preflight, "check_disk", lambda _: Check("disk", doctor, "x"))
    monkeypatch.setattr(preflight.psutil, "disk_usage", lambda _: Usage)
    finding = preflight.check_room(tmp_path / "new", n_channels=64, rate_hz=5000.0)
    assert finding.state == state
    assert "4.8 GB" in finding.found


def test_without_a_stream_room_is_what_the_doctor_says(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "check_disk", lambda _: Check("disk", "ok", "50 GB"))
    finding = preflight.check_room(tmp_path, n_channels=0, rate_hz=0.0)
    assert finding.found == "50 GB"
