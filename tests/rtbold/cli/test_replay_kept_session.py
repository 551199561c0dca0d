"""A session recorded in November 2026 replays as it was published, in every version.

The recording (the simulated brain, 26 channels at 250 Hz, 56 s, the shipped network on
OpenVINO f32) and the predictions that a subscriber got are kept as test data. On the
machine that recorded it every value comes out again to the last bit; another CPU adds
up in another order, so here the values may differ by its rounding.
"""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rtbold.cli import main

KEPT = Path(__file__).parents[2] / "data" / "session_2026-11.zip"
ROUNDING_SD = 1e-3  # of a region's values; 0 on the machine that recorded them
N_FIXED = 4  # volume_index, t_end, status, reasons; then the regions


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with zipfile.ZipFile(KEPT) as kept:
        kept.extractall(folder)
    (xdf,) = folder.glob("*_eeg.xdf")
    out = folder / "bold.tsv"
    assert main(["replay", str(xdf), "--model", "demo", "--out", str(out)]) == 0
    with out.open(encoding="utf-8") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    lines = (folder / "published.jsonl").read_text(encoding="utf-8").splitlines()
    return rows, [json.loads(line) for line in lines]


def test_every_prediction_comes_again(replayed):
    rows, published = replayed
    assert [row[0] for row in rows] == [
        "n/a" if message["volume_index"] is None else str(message["volume_index"])
        for message in published
    ]
    assert len(published) == 28


def test_windows_status_and_reasons_are_the_same(replayed):
    rows, published = replayed
    for row, message in zip(rows, published, strict=True):
        assert float(row[1]) == message["window"]["t_end"]
        assert row[2] == message["status"]
        assert (row[3].split(",") if row[3] else []) == message["reasons"]
    assert {row[2] for row in rows} == {"paused", "warmup", "ok", "degraded"}


def test_values_are_the_same(replayed):
    rows, published = replayed
    came, expected = [], []
    for row, message in zip(rows, published, strict=True):
        assert (row[N_FIXED] == "n/a") == (message["values"] is None)
        if message["values"] is not None:
            came.append(np.array(row[N_FIXED:], np.float32))
            expected.append(np.array(message["values"], np.float32))
    assert len(expected) == 19
    off_sd = (np.array(came) - np.array(expected)) / np.std(expected, axis=0)
    assert np.abs(off_sd).max() < ROUNDING_SD
