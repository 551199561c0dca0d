import itertools
import json

import pytest
from hypothesis import given, strategies as st

from rtbold.acquire.bold_readers import LONGEST_LINE, JsonRows, TableRows
from rtbold.errors import DataFileError

NOW_S = 5.0
TABLE = b"volume\tCuneus\tHeschl's gyrus\n0\t1.5\t-2\n1\tn/a\t3e-2\n"


def told(volumes):
    return [(v.volume_index, v.rois, v.values) for v in volumes]


@given(st.lists(st.integers(0, len(TABLE)), max_size=8))
def test_any_pieces_of_a_table_give_the_same_volumes(cuts):
    edges = [0, *sorted(cuts), len(TABLE)]
    rows, volumes = TableRows(), []
    for first, end in itertools.pairwise(edges):
        volumes += rows.feed(TABLE[first:end], NOW_S)
    names = ("Cuneus", "Heschl's gyrus")
    assert told(volumes) == [(0, names, (1.5, -2.0)), (1, names, (None, 0.03))]


def test_a_row_that_is_not_whole_yet_waits():
    rows = TableRows()
    assert rows.feed(b"A\tB\n1\t2", NOW_S) == []
    assert told(rows.feed(b".5\n", NOW_S)) == [(0, ("A", "B"), (1.0, 2.5))]


@pytest.mark.parametrize(
    "text", [b"A;B\n1;2\n", b"A,B\r\n1,2\r\n", b"\xef\xbb\xbfA\tB\n1\t2\n"]
)
def test_delimiters_line_ends_and_byte_order_marks_of_other_programs(text):
    assert told(TableRows().feed(text, NOW_S)) == [(0, ("A", "B"), (1.0, 2.0))]


def test_without_a_column_of_numbers_rows_are_counted():
    volumes = TableRows().feed(b"time\tA\tB\n2.1\t1\t2\n4.2\t3\t4\n", NOW_S)
    assert told(volumes) == [(0, ("A", "B"), (1.0, 2.0)), (1, ("A", "B"), (3.0, 4.0))]
    assert {v.t_arrived_s for v in volumes} == {NOW_S}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"1\t2\n", "expected a header of ROI names"),
        (b"A\tB\n1\n", "1 cells, expected 2"),
        (b"A\tB\n1\tx\n", "'x', expected a number"),
        (b"volume\tA\nn/a\t1\n", "expected a whole number"),
        (b"volume\tA\n1.5\t1\n", "expected a whole number"),
    ],
)
def test_a_bad_row_is_told_and_the_next_one_is_read(text, match):
    rows = TableRows()
    with pytest.raises(DataFileError, match=match):
        rows.feed(text, NOW_S)
    if b"A" in text:
        n = 2 if b"B" in text or b"volume" in text else 1
        assert len(rows.feed(b"\t".join([b"7"] * n) + b"\n", NOW_S)) == 1


@pytest.mark.parametrize("bad", [b"1\t2\t3\n", b"1\tx\n"])
def test_a_bad_row_still_counts_as_a_volume(bad):
    rows = TableRows()
    rows.feed(b"A\tB\n1\t2\n", NOW_S)
    with pytest.raises(DataFileError):
        rows.feed(bad, NOW_S)
    assert [v.volume_index for v in rows.feed(b"5\t6\n", NOW_S)] == [2]


def test_json_lines_by_name_and_by_position():
    rows = JsonRows()
    lines = [
        {"volume": 3, "values": {"A": 1, "B": None}},
        {"rois": ["X", "Y"]},
        {"volume": 4, "values": [0.5, 2]},
        {"rois": ["Z"], "volume": 5, "values": [1.0]},
    ]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert told(rows.feed(data, NOW_S)) == [
        (3, ("A", "B"), (1.0, None)),
        (4, ("X", "Y"), (0.5, 2.0)),
        (5, ("Z",), (1.0,)),
    ]
    given_names = JsonRows(("P", "Q"))
    assert told(given_names.feed(b'{"volume": 0, "values": [1, 2]}\n', NOW_S)) == [
        (0, ("P", "Q"), (1.0, 2.0))
    ]


def test_nan_in_json_is_a_missing_value():
    volumes = JsonRows().feed(b'{"volume": 0, "values": {"A": NaN}}\n', NOW_S)
    assert told(volumes) == [(0, ("A",), (None,))]


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (b"hello", "is no volume"),
        (b"[1, 2]", "is no volume"),
        (b'{"values": {"A": 1}}', "is no volume"),
        (b'{"volume": 1}', "is no volume"),
        (b'{"volume": "1", "values": {"A": 1}}', "is no volume"),
        (b'{"volume": 1, "values": {"A": "x"}}', "is no volume"),
        (b'{"volume": 1, "values": {"A": true}}', "is no volume"),
        (b'{"volume": 1.5, "values": {"A": 1}}', "whole number"),
        (b'{"volume": 1, "values": [1, 2]}', "2 values and 0 names"),
        (b"\xff\xfe\x00", "is no volume"),
    ],
)
def test_a_bad_line_is_told_and_the_next_one_is_read(line, match):
    rows = JsonRows()
    with pytest.raises(DataFileError, match=match):
        rows.feed(line + b"\n", NOW_S)
    assert len(rows.feed(b'{"volume": 1, "values": {"A": 1}}\n', NOW_S)) == 1


def test_what_never_ends_its_line_does_not_fill_the_memory():
    rows = JsonRows()
    with pytest.raises(DataFileError, match="without a line break"):
        rows.feed(b"x" * (LONGEST_LINE + 1), NOW_S)
    assert len(rows.feed(b'{"volume": 1, "values": {"A": 1}}\n', NOW_S)) == 1
