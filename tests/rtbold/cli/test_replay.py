"""Which engine ``rtbold replay`` takes."""

import json
import os

import msgspec
import pytest
from checked import write_checked
from odd_recordings import write_vhdr

from rtbold.cli.replay import _open_as_recorded, predictions
from rtbold.config import RunSettings
from rtbold.engine.opening import open_engine, used
from rtbold.errors import DataFileError, EngineError
from rtbold.predict.pipeline import PipelineSettings
from rtbold.record.folder import SETTINGS_VERSION
from rtbold.session.replay import recorded_engine
from rtbold.window.schedule import ScheduleSettings

# version of settings.json -> the names in each part of "pipeline"
WRITTEN = {
    1: {
        "schedule": {
            "tr_s", "mode", "dummy_volumes", "trigger_every", "wait_s", "max_flywheel",
            "double_fraction", "tr_tolerance", "new_run_after_s", "phase_tolerance",
            "max_lead_s", "max_lag_s",
        },
        "intake": {
            "interpolate_missing", "upstream_delay_s", "bridge_max_s",
            "bridge_max_share",
        },
        "quality": {
            "max_interpolated_share", "max_bridged_share", "max_drift_s",
            "max_rate_error", "max_stream_age_s", "max_stream_lead_s",
            "max_trigger_age_s",
        },
        "likeness": {"sustained_s", "sustained_share", "recovered_share"},
    }
}  # fmt: skip


@pytest.fixture
def bundle(tmp_path):
    return write_checked(tmp_path)


@pytest.fixture
def recorded(tmp_path, bundle):
    """Write what a session leaves, as far as the choice of an engine reads it."""

    def write(version=None, **engine):
        folder = tmp_path / "run"
        folder.mkdir()
        (folder / "events.jsonl").write_text("")
        pipeline = PipelineSettings(schedule=ScheduleSettings(tr_s=2.1))
        settings = {
            "pipeline": msgspec.to_builtins(pipeline),
            "model_sha256": bundle.sha256,
            **({"engine": engine} if engine else {}),
            **({} if version is None else {"version": version}),
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        return folder / "x_eeg.xdf"

    return write


def opened(file, bundle, engine=None, precision=None):
    return _open_as_recorded(file, bundle, engine=engine, precision=precision)


def test_the_sessions_own_without_a_word(recorded, bundle, capsys, on_cpu):
    on_cpu("FP32", "BF16")
    ran = used(open_engine(bundle, precision="bf16"))
    engine = opened(recorded(**msgspec.to_builtins(ran)), bundle)
    assert (engine.name, engine.precision) == ("openvino", "bf16")
    assert capsys.readouterr().err == ""


def test_another_one_if_asked_for_and_a_note(recorded, bundle, capsys):
    file = recorded(name="openvino", precision="bf16", n_threads=1)
    engine = opened(file, bundle, precision="f32")
    assert engine.precision == "f32"
    assert "the session ran openvino bf16, this is openvino f32" in (
        capsys.readouterr().err
    )


def test_a_session_in_float16_is_refused_in_words_and_replayed_in_another(
    recorded, bundle, capsys, on_cpu
):
    """An earlier version offered it; the recording stays of use."""
    on_cpu("FP32", "FP16")
    file = recorded(name="openvino", precision="f16", n_threads=1)
    with pytest.raises(EngineError, match=r"f16 is not offered on a CPU.*use f32"):
        opened(file, bundle)
    opened(file, bundle, precision="f32").close()
    assert "the session ran openvino f16, this is openvino f32" in (
        capsys.readouterr().err
    )


def test_another_file_of_the_same_precision_is_noted(recorded, bundle, capsys):
    opened(
        recorded(name="openvino", precision="f32", n_threads=1, file_sha256="ab"),
        bundle,
    )
    assert "another file of openvino f32" in capsys.readouterr().err


def test_a_foreign_recording_runs_in_float32(bundle, tmp_path):
    for name in ("rest.vhdr", "rest.xdf"):
        engine = opened(tmp_path / name, bundle)
        assert (engine.name, engine.precision) == ("openvino", "f32")


def test_a_session_of_before_engines_were_kept_runs_in_float32(recorded, bundle):
    assert opened(recorded(), bundle).precision == "f32"


def test_settings_that_are_gone(recorded, bundle):
    file = recorded(name="openvino", precision="f32", n_threads=1)
    file.with_name("settings.json").unlink()
    with pytest.raises(DataFileError, match=r"settings\.json cannot be read"):
        opened(file, bundle)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "nested"])
def test_settings_that_would_never_end(recorded, bundle, kind):
    file = recorded(name="openvino", precision="f32", n_threads=1)
    beside = file.with_name("settings.json")
    beside.unlink()
    if kind == "pipe":
        os.mkfifo(beside)
    elif kind == "device":
        beside.symlink_to("/dev/zero")
    else:
        beside.write_text('{"pipeline": ' + "[" * 100_000)
    with pytest.raises(DataFileError, match=r"settings\.json cannot be read"):
        opened(file, bundle)


def test_settings_of_before_versions_were_written_open_as_those_of_now(recorded):
    engine = {"name": "openvino", "precision": "f32", "n_threads": 1}
    now = recorded(version=SETTINGS_VERSION, **engine)
    assert recorded_engine(now).name == "openvino"
    beside = now.with_name("settings.json")
    settings = json.loads(beside.read_text())
    del settings["version"]
    beside.write_text(json.dumps(settings))
    assert recorded_engine(now).name == "openvino"


def test_settings_of_a_later_version_say_what_to_do(recorded):
    file = recorded(version=SETTINGS_VERSION + 1)
    with pytest.raises(DataFileError, match=r"is of version 2, expected 1.*Replay it"):
        recorded_engine(file)


def test_no_name_that_was_ever_written_is_forgotten():
    """A decoder passes over names that it does not know: an old file would open wrong.

    Who renames or drops a field raises SETTINGS_VERSION, and reads the old names too.
    """
    pipeline = PipelineSettings(schedule=ScheduleSettings(tr_s=2.1))
    known = msgspec.to_builtins(pipeline)
    for part, names in WRITTEN[SETTINGS_VERSION].items():
        assert names <= known[part].keys()
    assert {"standing", "patience_s"} <= known.keys()


def test_what_the_file_lacks_is_told_before_it_is_missed(tmp_path, bundle, capsys):
    file = write_vhdr(tmp_path, marker_name=None)
    run = RunSettings.build({"model": "demo"})
    with pytest.raises(DataFileError, match="no marker comes every"):
        predictions(file, bundle, None, run, None)
    assert "note: no markers: rest.vmrk" in capsys.readouterr().err
