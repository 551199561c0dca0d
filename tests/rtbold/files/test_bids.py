import csv

import numpy as np
import pytest

from rtbold.errors import ConfigError, RtboldError
from rtbold.files import BidsRecording, BidsTable, BidsTexts, write_bids
from rtbold.files.bids import unique
from rtbold.messages import Channel
from rtbold.run_names import RunName

mne_bids = pytest.importorskip(
    "mne_bids", reason="the extra bids brings what writes BIDS"
)
TEXTS = BidsTexts("readme\n", "derived\n")
EVENTS = BidsTable({"onset": [0.5], "duration": [0.0]}, {})
CHANNELS = (
    Channel("Cz", "uV"), Channel("Cz", "uV"), Channel("a,b", "uV", "eog"),
    Channel("TRIG", "", "trigger"), Channel("CWL", "uV", "cwl"),
    Channel("EKG", "bits", "ecg"), Channel("EMG", "uV", "emg"),
)  # fmt: skip


def recording(run="01", seed=0, **changes):
    data = np.random.default_rng(seed).normal(0, 40, (7, 600)).astype(np.float32)
    data[3] = np.round(data[3])
    told = {
        "name": RunName("S01", "01", "nf", int(run)), "data_uv": data,
        "rate_hz": 1000.0, "channels": CHANNELS, "events": EVENTS, "sidecar": {},
    }  # fmt: skip
    return BidsRecording(**{**told, **changes})


def names(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_every_kind_of_channel_and_unit_comes_back(tmp_path):
    one = recording()
    write_bids(tmp_path, [one], TEXTS)
    path = mne_bids.BIDSPath(
        root=tmp_path, datatype="eeg", subject="S01", session="01", task="nf", run="01"
    )
    raw = mne_bids.read_raw_bids(path, verbose="ERROR")
    factors = np.array([1e6 if c.unit == "uV" else 1.0 for c in CHANNELS])
    data = raw.get_data() * factors[:, None]
    np.testing.assert_allclose(data, one.data_uv, rtol=1e-12, atol=0)
    assert raw.ch_names == ["Cz", "Cz-2", "a,b", "TRIG", "CWL", "EKG", "EMG"]
    assert raw.get_channel_types() == [
        "eeg", "eeg", "eog", "stim", "misc", "ecg", "emg",
    ]  # fmt: skip
    (told,) = tmp_path.rglob("*_channels.tsv")
    with told.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["units"] for row in rows[3:6]] == ["n/a", "µV", "bits"]
    assert {row["status"] for row in rows} == {"n/a"}
    assert rows[4]["description"] == "carbon wire loop"


def test_the_file_holds_the_samples_to_the_last_bit(tmp_path):
    data = np.random.default_rng(1).normal(0, 1e4, (7, 40_000)).astype(np.float32)
    data[0, :3] = np.array([1e-30, -0.0, 3e38], np.float32)
    write_bids(tmp_path, [recording(data_uv=data)], TEXTS)
    (file,) = tmp_path.rglob("*_eeg.eeg")
    written = np.frombuffer(file.read_bytes(), "<f4").reshape(-1, 7).T
    assert np.array_equal(written, data)


def test_names_of_files_leave_no_staging_behind(tmp_path):
    files = write_bids(tmp_path / "new" / "set", [recording()], TEXTS)
    there = names(tmp_path / "new" / "set")
    assert {str(file) for file in files} < set(there)
    assert not [name for name in there if "scans" in name or ".rtbold" in name]
    assert names(tmp_path) == [f"new/set/{name}" for name in there]


def test_two_recordings_come_together_or_not_at_all(tmp_path, monkeypatch):
    from pathlib import Path

    rename, n = Path.rename, []

    def full(self, target):
        n.append(target)
        if len(n) == 9:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    root = tmp_path / "set"
    write_bids(root, [recording()], TEXTS)
    before = names(root)
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(RtboldError, match="No space left on device"):
        write_bids(root, [recording("02"), recording("03")], TEXTS)
    assert names(root) == before


def test_a_new_folder_that_got_nothing_is_not_left(tmp_path, monkeypatch):
    def nothing(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mne_bids, "write_raw_bids", nothing)
    with pytest.raises(RtboldError, match="cannot write the BIDS folder"):
        write_bids(tmp_path / "set", [recording()], TEXTS)
    assert names(tmp_path) == []
    assert not (tmp_path / "set").exists()


def test_a_derivative_alone_is_in_the_way_too(tmp_path):
    derived = {"predictions": EVENTS}
    write_bids(tmp_path, [recording(derived=derived)], TEXTS)
    for path in (tmp_path / "sub-S01").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(ConfigError, match="desc-predictions"):
        write_bids(tmp_path, [recording(derived=derived)], TEXTS)


def test_a_run_is_not_taken_for_another(tmp_path):
    write_bids(tmp_path, [recording("01")], TEXTS)
    write_bids(tmp_path, [recording("011")], TEXTS)  # begins alike
    other = recording(name=RunName("S01", "01", "nfb", 1))
    write_bids(tmp_path, [other], TEXTS)
    assert len([name for name in names(tmp_path) if name.endswith(".vhdr")]) == 3


def test_cells_are_numbers_words_or_nothing():
    table = BidsTable(
        {
            "a": [0.1, float("nan"), None, float("inf")],
            "b": [np.float32(0.1), np.float32("nan"), 3, True],
            "c": ["x", "", "n/a", "y z"],
        },
        {},
    )
    assert table.text().splitlines() == [
        "a\tb\tc", "0.1\t0.1\tx", "n/a\tn/a\tn/a", "n/a\t3\tn/a", "n/a\ttrue\ty z",
    ]  # fmt: skip


def test_labels_of_one_name_are_told_apart():
    assert unique(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]
