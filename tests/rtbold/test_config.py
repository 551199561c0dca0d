import os

import pytest

from rtbold.config import RunSettings
from rtbold.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tr_s": 2100.0}, "looks like milliseconds: give seconds, 2.1"),
        ({"tr_s": -1.0}, "--tr is -1.0, expected 0.1 to 10"),
        ({"duration_s": -5.0}, "--duration is -5.0"),
        ({"port": 70000}, "--port is 70000, expected 0 to 65535"),
        ({"port": 5580, "control_port": 5580}, "a port each"),
        ({"engine": "cuda"}, "engine"),
        ({"model": "demo", "subject": "S01"}, "Give one of them"),
        ({"dummy_volumes": -1}, "--dummy-volumes is -1"),
        ({"tr_s": "two"}, "Expected `float"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_do(given, words):
    with pytest.raises(ConfigError, match=words):
        RunSettings.build(given)


def test_options_go_over_the_file(tmp_path):
    file = tmp_path / "session.toml"
    file.write_text('stream = "BrainAmp"\ntr_s = 2.0\nrecord = "here"\n')
    settings = RunSettings.build({"tr_s": 2.1, "stream": None}, file)
    assert (settings.stream, settings.tr_s) == ("BrainAmp", 2.1)
    assert settings.record is not None
    assert settings.record.name == "here"


def test_an_unknown_key_in_the_file_is_named(tmp_path):
    file = tmp_path / "session.toml"
    file.write_text("tr = 2.0\n")
    with pytest.raises(ConfigError, match=r"unknown keys \['tr'\]"):
        RunSettings.build({}, file)


@pytest.mark.parametrize("content", [None, "= = ="])
def test_a_missing_or_broken_file_is_said_so(tmp_path, content):
    file = tmp_path / "session.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"session\.toml"):
        RunSettings.build({}, file)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nested", "large"])
def test_a_file_of_settings_that_would_never_end(tmp_path, kind):
    file = tmp_path / "session.toml"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("a = " + "[" * (100_000 if kind == "nested" else 2_000_000))
    with pytest.raises(ConfigError, match=r"session\.toml"):
        RunSettings.build({}, file)


def test_nothing_given_is_the_default():
    assert RunSettings.build({}) == RunSettings()


@pytest.mark.parametrize(
    "options", [{}, {"tr_s": 2.1}, {"trigger_channel": "STI", "trigger": "1"}]
)
def test_a_computer_of_markers_is_named_with_its_markers(options):
    with pytest.raises(ConfigError, match=r"--trigger-host stim-pc.*--trigger-stream"):
        RunSettings(trigger_host="stim-pc", **options)
    assert RunSettings(trigger_host="stim-pc", trigger="R128").host is None


def test_measured_bold_is_named_with_its_source():
    with pytest.raises(ConfigError, match="no source was given"):
        RunSettings(truth_roi=("A",))
    with pytest.raises(ConfigError, match="--truth-first is 200000"):
        RunSettings(truth="lsl:b", truth_first=200_000)
    with pytest.raises(ConfigError, match="which only a stream tells"):
        RunSettings(truth="file:b.tsv", truth_by_onset=True)
    with pytest.raises(ConfigError, match="were both given"):
        RunSettings(truth="lsl:b", truth_first=1, truth_by_onset=True)
    assert RunSettings.build({"truth": "tbv:h", "truth_roi": ("A",)}).truth_first == 0


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"session": "02"}, "nothing is recorded. Expected --record"),
        ({"record_as": "S01"}, "nothing is recorded. Expected --record"),
        ({"record": "rec", "session": "day 1"}, "the session is 'day 1'"),
        ({"record": "rec", "task": "a_b"}, "the task is 'a_b'"),
        ({"record": "rec", "record_as": "../x"}, r"the subject is '../x'"),
        ({"record": "rec", "run": 0}, "--run is 0, expected 1 to 999"),
    ],
)
def test_what_is_no_name_of_a_recording_is_refused(given, match):
    with pytest.raises(ConfigError, match=match):
        RunSettings.build(given)
