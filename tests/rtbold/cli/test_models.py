"""``rtbold models list | show | predict`` through the real command line."""

import json
import os
import re

import numpy as np
import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner
from verdicts import make_verdict

from rtbold.bundle.card import Conditioning
from rtbold.cli import models
from rtbold.engine.opening import open_engine
from rtbold.errors import BundleError, ConfigError, DataFileError, EngineError


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("list")(models.list_models)
    app.command("show")(models.show)
    app.command("seal")(models.seal)
    app.command("predict")(models.predict)

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def windows(tmp_path):
    noise = np.random.default_rng(0).standard_normal((3, 19, 3200))
    path = tmp_path / "W.npy"
    np.save(path, (10 * noise).astype(np.float32))
    return path


def test_list_names_what_a_subject_folder_holds(run, tiny_bundle):
    result = run("list", "--root", tiny_bundle.path.parent)
    line = next(x for x in result.stdout.splitlines() if x.startswith("tiny\t"))
    assert "subject" in line
    assert "19 channels" in line
    assert "3 ROIs" in line


def test_show_says_what_it_is_and_needs(run, tiny_bundle):
    text = run("show", tiny_bundle.path).stdout
    for words in ("simulated", "average", "2.1 s", "FP1 FP2", tiny_bundle.sha256):
        assert words in text


def test_a_bundle_of_an_earlier_version_is_shown_to_have_no_seal_and_sealed(
    run, tiny_bundle
):
    assert "seal" not in run("show", tiny_bundle.path).stdout
    fields = json.loads((tiny_bundle.path / "card.json").read_text("utf-8"))
    del fields["sealed"]
    (tiny_bundle.path / "card.json").write_text(json.dumps(fields), "utf-8")
    (tiny_bundle.path / "card.json.sha256").unlink()
    assert "seal          none" in run("show", tiny_bundle.path).stdout
    assert "sealed, sha256 " in run("seal", tiny_bundle.path).stdout
    assert "seal" not in run("show", tiny_bundle.path).stdout
    with pytest.raises(BundleError, match="sealed already"):
        run("seal", tiny_bundle.path)


def test_show_says_what_stands_between_a_bundle_and_a_session(tiny_bundle):
    card = tiny_bundle.card
    text = "\n".join(models.card_lines(card))
    assert "conditioning" not in text
    assert "verdict" not in text
    published = replace(
        card,
        conditioning=Conditioning(source="published"),
        verdict=make_verdict(label="undecided"),
    )
    text = "\n".join(models.card_lines(published))
    assert "unvalidated until it is calibrated" in text
    assert re.search(r"verdict +\w.*: undecided, R \d", text)


def test_a_subject_folder_that_is_not_there_is_refused(run, tmp_path):
    for words in (("list",), ("show", "demo")):
        result = run(*words, "--root", tmp_path / "unmounted")
        assert result.exit_code == 2
        assert result.stdout == ""


def test_show_json_is_the_card(run, tiny_bundle):
    card = json.loads(run("show", tiny_bundle.path, "--json").stdout)
    assert card == json.loads((tiny_bundle.path / "card.json").read_text())


def test_predict_gives_what_the_loop_would(run, tiny_bundle, windows, tmp_path):
    out = tmp_path / "O.npy"
    run("predict", tiny_bundle.path, "--windows", windows, "--out", out)
    engine = open_engine(tiny_bundle)
    expected = np.concatenate([engine(w[None]) for w in np.load(windows)])
    np.testing.assert_array_equal(np.load(out), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "O.npy",
        "W.npy",
        "tiny.rtbold",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w + 5000, "the mean of window"),
        (lambda w: w * np.float32(1e-6), "1e-05 uV or less.*in microvolt"),
        (lambda w: w * np.float32(1e3), "1e\\+04 uV or more.*in microvolt"),
        (lambda w: w * 0, "0 uV or less"),
    ],
)
def test_windows_that_no_session_makes_are_told(
    run, tiny_bundle, windows, tmp_path, change, words
):
    np.save(windows, change(np.load(windows)))
    told = run(
        *("predict", tiny_bundle.path, "--windows", windows),
        *("--out", tmp_path / "O.npy"),
    )
    assert re.search(f"note: .*({words})", told.stderr)


def test_plausible_windows_are_not_commented(run, tiny_bundle, windows, tmp_path):
    told = run(
        *("predict", tiny_bundle.path, "--windows", windows),
        *("--out", tmp_path / "O.npy"),
    )
    assert told.stderr == ""


def saved(tmp_path, array):
    path = tmp_path / "bad.npy"
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.zeros((2, 18, 3200), np.float32), EngineError, "shape"),
        (np.zeros((2, 19, 3199), np.float32), EngineError, "shape"),
        (np.zeros((19, 3200), np.float32), EngineError, "shape"),
        (np.zeros((0, 19, 3200), np.float32), EngineError, "no window"),
        (np.zeros((2, 19, 3200)), EngineError, "astype"),
        (np.zeros((2, 19, 3200), np.int16), EngineError, "int16, expected float32"),
        (np.full((2, 19, 3200), np.nan, np.float32), DataFileError, "window 0.*FP1"),
        (np.array([{"a": 1}], dtype=object), DataFileError, "cannot be read"),
    ],
)
def test_bad_windows_are_refused_and_nothing_is_written(
    run, tiny_bundle, tmp_path, array, error, words
):
    path = saved(tmp_path, array)
    out = tmp_path / "O.npy"
    with pytest.raises(error, match=words) as caught:
        run("predict", tiny_bundle.path, "--windows", path, "--out", out)
    assert "unsafe" not in str(caught.value)  # numpy's advice on pickled files
    assert not out.exists()


def test_files_that_are_no_arrays(run, tiny_bundle, tmp_path):
    out = tmp_path / "O.npy"
    text = tmp_path / "t.npy"
    text.write_text("hello")
    archive = tmp_path / "a.npz"
    np.savez(archive, a=np.zeros(3))
    cut = tmp_path / "c.npz"
    cut.write_bytes(archive.read_bytes()[:-10])
    for path, words in (
        (text, "cannot be read"),
        (tmp_path / "none.npy", "cannot be read"),
        (archive, "several arrays"),
        (cut, "cut short"),
    ):
        with pytest.raises(DataFileError, match=words):
            run("predict", tiny_bundle.path, "--windows", path, "--out", out)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "terabyte"])
def test_windows_that_would_never_end(run, tiny_bundle, tmp_path, kind):
    path = tmp_path / "W.npy"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        said = {"descr": "<f4", "fortran_order": False, "shape": (10**8, 19, 3200)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, said)
    with pytest.raises(DataFileError, match="cannot be read"):
        run(
            *("predict", tiny_bundle.path, "--windows", path),
            *("--out", tmp_path / "O.npy"),
        )


def test_truncated_file(run, tiny_bundle, windows, tmp_path):
    windows.write_bytes(windows.read_bytes()[:-100])
    with pytest.raises(DataFileError, match="cannot be read"):
        run(
            *("predict", tiny_bundle.path, "--windows", windows),
            *("--out", tmp_path / "O.npy"),
        )


def test_unknown_bundle_engine_and_folder(run, tiny_bundle, windows, tmp_path):
    out = tmp_path / "O.npy"
    with pytest.raises(BundleError, match="no bundle 'nope'"):
        run("predict", "nope", "--windows", windows, "--out", out)
    base = ("predict", tiny_bundle.path, "--windows", windows)
    with pytest.raises(ConfigError, match="openvino, tensorrt, torch"):
        run(*base, "--out", out, "--engine", "tpu")
    with pytest.raises(ConfigError, match="there is no folder"):
        run(*base, "--out", tmp_path / "nowhere" / "O.npy")
    with pytest.raises(ConfigError, match="it is a folder"):
        run(*base, "--out", tmp_path)
