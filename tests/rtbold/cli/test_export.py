"""``rtbold export``: the session of November 2026 becomes a valid BIDS data set."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bids_validator import MISSING, WHY_NOT, errors_of

from rtbold.cli import main
from rtbold.distribution import pip_install
from rtbold.files import load_streams, to_uv
from rtbold.messages import EegChunk
from rtbold.record import session_events

mne_bids = pytest.importorskip(
    "mne_bids", reason="the extra bids brings what writes BIDS"
)
KEPT = Path(__file__).parents[2] / "data" / "session_2026-11.zip"
NAME = "sub-anon_ses-01_task-nf_run-01"
validated = pytest.mark.skipif(bool(MISSING), reason=WHY_NOT)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / NAME
    with zipfile.ZipFile(KEPT) as kept:
        kept.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def root(session, tmp_path_factory):
    root = tmp_path_factory.mktemp("export") / "bids"
    assert main(["export", str(session), "--bids", str(root)]) == 0
    return root


def rows(root, ending):
    (path,) = root.rglob(f"*{ending}")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@validated
def test_the_validator_finds_no_error(root, tmp_path):
    assert errors_of(root, tmp_path) == []


@validated
def test_the_validator_finds_none_in_the_derivatives_either(root, tmp_path):
    assert errors_of(root / "derivatives" / "rtbold", tmp_path) == []


@validated
def test_the_validator_would_find_one(root, tmp_path):
    broken = shutil.copytree(root, tmp_path / "broken")
    next(broken.rglob("*_channels.tsv")).write_text("name\ttype\nFp1\tbrain\n")
    assert errors_of(broken, tmp_path / "cache") != []


@validated
def test_what_was_added_to_is_still_valid(root, session, tmp_path):
    more = shutil.copytree(root, tmp_path / "more")
    words = ["export", str(session), "--bids", str(more), "--line-frequency", "50"]
    assert main([*words, "--run", "2"]) == 0
    assert main([*words, "--subject", "S02", "--task", "rest"]) == 0
    assert errors_of(more, tmp_path / "cache") == []


def test_samples_and_triggers_come_back(root, session):
    where = mne_bids.BIDSPath(
        root=root, datatype="eeg", subject="anon", session="01", task="nf", run="01"
    )
    raw = mne_bids.read_raw_bids(where, verbose="ERROR")
    (xdf,) = session.glob("*.xdf")
    events = list(session_events(xdf))
    loop_uv = np.concatenate(
        [e.data_uv for e in events if isinstance(e, EegChunk)], axis=1
    )
    np.testing.assert_allclose(raw.get_data() * 1e6, loop_uv, rtol=1e-12)
    (eeg,) = (s for s in load_streams(xdf)[0] if s.description.name == "keepsake-eeg")
    recorded_uv = to_uv(eeg)
    first = int(np.flatnonzero((loop_uv[:, :-1] == recorded_uv[:, :1]).all(axis=0))[0])
    n = min(loop_uv.shape[1] - first, recorded_uv.shape[1])
    np.testing.assert_allclose(
        raw.get_data()[:, first : first + n] * 1e6, recorded_uv[:, :n], rtol=1e-12
    )
    triggers = [r for r in rows(root, "run-01_events.tsv") if r["value"] == "R128"]
    assert len(triggers) == 27
    t_first_s = float(next(e for e in events if isinstance(e, EegChunk)).t_lsl_s[0])
    labels = [e for e in events if type(e).__name__ == "Marker"]
    expected = [(e.t_lsl_s - t_first_s) * 250.0 for e in labels]
    told = [float(r["onset"]) * 250.0 for r in triggers]
    np.testing.assert_allclose(told, expected, atol=0.01)
    assert [int(r["sample"]) for r in triggers] == [round(place) for place in told]


def test_derivatives_are_the_published_numbers(root, session):
    lines = (session / "published.jsonl").read_text(encoding="utf-8").splitlines()
    published = sorted(map(json.loads, lines), key=lambda m: m["window"]["t_end"])
    told = rows(root, "desc-predictions_events.tsv")
    feedback = rows(root, "desc-feedback_events.tsv")
    assert len(told) == len(feedback) == len(published) == 28
    for row, fb, message in zip(told, feedback, published, strict=True):
        assert row["status"] == message["status"]
        assert row["reasons"] == (",".join(message["reasons"]) or "n/a")
        index = message["volume_index"]
        assert row["volume_index"] == ("n/a" if index is None else str(index))
        values = list(row.values())[5:]
        if message["values"] is None:
            assert set(values) == {"n/a"}
            assert fb["value"] == "n/a"
        else:
            assert [float(v) for v in values] == message["values"]
            assert np.float32(fb["value"]) == np.float32(message["values"][0])


def test_the_simulated_brain_stays_simulated(root):
    from rtbold.files import says_simulated

    (vhdr,) = root.rglob("*.vhdr")
    assert says_simulated(vhdr)


def test_what_cannot_be_done_is_one_message(root, session, capsys):
    assert main(["export", str(session), "--bids", str(root)]) == 2
    said = capsys.readouterr().err
    assert "nothing is overwritten" in said
    assert "--run" in said
    assert main(["export", str(root), "--bids", str(root)]) == 1
    assert "is no recorded session" in capsys.readouterr().err


def test_without_mne_bids_it_says_what_to_install(
    session, tmp_path, monkeypatch, capsys
):
    import sys

    monkeypatch.setitem(sys.modules, "mne_bids", None)
    assert main(["export", str(session), "--bids", str(tmp_path / "b")]) == 1
    assert pip_install("bids") in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
