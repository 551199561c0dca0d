"""What a session published, as its files have it."""

import json
import math

import numpy as np
import pytest
from xdf_writer import write_xdf

from rtbold.errors import DataFileError
from rtbold.session import published_tables
from rtbold.session.published import read_published
from rtbold.session.recorded import machine_difference

ROWS = np.array(
    [
        [math.nan, math.nan, 4, math.nan],
        [0.1, 0.2, 0, 0],
        [0.3, math.nan, 2, 1],
        [0.5, 0.6, 1, 2],
    ],
    np.float32,
)
T_END_S = np.array([99.0, 100.0, 102.1, 104.2])
CHANGES = [
    (99.0, "status paused: waiting_for_scanner"),
    (100.0, "status ok: upstream_delay_unknown"),
    (101.0, "mark: coughed"),
    (102.1, "status invalid: gap, rate"),
    (104.2, "status degraded: rate"),
]


def part(path, first, end):
    predictions = {
        "name": "rtbold-pred", "type": "Prediction", "rate": 1 / 2.1,
        "labels": ["a", "target:a", "status", "volume_index"],
        "values": ROWS[first:end], "stamps": T_END_S[first:end],
    }  # fmt: skip
    changes = [change for change in CHANGES if T_END_S[first] <= change[0]]
    events = {
        "name": "rtbold-events", "type": "Markers", "rate": 0,
        "values": [text for _, text in changes], "stamps": [t for t, _ in changes],
    }  # fmt: skip
    write_xdf(path, [predictions, events])


def test_the_mirror_of_an_early_session_is_read_over_parts_that_overlap(tmp_path):
    part(tmp_path / "x_eeg.xdf", 0, 3)
    part(tmp_path / "x_eeg_part-02.xdf", 2, 4)
    (tmp_path / "x_eeg_part-03.xdf").write_bytes(b"")
    found = read_published(tmp_path)
    messages = found.messages["pred.fb"]
    assert not found.whole
    assert [m["window"]["t_end"] for m in messages] == T_END_S.tolist()
    assert [m["volume_index"] for m in messages] == [None, 0, 1, 2]
    assert [m["status"] for m in messages] == ["paused", "ok", "invalid", "degraded"]
    assert messages[2]["reasons"] == ["gap", "rate"]
    assert messages[1]["mirrored"] == (float(ROWS[1, 0]), float(ROWS[1, 1]))
    assert messages[0]["mirrored"] == (None, None)


def test_a_folder_that_keeps_nothing_of_it(tmp_path):
    with pytest.raises(DataFileError, match="keeps nothing of what was published"):
        read_published(tmp_path)


def test_a_log_with_lost_and_damaged_lines_is_not_whole(tmp_path):
    lines = [
        {"type": "header", "format": 1},
        {"topic": "pred.roi", "volume_index": 1},
        {"topic": "log", "text": "nothing to compare"},
        {"type": "lost", "n": 3},
        {"topic": "pred.fb", "volume_index": 2},
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n{"topic":"pr\n\n{"topic": "pred.fb"'
    (tmp_path / "published.jsonl").write_text(text)
    found = read_published(tmp_path)
    assert [len(those) for those in found.messages.values()] == [1, 1, 0]
    assert not found.whole
    assert found.notes == (
        "published.jsonl has lost 3 messages",
        "line 6 of published.jsonl is damaged",
    )


def test_machines_are_told_apart_in_words():
    kept = {"cpu": "A", "numpy": "2.0"}
    assert machine_difference(kept, kept) == ""
    assert machine_difference(kept, {"cpu": "B", "numpy": "2.0"}) == (
        "the session ran on cpu A, here B"
    )
    assert "did not keep" in machine_difference({}, kept)


def test_verify_and_export_read_the_same_lines(tmp_path):
    tick = {"window": {"t_end": 5.0}, "volume_index": 1, "values": [0.5]}
    lines = [{"topic": ["no", "topic"]}, {"topic": "pred.roi", **tick}]
    whole = "".join(f"{json.dumps(line)}\n" for line in lines)
    last = json.dumps(
        {"topic": "pred.fb", **tick, "value": 0.5}
    )  # its line end is lost
    (tmp_path / "published.jsonl").write_text(f"{whole}[1]\n{last}")
    verified = read_published(tmp_path)
    exported = published_tables.read_published(tmp_path, [], ["V1"])
    assert verified.messages["pred.roi"] == exported.predictions
    assert verified.messages["pred.fb"] == exported.feedback != ()
    assert verified.notes == exported.notes == ("line 3 of published.jsonl is damaged",)
