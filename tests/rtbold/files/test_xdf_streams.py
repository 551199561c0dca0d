"""What people's XDF files have: rates, clocks and markers that are not as declared."""

import re

import numpy as np
import pytest
from xdf_writer import write_xdf

from rtbold.errors import AmbiguousStream, DataFileError
from rtbold.files.events import (
    clock_offset_s,
    find_volume_label,
    marker_time_s,
    recording_events,
)
from rtbold.files.read import read_recording
from rtbold.messages import Marker

N, RATE_HZ, TR_S = 3000, 250.0, 2.1
RNG = np.random.default_rng(5)
VALUES = RNG.normal(0, 20, (N, 3)).astype("f4")
STAMPS = 1000.0 + np.arange(N) / RATE_HZ
T_VOLUMES = 1000.0 + np.arange(5) * TR_S


def eeg(**changes):
    made = {
        "name": "amp", "type": "EEG", "rate": RATE_HZ, "unit": "uV",
        "labels": ["Fz", "Cz", "Pz"], "values": VALUES, "stamps": STAMPS,
    }  # fmt: skip
    return made | changes


def markers(**changes):
    made = {
        "name": "scanner", "type": "Markers", "rate": 0, "values": ["R128"] * 5,
        "stamps": T_VOLUMES,
    }  # fmt: skip
    return made | changes


@pytest.fixture
def read(tmp_path):
    def read(*streams, **options):
        write_xdf(tmp_path / "a.xdf", list(streams))
        return read_recording(tmp_path / "a.xdf", **options)

    return read


# Declared and stamped rate


@pytest.mark.parametrize(
    ("declared_hz", "told"),
    [
        (500.0, r"declares 500 Hz, its stamps say 250: taken as 250 Hz"),
        (256.0, r"declares 256 Hz, its stamps say 250: taken as 250 Hz"),
        (0, r"declares no rate; its stamps say 250 Hz: taken as 250 Hz"),
        (249.9983, r"declares 249.9983 Hz, which is a measured rate: taken as 250 Hz"),
    ],
)
def test_even_stamps_tell_the_rate(read, declared_hz, told):
    recording = read(eeg(rate=declared_hz), markers())
    assert recording.rate_hz == recording.description.rate_hz == RATE_HZ
    (note,) = recording.notes
    assert told in note
    np.testing.assert_allclose(
        [m.t_s for m in recording.markers], np.arange(5) * TR_S, atol=1e-6
    )


@pytest.mark.parametrize("name", [None, "amp"])
def test_an_irregular_stream_is_no_eeg_and_the_advice_can_be_followed(read, name):
    stamps_s = 1000.0 + np.cumsum(RNG.exponential(0.5, N))
    with pytest.raises(DataFileError, match=r"'amp'.*no rate.*Let its sender declare"):
        read(eeg(rate=0, stamps=stamps_s), markers(), stream=name)


def test_uneven_stamps_do_not_tell_which_rate_is_right(read):
    """Each chunk of 12 samples as if at 500 Hz, but 12 samples come in 48 ms."""
    k = np.arange(N)
    stamps_s = 1000.0 + (k // 12) * 0.048 + (k % 12) * 0.002
    with pytest.raises(DataFileError, match=r"has 500 Hz, but its stamps say 250"):
        read(eeg(rate=500, stamps=stamps_s))


def test_a_little_lost_is_a_note_and_no_other_rate(read):
    lost = STAMPS + 0.2 * (np.arange(N) // 500)  # 0.2 s every 2 s
    recording = read(eeg(stamps=lost))
    assert recording.rate_hz == RATE_HZ
    assert any("its stamps say 230" in note for note in recording.notes)


def test_jitter_of_stamps_is_no_other_rate(read):
    jittered = STAMPS + RNG.uniform(0, 0.01, N)
    recording = read(eeg(stamps=jittered, rate=RATE_HZ))
    assert recording.rate_hz == RATE_HZ
    assert not any("its stamps say" in note for note in recording.notes)


def test_a_wrong_rate_is_told_beside_gaps(read):
    lost = STAMPS + 0.2 * (np.arange(N) // 500)
    recording = read(eeg(stamps=lost, rate=500))
    assert recording.rate_hz == RATE_HZ
    assert "taken as 250 Hz" in recording.notes[0]


# A sender that starts again with another clock


def reset(**changes):
    """6 s, then the computer is started again; 1.004 s are missing in between."""
    stamps_s = np.concatenate([STAMPS[:1500], 50.0 + np.arange(1500) / RATE_HZ])
    offsets = [(1000.0, 0.5), (1005.0, 0.5), (51.0, 957.5), (55.0, 957.5)]
    return eeg(stamps=stamps_s, offsets=offsets) | changes


def test_offsets_belong_to_the_clock_that_they_were_measured_of(read):
    on_recorder = markers(values=["a", "b"], stamps=np.array([1004.5, 1009.5]))
    recording = read(reset(), on_recorder)
    np.testing.assert_allclose([m.t_s for m in recording.markers], [4.0, 8.0])
    assert any("begins anew after 6.0 s" in note for note in recording.notes)
    # one clock: the second marker is 2 s after the first sample of the second part
    steps_s = np.diff(recording.stamps_s)
    np.testing.assert_allclose(steps_s[1499], 1.004, atol=1e-6)
    assert steps_s.min() > 0
    second = marker_time_s(recording.markers[1], recording)
    np.testing.assert_allclose(second, recording.stamps_s[2000], atol=1e-6)


def test_markers_of_a_sender_that_starts_again_are_placed_likewise(read):
    again = markers(
        values=["a", "b"], stamps=np.array([1004.0, 52.0]),
        offsets=[(1000.0, 0.5), (51.0, 957.5)],
    )  # fmt: skip
    recording = read(reset(), again)
    np.testing.assert_allclose([m.t_s for m in recording.markers], [4.0, 8.0])


def test_a_clock_that_jumps_forward_is_another_one_too(read):
    stamps_s = np.concatenate([STAMPS[:1500], 90_000.0 + np.arange(1500) / RATE_HZ])
    offsets = [(1000.0, 0.5), (1005.0, 0.5), (90_001.0, -88_992.5)]
    on_recorder = markers(values=["a", "b"], stamps=np.array([1006.4, 1009.5]))
    recording = read(eeg(stamps=stamps_s, offsets=offsets), on_recorder)
    times_s = [marker.t_s for marker in recording.markers]
    np.testing.assert_allclose(times_s, [5.9, 8.0], atol=1e-6)


def test_a_clock_without_an_offset_cannot_place_markers(read):
    for offsets in ([], [(1000.0, 0.5), (1005.0, 0.5)]):
        with pytest.raises(DataFileError, match=r"begins anew after 6.0 s.*Split"):
            read(reset(offsets=offsets), markers())
    assert "begins anew" in read(reset(offsets=[])).notes[0]


@pytest.mark.parametrize("offsets", [[], [(1000.0, 0.0), (1004.0, 0.0)]])
def test_markers_on_a_clock_that_nobody_knows_are_left_out(read, offsets):
    again = markers(values=["a", "b", "c"], stamps=np.array([1004.0, 50.0, 52.0]),
                    offsets=offsets)  # fmt: skip
    recording = read(eeg(), again)
    assert [m.label for m in recording.markers] == ["a"]
    (note,) = recording.notes
    assert "its last 2 markers cannot be placed" in note


@pytest.mark.parametrize("offsets", [[], [(1000.0, 0.5), (1005.0, 0.5)]])
def test_stamps_that_step_back_a_little_are_the_same_clock_s(read, offsets):
    """The pipeline follows such a step; late markers are where their stamps say."""
    stamps_s = np.where(np.arange(N) < 1500, STAMPS, STAMPS - 3.0)
    late = markers(values=["a", "b", "c"], stamps=np.array([1004.0, 1001.0, 1005.0]),
                   offsets=offsets)  # fmt: skip
    recording = read(eeg(stamps=stamps_s, offsets=offsets), late)
    np.testing.assert_array_equal(recording.stamps_s, stamps_s)
    assert [m.label for m in recording.markers] == ["b", "a", "c"]
    assert not any("anew" in note for note in recording.notes)


def test_a_recording_that_outlasts_its_offsets_is_one_clock_s(read):
    stamps_s = np.where(np.arange(N) < 1500, STAMPS, STAMPS + 4000.0)
    recording = read(eeg(stamps=stamps_s, offsets=[(1000.0, 0.5)]), markers())
    np.testing.assert_array_equal(recording.stamps_s, stamps_s)
    assert not any("anew" in note for note in recording.notes)


def test_clocks_whose_times_overlap_are_told_by_their_order(read):
    stamps_s = np.concatenate([STAMPS[:1500], STAMPS[:1500] + 1.0])
    offsets = [(1000.0, 0.0), (1005.0, 0.0), (1001.0, 6.0), (1006.0, 6.0)]
    on_recorder = markers(values=["a", "b"], stamps=np.array([1004.0, 1009.0]))
    recording = read(eeg(stamps=stamps_s, offsets=offsets), on_recorder)
    np.testing.assert_allclose([m.t_s for m in recording.markers], [4.0, 8.0])


def test_three_clocks_one_after_the_other(read):
    stamps_s = np.concatenate([
        STAMPS[:1000], 50.0 + STAMPS[:1000] - 1000, 20.0 + STAMPS[:1000] - 1000
    ])  # fmt: skip
    offsets = [(1000.0, 0.0), (51.0, 955.0), (21.0, 990.0)]
    on_recorder = markers(values=["a", "b", "c"],
                          stamps=np.array([1001.0, 1006.0, 1011.0]))  # fmt: skip
    recording = read(eeg(stamps=stamps_s, offsets=offsets), on_recorder)
    np.testing.assert_allclose([m.t_s for m in recording.markers], [1.0, 5.0, 9.0])


def test_stamps_of_chance_end_in_time(read):
    with pytest.raises(DataFileError):
        read(eeg(rate=0, stamps=RNG.uniform(0, 1e6, N), offsets=[(0.0, 0.0)]))
    read(eeg(stamps=RNG.uniform(0, 1e6, N), offsets=[(0.0, 0.0)]), markers())


def test_a_pause_of_the_recording_is_no_other_clock(read):
    stamps_s = np.where(np.arange(N) < 1500, STAMPS, STAMPS + 60.0)
    offsets = [(t, 0.5) for t in (1000.0, 1005.0, 1066.0, 1071.0)]
    recording = read(eeg(stamps=stamps_s, offsets=offsets), markers())
    np.testing.assert_array_equal(recording.stamps_s, stamps_s)
    assert not any("anew" in note for note in recording.notes)


# Streams of markers


@pytest.mark.parametrize(
    "stream",
    [
        {"values": np.full((5, 1), 128, "i4"), "type": "Trigger"},
        {"values": np.full((5, 1), 128, "i2"), "type": "Stim"},
        {"values": np.full((5, 1), 128, "f4"), "type": "Events"},
        {"values": np.full((5, 1), 128, "f8"), "type": "TTL", "rate": 10},
        {"values": ["128"] * 5, "rate": 10},
        {"values": ["128"] * 5, "type": "whatever"},
    ],
)
def test_markers_of_any_format_are_read(read, stream):
    found = read(eeg(), markers(**stream)).markers
    assert [m.label for m in found] == ["128"] * 5


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (
            {"values": np.ones((N, 1), "i2"), "type": "Trigger", "rate": 250,
             "stamps": STAMPS},
            r"'scanner' \(3000 samples, int16, type 'Trigger'\).*sampled at 250 Hz",
        ),
        (
            {"values": np.full((5, 1), 7, "i4"), "type": "Box"},
            r"'scanner' \(5 samples, int32, type 'Box'\).*let it be Markers",
        ),
    ],
)  # fmt: skip
def test_what_is_not_read_as_markers_is_told(read, stream, told):
    recording = read(eeg(), markers(**stream))
    assert recording.markers == ()
    (note,) = recording.notes
    assert re.search(told, note)


def test_other_streams_are_no_markers_without_a_word(read):
    gaze = markers(
        name="gaze", type="Gaze", values=np.ones((5, 2), "f4"), labels=["x", "y"]
    )
    level = markers(name="level", type="Level", values=np.full((5, 1), 0.5, "f4"))
    assert read(eeg(), gaze, level).notes == ()


# Labels


def test_two_streams_of_one_name_are_told_apart(read):
    recording = read(eeg(), markers(), markers(stamps=T_VOLUMES + 0.5))
    assert {m.stream for m in recording.markers} == {"scanner", "scanner (2)"}
    assert any("2 streams send the marker 'R128'" in n for n in recording.notes)
    with pytest.raises(AmbiguousStream, match=r"'scanner' \(5\), 'scanner \(2\)' \(5"):
        find_volume_label(recording, TR_S)
    label = find_volume_label(recording, TR_S, stream="scanner (2)")
    events = recording_events(
        recording, volume_label=label, volume_stream="scanner (2)"
    )
    times_s = [e.t_lsl_s for e in events if isinstance(e, Marker)]
    np.testing.assert_allclose(times_s, T_VOLUMES + 0.5)


def test_two_streams_that_say_the_same_need_no_question(read):
    recording = read(eeg(), markers(), markers(name="copy", values=["R128"] * 4,
                                              stamps=T_VOLUMES[1:]))  # fmt: skip
    assert find_volume_label(recording, TR_S) == "R128"
    assert find_volume_label(recording, TR_S, "R128") == "R128"


def test_labels_that_all_differ_are_named_by_their_beginning(read):
    texts = [f'{{"event":"volume","n":{n}}}' for n in range(5)]
    recording = read(eeg(), markers(values=[*texts[:4], "other"]))
    numbered = read(eeg(), markers(values=texts, stamps=T_VOLUMES))
    with pytest.raises(DataFileError, match=r"--trigger '.*\"n\":\*'"):
        find_volume_label(numbered, TR_S)
    wanted = '{"event":"volume"*'
    assert find_volume_label(recording, TR_S, wanted) == wanted
    events = recording_events(recording, volume_label=wanted)
    found = [e.label for e in events if isinstance(e, Marker)]
    assert found == [wanted] * 4


def test_many_labels_are_not_all_named(read):
    many = markers(values=[f"x{k}y" for k in range(300)],
                   stamps=1000.0 + np.linspace(0, 11, 300))  # fmt: skip
    with pytest.raises(DataFileError, match=r"'x4y' \(1\) and 295 more"):
        find_volume_label(read(eeg(), many), TR_S)


def test_calibration_finds_trigger_codes(tmp_path):
    from rtbold.calibration.inputs.eeg import read_eeg
    from rtbold.calibration.inputs.triggers import MarkerChoice, find_volume_marker

    box = markers(name="TriggerBox", type="Trigger", values=np.full((5, 1), 1, "i4"))
    write_xdf(tmp_path / "a.xdf", [eeg(), box])
    choice = MarkerChoice(stream="TriggerBox")
    found = find_volume_marker(
        read_eeg(tmp_path / "a.xdf").markers, tr_s=TR_S, choice=choice
    )
    np.testing.assert_allclose(found.times_s, T_VOLUMES)


def test_the_export_keeps_codes_of_other_boxes(tmp_path):
    from rtbold.files.xdf import load_streams
    from rtbold.session.export import _other_markers

    box = markers(type="Trigger", values=np.full((5, 1), 7, "i4"))
    write_xdf(tmp_path / "a.xdf", [eeg(), box])
    brain, codes = load_streams(tmp_path / "a.xdf")[0]
    assert list(_other_markers(brain)) == []
    assert [row[0] for row in _other_markers(codes)] == ["7"] * 5


# Two clocks that drift apart


def test_a_marker_stands_at_its_sample_though_the_clocks_drift_apart(read):
    """The amplifier's clock is slow by 1 in 1000: 12 ms over these samples."""
    begun_s, slow = 500.0, 1 - 1e-3
    measured_s = np.arange(998.0, 1015.0, 2.0)  # on the recorder's clock
    on_amp_s = begun_s + (measured_s - 1000.0) * slow
    stamps_s = begun_s + (STAMPS - 1000.0) * slow
    offsets = list(zip(on_amp_s, measured_s - on_amp_s, strict=True))
    recording = read(eeg(stamps=stamps_s, offsets=offsets), markers())
    times_s = [marker_time_s(marker, recording) for marker in recording.markers]
    samples = np.interp(times_s, stamps_s, np.arange(N)) / RATE_HZ
    np.testing.assert_allclose(samples, np.arange(5) * TR_S, atol=1e-6)
    np.testing.assert_allclose(
        [clock_offset_s(recording, t_s) for t_s in (0.0, 1004.0, 9999.0)],
        [offsets[0][1], offsets[3][1], offsets[-1][1]],
    )


def test_a_name_that_two_groups_have_is_asked_about(read):
    recording = read(
        eeg(),
        markers(
            values=["Stimulus/S  1", "Response/S  1"] * 5,
            stamps=np.sort(np.concatenate([T_VOLUMES, T_VOLUMES + 0.3])),
        ),
    )
    with pytest.raises(AmbiguousStream, match=r"2 markers are called 'S1'.*whole name"):
        find_volume_label(recording, TR_S, "S1")
    assert find_volume_label(recording, TR_S, "Stimulus/S1") == "Stimulus/S  1"
