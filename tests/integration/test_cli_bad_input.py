"""Bad input through the command line itself: one message, the right code, no trace."""

import json
import os
import re
import socket
import subprocess

import edfio
import numpy as np
import psutil
import pylsl
import pytest
from bundles import CHANNELS, write_tiny
from loop import command, environment, new_name

from rtbold.cli import main

pytestmark = pytest.mark.integration
FREE = ("--tr", "2.1")
QUICK = ("--wait", "0.5", "--port", "0", "--control-port", "0")
REAL = ("--allow-simulated-model",)
EEG = tuple((label, "EEG", "uV") for label in CHANNELS)


@pytest.fixture
def bundle(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; check all that holds for every refusal."""
    monkeypatch.chdir(tmp_path)

    def check(code, message, *arguments):
        before = sorted(tmp_path.rglob("*"))
        children = set(psutil.Process().children(recursive=True))
        assert main([str(word) for word in arguments]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert err.count("rtbold: ") == 1, err
        assert "unforeseen" not in err
        assert re.search(message, err, re.DOTALL), err
        assert sorted(tmp_path.rglob("*")) == before
        assert set(psutil.Process().children(recursive=True)) <= children

    return check


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tr", "2100"), r"--tr is 2100.*expected 0.1 to 10.*give seconds, 2\.1"),
        ((*FREE, "--duration", "-5"), r"--duration is -5\.0, expected 0 to"),
        ((), r"no source of volume triggers.*--trigger-stream.*--tr 2\.1"),
        ((*FREE, "--unit", "furlong"), r"'furlong', expected one of V, mV, uV"),
        ((*FREE, "--target", "Nowhere"), r"'Nowhere'.*predicts.*Give one"),
        ((*FREE, "--bind", "0.0.0.0"), r"--bind 0\.0\.0\.0.*--curve-keys"),
        ((*FREE, "--subject", "S01"), r"--model and --subject.*Give one"),
    ],
)
def test_wrong_options_of_run_are_wrong_use(refused, bundle, options, message):
    refused(2, message, "run", "--model", bundle.path, "--stream", "x", *options)


def test_run_without_a_model_is_wrong_use(refused):
    refused(2, r"no model was given.*--model BUNDLE", "run", "--stream", "x", *FREE)


@pytest.mark.parametrize("name", ["simulate", "demo"])
def test_a_negative_duration_is_wrong_use_everywhere(name, capsys):
    assert main([name, "--duration", "-3"]) == 2
    assert re.search("(?i)duration", capsys.readouterr().err)


def test_as_a_process_it_is_one_message_too(tmp_path):
    line = command("run", "--model", "x", "--stream", "y", "--tr", "2100")
    done = subprocess.run(
        line, cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rtbold: --tr is 2100")
    assert len(done.stderr.splitlines()) == 1
    line = command("run", "--model", "x", "--stream", "y", "--tr", "2100", "--debug")
    done = subprocess.run(line, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


# Bundles


def corrupt_card(path):
    (path / "card.json").write_text('{"format": 1, "name":')


def truncated_model(path):
    model = path / "model.onnx"
    model.write_bytes(model.read_bytes()[:100])


def other_weights(path):
    model = bytearray((path / "model.onnx").read_bytes())
    model[-40] ^= 1
    (path / "model.onnx").write_bytes(model)


def foreign_format(path):
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps({**card, "format": 99}))


def no_card(path):
    (path / "card.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (corrupt_card, r"card\.json"),
        (truncated_model, r"model\.onnx"),
        (other_weights, r"model\.onnx"),
        (foreign_format, r"format"),
        (no_card, r"no bundle.*card\.json"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_spoilt_bundle_is_refused(refused, bundle, spoil, message):
    spoil(bundle.path)
    refused(1, message, "run", "--model", bundle.path, "--stream", "x", *FREE, *QUICK)
    refused(1, message, "models", "show", bundle.path)


def test_what_is_no_bundle_is_refused(refused, tmp_path):
    plain = tmp_path / "plain.rtbold"
    plain.write_text("no folder")
    (tmp_path / "empty.rtbold").mkdir()
    for model, message in (
        (plain, r"is a file; a bundle is a folder"),
        (tmp_path / "empty.rtbold", r"no bundle.*card\.json"),
        ("no-such-model", r"no bundle 'no-such-model'.*rtbold models list"),
        (tmp_path / "gone.rtbold", r"gone\.rtbold"),
    ):
        refused(1, message, "run", "--model", model, "--stream", "x", *FREE, *QUICK)


# Streams


def test_a_stream_that_is_not_there(refused, bundle, name):
    start = ("run", "--model", bundle.path, *FREE, *QUICK, "--record", "rec")
    refused(1, f"no LSL stream.*'{name}'.*rtbold doctor", *start, "--stream", name)
    refused(1, r"no LSL stream.*rtbold doctor", *start, "--host", name)


def test_triggers_that_are_not_there(refused, bundle, name, send):
    send(name, channels=EEG, rate_hz=250)
    locked = ("--trigger-stream", f"{name}-m", "--trigger", "R128")
    refused(
        1, f"'{name}-m'", "run", "--model", bundle.path, "--stream", name,
        *locked, *QUICK, *REAL,
    )  # fmt: skip


def test_two_streams_alike_are_both_named(refused, bundle, name, send):
    first, second = send(name, channels=EEG), send(name, channels=EEG)
    ids = sorted((first.source_id, second.source_id))
    message = rf"2 LSL streams fit.*{ids[0]}.*{ids[1]}.*(--host|rename)"
    refused(
        1, message, "run", "--model", bundle.path, "--stream", name, *FREE, *QUICK,
        *REAL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": EEG[:9] + EEG[10:]}, r"CZ.*--interpolate"),
        ({"channels": ((CHANNELS[0], "EEG", "furlong"), *EEG[1:])}, r"furlong.*--unit"),
        ({"rate_hz": 100}, r"100 Hz, expected 200 to 5000 Hz"),
    ],
    ids=["missing channel", "unknown unit", "wrong rate"],
)
def test_a_stream_that_does_not_fit(refused, bundle, name, send, options, message):
    send(name, **{"channels": EEG, **options})
    refused(
        1, message, "run", "--model", bundle.path, "--stream", name, *FREE, *QUICK,
        *REAL, "--record", "rec",
    )  # fmt: skip


@pytest.mark.parametrize("model", ["demo", "demo-ridge"])
def test_a_model_of_simulated_data_is_refused_on_a_real_stream(
    refused, name, send, model
):
    send(name, channels=EEG)
    message = r"simulated data.*does not declare itself simulated.*--allow-simulated"
    refused(
        1, message, "run", "--model", model, "--stream", name, *FREE, *QUICK,
        "--record", "rec",
    )  # fmt: skip


def test_triggers_are_not_locked_to_another_clock(refused, bundle, name, send):
    send(name, channels=EEG, epoch_s=1.7e9)
    markers = pylsl.StreamOutlet(
        pylsl.StreamInfo(f"{name}-m", "Markers", 1, 0, "string", f"{name}-m")
    )
    locked = ("--trigger-stream", f"{name}-m", "--trigger", "R128")
    refused(
        1, r"another clock than LSL's.*--trigger-channel", "run", "--model",
        bundle.path, "--stream", name, *locked, *QUICK, *REAL, "--record", "rec",
    )  # fmt: skip
    del markers


@pytest.mark.parametrize("option", ["--port", "--control-port"])
def test_a_port_in_use_is_named_with_its_option(refused, bundle, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--control-port" if option == "--port" else "--port"
        refused(
            1, rf"{port}.*{option}", "run", "--model", bundle.path, "--stream", "x",
            *FREE, option, port, other, 0,
        )  # fmt: skip


# Files


@pytest.fixture
def edf(tmp_path):
    rng = np.random.default_rng(1)
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 20, 5000), 250, label=label, physical_dimension="uV",
            physical_range=(-300, 300),
        )
        for label in CHANNELS
    ]  # fmt: skip
    path = tmp_path / "rest.edf"
    edfio.Edf(signals).write(path)
    return path


SUFFIXES = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".xdf", ".h5")
NO_EEG = {"empty": b"", "text": b"Dear diary,\n" * 99, "png": b"\x89PNG\r\n\x1a\n" * 99}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", NO_EEG)
def test_a_file_that_is_no_eeg(refused, bundle, tmp_path, suffix, what):
    path = tmp_path / f"{what}{suffix}"
    path.write_bytes(NO_EEG[what])
    refused(1, re.escape(path.name), "play", path, "--name", new_name())
    refused(
        1, re.escape(path.name), "replay", path, "--model", bundle.path, *FREE,
        "--out", tmp_path / "out.tsv",
    )  # fmt: skip


def test_a_truncated_file(refused, bundle, edf, tmp_path):
    edf.write_bytes(edf.read_bytes()[:-777])
    refused(1, r"rest\.edf.*(truncated|cut|expected)", "play", edf)
    refused(
        1, r"rest\.edf.*(truncated|cut|expected)", "replay", edf, *FREE, "--model",
        bundle.path, "--out", tmp_path / "out.tsv",
    )  # fmt: skip


def test_replay_refuses_before_it_writes(refused, bundle, edf, tmp_path):
    start = ("replay", edf, "--model", bundle.path)
    out = ("--out", tmp_path / "out.tsv")
    refused(1, r"simulated.*--allow-simulated-model", *start, *FREE, *out)
    refused(2, r"--tr is 2100", *start, "--tr", "2100", *out)
    refused(1, r"no marker comes every 2\.1 s.*--tr", *start, *REAL, *out)
    refused(1, r"no marker.*'R128'.*none", *start, *REAL, "--trigger", "R128", *out)
    nowhere = tmp_path / "nowhere" / "out.tsv"
    refused(2, r"nowhere.*--out", *start, *FREE, *REAL, "--out", nowhere)


def test_play_of_what_is_not_there(refused, tmp_path):
    refused(1, r"there is no file.*none\.edf", "play", tmp_path / "none.edf")
    refused(1, r"expected one of.*\.edf", "play", os.fspath(tmp_path / "a.docx"))
