"""Each command without its extra ends in one line that says what brings it."""

import importlib
import sys

import pytest

from rtbold import cli
from rtbold.distribution import pip_install

SCAN = ["--subject", "S01", "--cleaning", "none", "--eeg", "a.edf", "--bold", "b.tsv"]


VHDR = b"Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n"
HEADS = {
    "rest.vhdr": VHDR,
    "rest_raw.fif": b"\0\0\0\x64",
    "rest.h5": b"\x89HDF\r\n\x1a\n",
}


class Hidden:
    """A finder that finds none of some packages, as where they are not installed."""

    def __init__(self, *names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@pytest.fixture
def hide(monkeypatch):
    """Hide packages, whether or not they were imported before."""

    def hidden(*names):
        for loaded in list(sys.modules):
            if loaded.partition(".")[0] in names:
                monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setattr(sys, "meta_path", [Hidden(*names), *sys.meta_path])
        importlib.invalidate_caches()

    return hidden


def said_by(capsys, *words):
    code = cli.main(words)
    out, err = capsys.readouterr()
    return code, out, err


PREDICT = "models predict demo --windows w.npy --out o.npy --engine torch".split()
EXPLAIN = "models explain demo rest.vhdr --allow-simulated-model".split()
REPLAY = "replay rest_raw.fif --model demo --out o.tsv".split()
IMPORT = "models import a.pth --out a.rtbold".split()
SAVE = "simulate --duration 30 --save twin".split()
TRAIN = ["train", "cache", "--recipe", "ridge", "--out", "m.rtbold"]


@pytest.mark.parametrize(
    ("hidden", "extra", "words"),
    [
        ("torch", "calibration", ["calibrate", *SCAN]),
        ("onnx", "calibration", ["calibrate", *SCAN]),
        ("PyQt6", "gui", ["gui"]),
        ("pyqtgraph", "gui", ["gui"]),
        ("mne", "files", ["play", "rest_raw.fif"]),
        ("mne", "files", REPLAY),
        ("h5py", "files", ["play", "rest.h5"]),
        ("pybv", "files", SAVE),
        ("torch", "calibration", IMPORT),
        ("captum", "calibration", EXPLAIN),
        ("torch", "calibration", PREDICT),
        ("lightning_fabric", "training", TRAIN),
        ("tensorboardX", "training", TRAIN),
        ("nacl", "feedback", ["blind", "keys", "study", "--of", "session"]),
        ("websockets", "feedback", ["bridge", "--websocket", "0"]),
        ("pythonosc", "feedback", ["bridge", "--osc", "127.0.0.1:9"]),
    ],
)
def test_one_line_says_what_to_install(
    hide, capsys, monkeypatch, tmp_path, hidden, extra, words
):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).normal(0, 15, (1, 19, 3200))
    np.save("w.npy", noise.astype(np.float32))
    for name in ("rest_raw.fif", "rest.vhdr", "rest.h5", "a.pth", "a.edf", "b.tsv"):
        (tmp_path / name).write_bytes(HEADS.get(name, b""))
    hide(hidden)
    code, out, err = said_by(capsys, *words)
    assert code in (1, 2)
    assert pip_install(extra) in err, err
    assert "unforeseen" not in err
    assert len(err.strip().splitlines()) == 1, err
    assert out == ""


def test_a_module_that_any_command_misses_is_said_with_its_extra(capsys, monkeypatch):
    def build():
        def run(**_):
            raise ModuleNotFoundError(
                "No module named 'nilearn'", name="nilearn.maskers"
            )

        return run

    monkeypatch.setattr("rtbold.cli.app.build_app", build)
    assert cli.main(["anything"]) == 1
    err = capsys.readouterr().err
    assert pip_install("calibration") in err
    assert "unforeseen" not in err


def test_a_start_beside_the_other_lab_s_program_says_so(capsys, monkeypatch):
    said = "this environment also holds rtbold 0.0.8"
    monkeypatch.setattr("rtbold.distribution.other_lab", lambda: said)
    assert cli.main(["--version"]) == 0
    out, err = capsys.readouterr()
    assert err == f"rtbold: {said}\n"
    assert "0.0.8" not in out
