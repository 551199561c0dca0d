import os

import pytest

from rtbold.acquire.bold import CAPACITY, MOST_PER_TURN, VolumeQueue, check_source
from rtbold.acquire.bold_readers import BoldSource, FileReader, parse_source
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
