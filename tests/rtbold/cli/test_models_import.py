"""``rtbold models import`` through the real command line."""

import json
import os
import re

import jsonschema
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import checkpoint_files as files  # noqa: E402
from safetensors.torch import save  # noqa: E402

from rtbold.bundle.card import Lineage, SeenScan  # noqa: E402
from rtbold.bundle.gates import check_domain  # noqa: E402
from rtbold.bundle.store import card_schema, load  # noqa: E402
from rtbold.cli import main  # noqa: E402
from rtbold.engine.opening import open_engine  # noqa: E402
from rtbold.errors import DomainRefused  # noqa: E402
from rtbold.feedback.baseline import has_baseline, z_values  # noqa: E402
from rtbold.messages import Channel, StreamDescription  # noqa: E402
from rtbold.models.export.onnx import to_safetensors  # noqa: E402
from rtbold.models.labram import Labram, LabramConfig  # noqa: E402
from rtbold.models.published import importing  # noqa: E402
from rtbold.models.published.checkpoints import read_checkpoint  # noqa: E402

STREAM = StreamDescription(
    name="amp", type="EEG", rate_hz=200.0, channels=(Channel("CZ"),)
)


@pytest.fixture
def rtbold(capfd):
    """Run a command; return its exit code, what it printed and what it complained."""

    def run(*words):
        code = main(["models", *(str(word) for word in words)])
        told = capfd.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def no_export(monkeypatch):
    """What is tested here is not the graph, which takes seconds."""
    monkeypatch.setattr(importing, "to_onnx", lambda network, n_channels: b"graph")


@pytest.fixture
def checkpoint(tmp_path):
    return files.save(tmp_path / "tiny.pth", files.tiny_neurobolt())


def test_several_files_make_one_bundle(rtbold, no_export, tmp_path):
    sizes = {"dim": 16, "heads": 2, "spectral_heads": 4}
    paths = [
        files.save(tmp_path / f"{seed}.pth", files.tiny_neurobolt(seed=seed, **sizes))
        for seed in ("left", "right")
    ]
    out = tmp_path / "both.rtbold"
    options = ("--roi", "Left", "--roi", "Right", "--channels", "FP1,CZ,O2")
    code, _, _ = rtbold("import", *paths, "--out", out, "--heads", 4, *options)
    assert code == 0
    found = load(out)
    assert found.card.architecture == "neurobolt_ensemble"
    assert found.card.rois == ("Left", "Right")
    x = files.golden_generator().eeg_uv(3, n_windows=2)
    bold = open_engine(found, engine="torch")(x)
    assert bold.shape == (2, 2)
    assert np.abs(bold[:, 0] - bold[:, 1]).min() > 1e-3


def test_the_card_says_what_is_known_and_no_more(
    rtbold, no_export, checkpoint, tmp_path
):
    out = tmp_path / "x.rtbold"
    code, told, _ = rtbold(
        *("import", checkpoint, "--out", out, "--json"),
        *("--tr", "1.4", "--reference", "average"),
    )
    assert code == 0
    report = json.loads(told)
    card = load(out).card
    jsonschema.validate(json.loads((out / "card.json").read_text()), card_schema())
    assert report["sha256"] == load(out).sha256
    assert report["rois"] == ["roi-1"] == list(card.rois)
    (file,) = report["files"]
    assert file["missing"] == {}
    assert file["left"] == ["optimizer", "epoch", "args", "mss_module.index"]
    assert file["sha256"] in card.note
    assert card.name == "x"
    assert (card.origin.kind, card.origin.simulated_lineage) == ("published", False)
    assert card.conditioning.source == "published"
    assert (card.tr_s, card.reference) == (1.4, "average")
    assert (card.normalisation.method, card.normalisation.mean) == ("p95", ())
    assert card.scores.mean_r is None
    assert (card.check.windows, card.check.n) == ("synthetic", 16)
    assert not has_baseline(card.baseline, 0)
    assert z_values(np.zeros(1, np.float32), card.baseline) == (None,)


def test_weights_from_elsewhere_have_a_lineage_that_is_not_known(
    rtbold, no_export, checkpoint, tmp_path
):
    out = tmp_path / "x.rtbold"
    assert rtbold("import", checkpoint, "--out", out)[0] == 0
    assert load(out).card.lineage == Lineage(scans=(), complete=False)


def test_a_bundles_own_weights_bring_their_lineage(rtbold, no_export, tmp_path):
    """An import must not be a way around it: not of one file, not of several."""
    sizes = {"dim": 16, "heads": 2, "spectral_heads": 4}
    lineages = [
        Lineage(scans=(SeenScan(eeg=text, bold=text),), complete=True)
        for text in ("AAAAAAAA", "BBBBBBBB")
    ]
    paths = []
    for number, lineage in enumerate(lineages):
        path = tmp_path / f"{number}.safetensors"
        state = files.tiny_neurobolt(seed=str(number), **sizes)
        path.write_bytes(to_safetensors(_Weights(state), lineage))
        paths.append(path)
    options = ("--channels", "FP1,CZ,O2", "--heads", 4)
    assert rtbold("import", paths[0], "--out", tmp_path / "1.rtbold", *options)[0] == 0
    assert load(tmp_path / "1.rtbold").card.lineage == lineages[0]
    again = load(tmp_path / "1.rtbold").file("weights.safetensors")
    assert read_checkpoint(again).lineage == lineages[0]

    assert rtbold("import", *paths, "--out", tmp_path / "2.rtbold", *options)[0] == 0
    both = load(tmp_path / "2.rtbold").card.lineage
    assert both.scans == (*lineages[0].scans, *lineages[1].scans)
    assert both.complete

    paths[1] = files.save(tmp_path / "2.pth", files.tiny_neurobolt(seed="2", **sizes))
    assert rtbold("import", *paths, "--out", tmp_path / "3.rtbold", *options)[0] == 0
    mixed = load(tmp_path / "3.rtbold").card.lineage
    assert mixed == Lineage(scans=lineages[0].scans, complete=False)


def test_a_lineage_that_rtbold_did_not_write_is_refused(rtbold, no_export, tmp_path):
    path = tmp_path / "x.safetensors"
    state = files.tiny_neurobolt()
    path.write_bytes(save(state, metadata={"rtbold.lineage": "[1, 2]"}))
    code, _, told = rtbold("import", path, "--out", tmp_path / "x.rtbold")
    assert code == 1
    assert "says which scans it was trained on, but not as rtbold writes it" in told


class _Weights:
    """A network that is nothing but its weights."""

    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state


def test_the_reference_is_that_of_the_publication_by_default(
    rtbold, no_export, checkpoint, tmp_path
):
    code, told, _ = rtbold("import", checkpoint, "--out", tmp_path / "x.rtbold")
    assert code == 0
    assert "reference  FCZ; TR 2.1 s" in told
    assert "Unvalidated" in told


def test_a_published_bundle_is_unvalidated_until_it_is_calibrated(
    rtbold, no_export, checkpoint, tmp_path
):
    out = tmp_path / "x.rtbold"
    rtbold("import", checkpoint, "--out", out)
    card = load(out).card
    with pytest.raises(DomainRefused, match="--allow-unvalidated"):
        check_domain(card, STREAM)
    assert check_domain(card, STREAM, allow_unvalidated=True) == ("unvalidated",)


def test_an_encoder_is_a_start_that_nothing_predicts_with(rtbold, no_export, tmp_path):
    state = {
        f"student.{name}": value
        for name, value in files.drawn(Labram(LabramConfig(depth=1))).items()
        if not name.startswith(("head.", "fc_norm."))
    }
    path, out = tmp_path / "labram-base.pth", tmp_path / "start.rtbold"
    files.save(path, {**state, "student.lm_head.bias": torch.zeros(4)})
    code, told, _ = rtbold("import", path, "--out", out, "--channels", "CZ,FTT9h")
    assert code == 0
    assert "head.weight (zeros: it is to be trained)" in told
    assert "lm_head.bias" in told
    assert "it predicts nothing" in told
    card = load(out).card
    assert card.origin.kind == "start"
    assert card.rois == ("untrained",)
    assert card.channels == ("CZ", "FTT9h")
    with pytest.raises(DomainRefused, match="start for training"):
        check_domain(card, STREAM, allow_unvalidated=True)
    windows = tmp_path / "W.npy"
    np.save(windows, np.zeros((1, 2, 3200), np.float32))
    code, _, complaint = rtbold(
        "predict", out, "--windows", windows, "--out", tmp_path / "O.npy"
    )
    assert code == 1
    assert "start for training" in complaint
    assert not (tmp_path / "O.npy").exists()
    _, told, _ = rtbold("show", out)
    assert "start (no trained head: for training only)" in told


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("kind", ["hostile", "truncated", "text", "missing", "other"])
def test_a_bad_file_is_one_error_and_nothing_is_written(rtbold, tmp_path, kind):
    path, touched = tmp_path / "in" / "bad.pth", tmp_path / "touched"
    path.parent.mkdir()
    if kind == "hostile":
        torch.save({"model": files.tiny_neurobolt(), "args": Evil(touched)}, path)
    elif kind == "truncated":
        files.save(path, files.tiny_neurobolt())
        path.write_bytes(path.read_bytes()[:100_000])
    elif kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "other":
        torch.save({"layer.weight": torch.ones(3)}, path)
    code, told, complaint = rtbold("import", path, "--out", tmp_path / "x.rtbold")
    assert code == 1
    assert told == ""
    assert complaint.startswith("rtbold: ")
    assert str(path) in complaint
    assert "Traceback" not in complaint
    assert "unforeseen" not in complaint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--out", "x"), 2, "--out is x, expected a folder to be made"),
        (("--out", ".rtbold"), 2, "expected a folder to be made"),
        (("--out", "a.txt/x.rtbold"), 2, "a.txt is a file"),
        (("--out", "there.rtbold"), 1, "exists already"),
        (("--roi", "A", "--roi", "B"), 2, "given 2 times, the weights answer 1"),
        (("--roi", " "), 2, "a name of its own"),
        (("--channels", "CZ,,PZ"), 2, "with commas between"),
        (("--channels", "CZ,XX"), 2, "XX.*no channel token"),
        (("--trained-channels", "CZ,PZ"), 2, "names 2 electrodes"),
        (("--tr", "2100"), 2, "--tr is 2100, expected seconds"),
        (("--reference", "nose"), 2, "--reference is 'nose'"),
        (("--heads", "0"), 2, "--heads is 0"),
    ],
)
def test_bad_options(
    rtbold, no_export, checkpoint, tmp_path, monkeypatch, options, code, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.rtbold").mkdir()
    (tmp_path / "a.txt").write_text("")
    before = sorted(tmp_path.iterdir())
    out = () if "--out" in options else ("--out", "new.rtbold")
    found, _, complaint = rtbold("import", checkpoint, *out, *options)
    assert found == code
    assert re.search(words, complaint.replace("\n", " "))
    assert sorted(tmp_path.iterdir()) == before


def test_one_file_twice_and_files_of_two_kinds(rtbold, no_export, checkpoint, tmp_path):
    out = ("--out", tmp_path / "x.rtbold")
    code, _, complaint = rtbold("import", checkpoint, checkpoint, *out)
    assert (code, "is the same file as" in complaint) == (1, True)
    encoder = files.save(tmp_path / "l.pth", files.drawn(Labram(LabramConfig(depth=1))))
    code, _, complaint = rtbold("import", checkpoint, encoder, *out)
    assert (code, "files are of neurobolt, labram" in complaint) == (1, True)


def test_more_members_than_one_graph_holds(
    rtbold, no_export, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(importing, "MAX_GRAPH_BYTES", 1000)
    out = ("--out", tmp_path / "x.rtbold")
    code, _, complaint = rtbold("import", checkpoint, *out)
    assert code == 2
    assert "more than one ONNX file holds" in complaint
    assert not (tmp_path / "x.rtbold").exists()
