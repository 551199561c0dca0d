import itertools
import json
import os

import pytest
from hypothesis import given, strategies as st

from rtbold.acquire.bold import CAPACITY, MOST_PER_TURN, VolumeQueue, check_source
from rtbold.acquire.bold_readers import (
    LONGEST_LINE,
    BoldSource,
    FileReader,
    JsonRows,
    TableRows,
    parse_source,
)
from rtbold.acquire.inlet_irregular import measured_volume, require_bold
from rtbold.errors import ConfigError, DataFileError, StreamMismatch
from rtbold.messages import Channel, MeasuredVolume, StreamDescription


def volume(index):
    return MeasuredVolume(index, ("A",), (1.0,), 0.0)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("lsl:Bold 1", BoldSource("lsl", "Bold 1")),
        ("lsl:a:b", BoldSource("lsl", "a:b")),
        ("file:C:\\scan\\rois.tsv", BoldSource("file", "C:\\scan\\rois.tsv")),
        ("tcp:mri:5000", BoldSource("tcp", "mri", 5000)),
        ("tbv:10.0.0.2", BoldSource("tbv", "10.0.0.2", 55555)),
        ("tbv:10.0.0.2:55556", BoldSource("tbv", "10.0.0.2", 55556)),
    ],
)
def test_sources_are_named_by_kind(text, source):
    assert parse_source(text) == source
    assert parse_source(str(source)) == source


@pytest.mark.parametrize(
    "text",
    ["", "bold", "lsl:", "ftp:x", "tcp:host", "tcp:host:port", "tcp:host:0",
     "tcp:host:70000", "tcp::5000", "tbv:host:x"],
)  # fmt: skip
def test_what_is_no_source_is_refused(text):
    with pytest.raises(ConfigError, match="--truth is"):
        check_source(text, ())


def test_turbo_brainvoyager_needs_names():
    with pytest.raises(ConfigError, match="--truth-roi NAME"):
        check_source("tbv:host", ())
    check_source("tbv:host", ("A",))


def test_a_growing_file_gives_each_row_once(tmp_path):
    path = tmp_path / "bold.tsv"
    reader = FileReader(path)
    with pytest.raises(FileNotFoundError):
        reader.read(0.0)
    path.write_text("A\tB\n1\t2\n3\t")
    assert [v.values for v in reader.read(0.0)] == [(1.0, 2.0)]
    assert reader.read(0.0) == []
    with path.open("a") as file:
        file.write("4\n5\t6\n")
    assert [v.volume_index for v in reader.read(0.0)] == [1, 2]
    reader.close()


def test_a_file_that_was_cut_or_replaced_is_told_and_read_again(tmp_path):
    path = tmp_path / "bold.tsv"
    path.write_text("A\n1\n2\n3\n")
    reader = FileReader(path)
    assert len(reader.read(0.0)) == 3
    path.write_text("A\n9\n")
    with pytest.raises(DataFileError, match="cut short"):
        reader.read(0.0)
    assert [v.values for v in reader.read(0.0)] == [(9.0,)]
    other = tmp_path / "other.tsv"
    other.write_text("A\n7\n8\n")
    os.replace(other, path)
    with pytest.raises(DataFileError, match="replaced"):
        reader.read(0.0)
    assert [v.values for v in reader.read(0.0)] == [(7.0,), (8.0,)]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        reader.read(0.0)
    reader.close()


def test_the_queue_is_bounded_and_gives_a_few_at_a_time():
    queue = VolumeQueue()
    for index in range(CAPACITY + 7):
        queue.put(volume(index))
    assert queue.n_dropped == 7
    first = queue.take()
    assert [v.volume_index for v in first] == list(range(7, 7 + MOST_PER_TURN))


def stream(*labels):
    channels = tuple(Channel(label, "", "misc") for label in labels)
    return StreamDescription("b", "BOLD", 0.0, channels, host="here")


def test_a_sample_of_a_bold_stream_is_a_volume():
    found = measured_volume(
        stream("volume_index", "A", "B"),
        (3.0, 0.5, float("nan")),
        now_s=9.0,
        onset_s=7.0,
    )
    assert found == MeasuredVolume(3, ("A", "B"), (0.5, None), 9.0, 7.0)
    for number in (float("nan"), float("inf"), 1.5):
        sample = (number, 0.5)
        assert (
            measured_volume(stream("volume", "A"), sample, now_s=0, onset_s=None)
            is None
        )


@pytest.mark.parametrize(
    ("found", "sample_format"),
    [
        (stream("volume_index", "A"), "string"),
        (stream("A", "B"), "double64"),
        (stream("volume_index"), "double64"),
        (stream(), "double64"),
    ],
)
def test_what_is_no_bold_stream_is_refused(found, sample_format):
    require_bold(stream("volume_index", "A"), "float32")
    with pytest.raises(StreamMismatch, match="first the channel volume_index"):
        require_bold(found, sample_format)


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


@pytest.mark.parametrize("bad", [b"1\t2\t3\n", b"1\tx\n", b"1\r2\t3\n"])
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
        (b"[" * 20_000, "is no volume"),
        (b'{"volume": true, "values": {"A": 1}}', "is no volume"),
        (b'{"volume": 1' + b"0" * 400 + b', "values": {"A": 1}}', "is no volume"),
        (b'{"volume": 1, "values": {"A": 1' + b"0" * 400 + b"}}", "is no volume"),
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


# The same rule as for the table of a scan (`rtbold.calibration.inputs.bold_text`).

COMMAS = "Sulcus, left, medial\tGyrus, anterior division\tPlanum temporale, whole"


def fed(text, rows=None):
    return told((rows or TableRows()).feed(text.encode(), NOW_S))


@pytest.mark.parametrize("row", ["1\t2\t3", "1.5\t-2\tn/a"])
def test_names_with_commas_between_tabs(row):
    (found,) = fed(f"{COMMAS}\n{row}\n")
    assert found[1] == tuple(COMMAS.split("\t"))
    assert len(found[2]) == 3


def test_names_with_commas_in_quotes():
    ((_, rois, values),) = fed('"A, left";"B, right"\n1;2\n')
    assert (rois, values) == (("A, left", "B, right"), (1.0, 2.0))
    ((_, rois, _),) = fed('"A, left","B, right"\n1,2\n')
    assert rois == ("A, left", "B, right")


@pytest.mark.parametrize("by", ["\t", ",", ";"])
@pytest.mark.parametrize("ends", [("", "x"), ("x", "x"), ("x", "")])
def test_lines_of_a_growing_table_may_end_in_a_separator(by, ends):
    head, tail = (end.replace("x", by) for end in ends)
    text = f"A{by}B{head}\n1{by}2{tail}\n3{by}4{tail}\n"
    assert fed(text) == [(0, ("A", "B"), (1.0, 2.0)), (1, ("A", "B"), (3.0, 4.0))]


@pytest.mark.parametrize("head", ["TR", "scan", "Frame", "dyn", "vol_idx", "timepoint"])
@pytest.mark.parametrize("first", [0, 1, 7])
def test_a_counter_of_another_name_tells_only_which_rows_are_missing(head, first):
    text = f"{head}\tA\n" + "".join(f"{first + k}\t5\n" for k in (0, 1, 4))
    assert fed(text) == [(k, ("A",), (5.0,)) for k in (0, 1, 4)]


def test_a_counter_that_stands_is_told():
    rows = TableRows()
    assert len(fed("scan\tA\n2\t1\n", rows)) == 1
    with pytest.raises(DataFileError, match="counts 2 after 2, expected a number that"):
        fed("2\t1\n", rows)


def test_the_volumes_own_number_goes_over_a_counter():
    assert fed("scan\tvolume\tA\n1\t12\t5\n") == [(12, ("A",), (5.0,))]


@pytest.mark.parametrize("head", ["Time (s)", "time_ms", "t [ms]", "onset", "seconds"])
def test_times_of_any_unit_are_left_out(head):
    assert fed(f"{head}\tA\n2.1\t5\n") == [(0, ("A",), (5.0,))]


def test_comments_before_a_growing_table():
    assert fed("# by fslmeants\nA\tB\n1\t2\n") == [(0, ("A", "B"), (1.0, 2.0))]
    assert fed("# A\tB\n1\t2\n") == [(0, ("A", "B"), (1.0, 2.0))]


def test_blanks_between_columns_are_told_at_each_row():
    rows = TableRows()
    for line in ("A B\n1 2\n", "3 4\n"):
        with pytest.raises(DataFileError, match="separated by blanks, expected tabs"):
            fed(line, rows)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_told(encoding):
    rows = TableRows()
    with pytest.raises(DataFileError, match=r"no text in UTF-8.*Save it as UTF-8"):
        rows.feed("Gyrus pr\u00e4\tB\n".encode(encoding), NOW_S)


def test_scan_and_growing_table_are_read_alike(tmp_path):
    from rtbold.calibration.inputs.bold import read_bold

    values = [[1.5, -2.0, 3.0], [0.5, 7.0, -1.0], [2.5, 4.0, 9.0]]
    for by, names in (("\t", COMMAS.split("\t")), (";", ["A", "B, left", "C"])):
        lines = [by.join(names), *(by.join(map(str, row)) for row in values)]
        text = "\n".join(lines) + "\n"
        (tmp_path / "b.tsv").write_text(text, encoding="utf-8")
        scan = read_bold(tmp_path / "b.tsv")
        live = fed(text)
        assert {rois for _, rois, _ in live} == {scan.rois}
        assert [list(row) for *_, row in live] == scan.values.tolist() == values


@pytest.mark.parametrize("bad", ["1", "1\t2", "1,2,3", "x,y,z,u,v"])
def test_a_first_row_that_is_broken_says_nothing_of_the_separator(bad):
    rows = TableRows()
    with pytest.raises(DataFileError, match=r"left out\."):
        fed(f"{COMMAS}\n{bad}\n", rows)
    names = tuple(COMMAS.split("\t"))
    assert fed("1\t2\t3\n", rows) == [(1, names, (1.0, 2.0, 3.0))]


@pytest.mark.parametrize("head", ["EPI", "TR", "Row"])
def test_a_column_called_as_a_counter_that_holds_fractions_counts_nothing(head):
    text = f"{head}\tA\n100.5\t2\n99.5\t3\n"
    assert fed(text) == [
        (0, (head, "A"), (100.5, 2.0)),
        (1, (head, "A"), (99.5, 3.0)),
    ]


def test_columns_of_one_name_are_refused():
    with pytest.raises(DataFileError, match="more than one column called 'A'"):
        fed("A\tA\tB\n1\t2\t3\n")


def test_a_region_may_be_called_as_what_is_missing():
    assert fed("NA\tB\n1\t2\n") == [(0, ("NA", "B"), (1.0, 2.0))]


def test_decimal_commas_between_commas_are_told_at_each_row():
    rows = TableRows()
    for line in ("Sulcus, left\n100,346\n", "99,250\n"):
        with pytest.raises(DataFileError, match="look like decimal commas"):
            fed(line, rows)
