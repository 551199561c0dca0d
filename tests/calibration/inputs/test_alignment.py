import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xdf_writer

from rtbold.calibration.inputs.alignment import Pairing, align, alignment_lines
from rtbold.calibration.inputs.bold import read_bold
from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.eeg import EegRecording, TimedMarker, read_eeg
from rtbold.calibration.inputs.triggers import MarkerChoice
from rtbold.errors import AmbiguousStream, ConfigError, DataFileError
from rtbold.files.recording import Recording
from rtbold.messages import Channel

TR_S = 2.1
N = 60
RATE_HZ = 200.0


def triggers(n=N, *, tr_s=TR_S, first_s=3.0):
    return first_s + tr_s * np.arange(n)


def eeg(times_s, *, label="R128", extra=(), seconds=None):
    last_s = max([*times_s, *(m.t_s for m in extra), 0.0])
    n = round((seconds or last_s + 3.0) * RATE_HZ)
    recording = Recording(
        data_uv=np.zeros((1, n), np.float32),
        rate_hz=RATE_HZ,
        channels=(Channel("Cz", "uV"),),
    )
    markers = [TimedMarker(label, float(t)) for t in times_s]
    ordered = sorted([*markers, *extra], key=lambda m: m.t_s)
    return EegRecording(Path("eeg.vhdr"), recording, tuple(ordered))


def bold(n=N, **changes):
    values = np.arange(n, dtype=float)[:, None] + np.array([[0.0, 100.0]])
    known = {"name": "b.tsv", "rois": ("a", "b"), "values": values}
    return BoldSeries(**{**known, **changes})


def train(label, every_s, n=40):
    return [TimedMarker(label, 1.0 + k * every_s) for k in range(n)]


def test_every_volume_has_its_row():
    found = align(eeg(triggers()), bold(), Pairing(tr_s=TR_S))
    np.testing.assert_allclose(found.onsets_s, triggers())
    np.testing.assert_array_equal(found.bold[:, 0], np.arange(N))
    assert (found.n_found, found.n_filled, found.n_missed) == (N, 0, 0)
    assert found.jitter_sd_ms < 1e-6
    assert found.drift_ppm == pytest.approx(0, abs=1e-3)
    assert found.warnings == ()
    assert "60 volumes paired" in alignment_lines(found)[1]


def test_the_tr_is_the_given_one_the_files_or_the_triggers():
    assert align(eeg(triggers()), bold()).tr_s == pytest.approx(TR_S)
    assert align(eeg(triggers()), bold()).tr_from == "triggers"
    assert align(eeg(triggers()), bold()).drift_ppm is None
    assert align(eeg(triggers()), bold(tr_s=TR_S)).tr_from == "BOLD file"
    with pytest.raises(DataFileError, match=r"no marker is one every 2 s"):
        align(eeg(triggers()), bold(tr_s=TR_S), Pairing(tr_s=2.0))


@pytest.mark.parametrize("told_s", [1.0, 2.0, 3.5])
def test_a_given_tr_goes_over_the_files_where_the_triggers_agree(told_s):
    told = bold(tr_s=told_s)
    found = align(eeg(triggers()), told, Pairing(tr_s=TR_S))
    assert (found.tr_s, found.tr_from) == (TR_S, "given")
    np.testing.assert_array_equal(found.bold[:, 0], np.arange(N))
    assert len(found.warnings) == 1
    assert f"--tr is 2.1 s and b.tsv says {told_s:g} s" in found.warnings[0]
    assert "the triggers come every 2.1 s, so --tr is taken" in found.warnings[0]
    for label in (None, "R128"):  # without --tr it is refused, and told how to go on
        with pytest.raises(DataFileError, match=r"--tr 2\.1\."):
            align(eeg(triggers()), told, Pairing(marker=MarkerChoice(label)))


def test_a_tr_in_milliseconds_or_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"2100 looks like milliseconds: .* 2\.1"):
        Pairing(tr_s=2100)
    for tr_s in (0.0, -2.1):
        with pytest.raises(ConfigError, match="--tr is"):
            Pairing(tr_s=tr_s)


def test_isolated_missing_triggers_are_filled_and_long_holes_are_not():
    times = np.delete(triggers(), [10, 20, 21, 30, 31, 32, 33])
    found = align(eeg(times), bold(), Pairing(tr_s=TR_S))
    assert len(found) == N
    assert (found.n_filled, found.n_missed) == (5, 2)
    np.testing.assert_allclose(found.onsets_s[[10, 20, 21]], triggers()[[10, 20, 21]])
    assert np.isnan(found.onsets_s[[32, 33]]).all()
    np.testing.assert_array_equal(found.bold[:, 0], np.arange(N))
    assert "7 triggers are missing" in found.warnings[0]


def test_doubled_triggers_are_ignored_and_counted():
    times = np.sort([*triggers(), triggers()[5] + 0.2, triggers()[40] + 0.001])
    found = align(eeg(times), bold(), Pairing(tr_s=TR_S))
    assert (len(found), found.n_double) == (N, 2)


def test_jitter_and_drift_are_measured():
    rng = np.random.default_rng(0)
    times = triggers(300, tr_s=TR_S * (1 + 80e-6)) + rng.normal(0, 0.004, 300)
    found = align(eeg(times), bold(300), Pairing(tr_s=TR_S))
    assert found.drift_ppm == pytest.approx(80, abs=10)
    assert found.jitter_sd_ms == pytest.approx(4, abs=0.6)
    assert found.jitter_max_ms >= found.jitter_sd_ms
    far = align(eeg(triggers(300, tr_s=TR_S * 1.003)), bold(300), Pairing(tr_s=TR_S))
    assert "+3000 ppm" in far.warnings[0]


def test_an_array_on_its_side_is_not_called_too_long():
    on_its_side = BoldSeries(
        name="b.mat",
        rois=tuple(f"roi-{k + 1}" for k in range(N)),
        values=np.random.default_rng(0).standard_normal((64, N)),
    )
    with pytest.raises(DataFileError, match=r"on its side.*transpose") as told:
        align(eeg(triggers()), on_its_side)
    assert "--drop-last-volumes" not in str(told.value)


@pytest.mark.parametrize(
    ("n_rows", "pairing", "said"),
    [
        (N - 4, {}, "60 volumes and b.tsv has 56 rows.*--dummy-volumes 4;"),
        (N + 3, {}, "has 63 rows.*shorter than the BOLD.*--drop-last-volumes 3;"),
        (N, {"dummy_volumes": 2}, "58 volumes and b.tsv has 60 rows"),
        (N, {"drop_volumes": 60}, "has 0 rows"),
    ],
)
def test_numbers_that_do_not_match_are_refused_with_what_can_be_done(
    n_rows, pairing, said
):
    with pytest.raises(DataFileError, match=said):
        align(eeg(triggers()), bold(n_rows), Pairing(tr_s=TR_S, **pairing))


def test_dummies_and_spare_triggers_are_left_out_when_told():
    found = align(eeg(triggers()), bold(N - 4), Pairing(tr_s=TR_S, dummy_volumes=4))
    np.testing.assert_allclose(found.onsets_s, triggers()[4:])
    np.testing.assert_array_equal(found.bold[:, 0], np.arange(N - 4))
    spare = align(eeg(triggers()), bold(N - 4), Pairing(tr_s=TR_S, spare_triggers=4))
    np.testing.assert_allclose(spare.onsets_s, triggers()[:-4])
    both = Pairing(tr_s=TR_S, dummy_volumes=2, drop_volumes=2, drop_last_volumes=1,
                   spare_triggers=1)  # fmt: skip
    saturated = align(eeg(triggers()), bold(), both)
    np.testing.assert_array_equal(saturated.bold[:, 0], np.arange(2, N - 1))
    np.testing.assert_allclose(saturated.onsets_s, triggers()[2:-1])
    with pytest.raises(ConfigError, match="--drop-volumes is -1"):
        Pairing(drop_volumes=-1)


def test_another_tr_is_refused():
    with pytest.raises(DataFileError, match=r"no marker is one every 2.1 s.*--tr 2\b"):
        align(eeg(triggers(tr_s=2.0)), bold(tr_s=TR_S))
    named = MarkerChoice(label="R128")
    with pytest.raises(DataFileError, match=r"come every 2 s, expected the TR of 2.1"):
        align(eeg(triggers(tr_s=2.0)), bold(), Pairing(tr_s=TR_S, marker=named))


def test_no_markers_or_none_that_is_regular():
    with pytest.raises(DataFileError, match=r"holds no markers.*--trigger-channel"):
        align(eeg([], seconds=10.0), bold(), Pairing(tr_s=TR_S))
    blinks = np.sort(np.random.default_rng(1).uniform(0, 100, 30))
    with pytest.raises(DataFileError, match="no marker is a regular interval"):
        align(eeg(blinks, label="blink"), bold())
    with pytest.raises(DataFileError, match=r"no marker is 'R149'; .* 'R128' \(60"):
        align(eeg(triggers()), bold(), Pairing(marker=MarkerChoice(label="R149")))
    once = MarkerChoice(label="S 99")
    with pytest.raises(DataFileError, match="'S 99' comes 1 times"):
        align(
            eeg(triggers(), extra=[TimedMarker("S 99", 1.0)]),
            bold(),
            Pairing(marker=once),
        )


def test_two_labels_that_qualify_are_asked_about():
    heartbeat = train("Sync On", TR_S)
    with pytest.raises(AmbiguousStream, match=r"'Sync On' .*'R128'.*--trigger"):
        align(eeg(triggers(), extra=heartbeat), bold(), Pairing(tr_s=TR_S))
    named = Pairing(tr_s=TR_S, marker=MarkerChoice(label="R128"))
    assert len(align(eeg(triggers(), extra=heartbeat), bold(), named)) == N


def test_a_heartbeat_at_another_interval_is_no_volume_once_the_tr_is_known():
    sync = train("Sync On", 1.0)
    assert len(align(eeg(triggers(), extra=sync), bold(tr_s=TR_S))) == N
    with pytest.raises(AmbiguousStream, match=r"a regular interval.*give --tr"):
        align(eeg(triggers(), extra=sync), bold())


def test_prefixes_of_mne_and_blanks_name_the_same_marker():
    named = Pairing(marker=MarkerChoice(label="R128"))
    assert len(align(eeg(triggers(), label="Response/R128"), bold(), named)) == N
    spaced = Pairing(marker=MarkerChoice(label="R1"))
    assert len(align(eeg(triggers(), label="R  1"), bold(), spaced)) == N


def test_slice_triggers_are_counted_into_volumes():
    slices = triggers(N * 3, tr_s=TR_S / 3)
    pairing = Pairing(tr_s=TR_S, marker=MarkerChoice(every=3))
    found = align(eeg(slices), bold(), pairing)
    np.testing.assert_allclose(found.onsets_s, slices[::3])
    with pytest.raises(DataFileError, match="--trigger-every 3"):
        align(eeg(slices), bold(tr_s=TR_S))


def test_several_runs_are_asked_about():
    times = [*triggers(20), *triggers(N, first_s=200.0)]
    with pytest.raises(AmbiguousStream, match=r"2 runs.*run 2: 60 volumes from 200.0"):
        align(eeg(times), bold(), Pairing(tr_s=TR_S))
    second = align(eeg(times), bold(), Pairing(tr_s=TR_S, run=2))
    np.testing.assert_allclose(second.onsets_s, triggers(first_s=200.0))
    with pytest.raises(ConfigError, match="--run is 3, expected 1 to 2"):
        align(eeg(times), bold(), Pairing(tr_s=TR_S, run=3))


def test_rows_that_count_their_volumes_leave_holes_where_they_skip():
    kept = np.delete(np.arange(N), [7, 8])
    found = align(eeg(triggers()), bold(N - 2, volume_index=kept), Pairing(tr_s=TR_S))
    assert found.n_without_row == 2
    assert np.isnan(found.bold[[7, 8]]).all()
    assert found.bold[9, 0] == 7  # the eighth row


def test_markers_after_the_end_of_the_eeg_are_told():
    with pytest.raises(
        DataFileError, match=r"shorter than the BOLD: 1[01] volumes aft"
    ):
        align(eeg(triggers(), seconds=105.0), bold(), Pairing(tr_s=TR_S))


def write_session(path, *, n_rows=N, stamp_shift_s=0.0):
    """An XDF with EEG, triggers and measured BOLD; EEG and BOLD on their own clocks."""
    times = triggers()
    n = round(140 * RATE_HZ)
    stamps = 500.0 + np.arange(n) / RATE_HZ
    values = np.column_stack([np.arange(n_rows), bold(n_rows).values]).astype("f4")
    streams = [
        {"name": "amp", "type": "EEG", "rate": RATE_HZ, "unit": "microvolts",
         "labels": ["Cz", "Pz"], "stamps": stamps, "chunk": 4000,
         "values": np.zeros((n, 2), "f4"), "offsets": [(500.0, 2.0), (600.0, 2.0)]},
        {"name": "scanner", "type": "Markers", "rate": 0, "values": ["R128"] * N,
         "stamps": 502.0 + times, "offsets": [(502.0, 0.0)]},
        {"name": "rtbold-twin-bold", "type": "BOLD", "rate": 1 / TR_S,
         "labels": ["volume", "a", "b"], "values": values,
         "stamps": 502.0 + times[:n_rows] + stamp_shift_s, "offsets": [(502.0, 0.0)]},
    ]  # fmt: skip
    xdf_writer.write_xdf(path, streams)
    return path


def test_bold_in_the_same_xdf_is_paired_by_its_stamps(tmp_path):
    path = write_session(tmp_path / "s.xdf", n_rows=N - 1)  # the last is never sent
    series = read_bold(path)
    assert series.rois == ("a", "b")
    np.testing.assert_array_equal(series.volume_index, np.arange(N - 1))
    found = align(read_eeg(path), series)
    assert len(found) == N - 1
    np.testing.assert_allclose(found.onsets_s, 500.0 + triggers()[:-1])
    np.testing.assert_array_equal(found.bold[:, 0], np.arange(N - 1))
    assert any("by their stamps" in note for note in found.notes)
    named = read_bold(f"{path}:rtbold-twin-bold")
    np.testing.assert_array_equal(named.values, series.values)
    with pytest.raises(DataFileError, match=r"0 streams called 'tbv'.*'amp'"):
        read_bold(f"{path}:tbv")


@pytest.mark.parametrize("shift_s", [0.9, TR_S])
def test_stamps_that_are_no_onsets_are_paired_by_number(tmp_path, shift_s):
    """A stream that stamps its export, not the onset: only the count can be trusted."""
    path = write_session(tmp_path / "s.xdf", stamp_shift_s=shift_s)
    found = align(read_eeg(path), read_bold(path), Pairing(tr_s=TR_S))
    np.testing.assert_allclose(found.onsets_s, 500.0 + triggers())
    assert not any("stamps" in note for note in found.notes)


def test_the_published_marker_of_an_eeglab_set(tmp_path):
    mne = pytest.importorskip("mne")
    times = triggers(20, first_s=1.0)
    raw = mne.io.RawArray(
        np.random.default_rng(0).normal(0, 1e-5, (2, 9000)),
        mne.create_info(["Cz", "Pz"], RATE_HZ, "eeg"),
        verbose="ERROR",
    )
    raw.set_annotations(mne.Annotations(times, 0.0, "R149"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, not ours
        mne.export.export_raw(tmp_path / "a.set", raw, fmt="eeglab", verbose="ERROR")
    found = align(read_eeg(tmp_path / "a.set"), bold(20))
    assert found.marker.label == "R149"
    np.testing.assert_allclose(found.onsets_s, times, atol=1e-6)


def test_rises_of_a_channel_are_markers(tmp_path):
    status = np.zeros(6000, np.float32)
    for t in triggers(12, first_s=2.0):
        status[round(t * RATE_HZ) : round(t * RATE_HZ) + 4] = 255
    from rtbold.calibration.inputs.eeg import channel_markers

    recording = Recording(
        data_uv=np.stack([np.zeros(6000, np.float32), status]),
        rate_hz=RATE_HZ,
        channels=(Channel("Cz", "uV"), Channel("Status", "", "trigger")),
    )
    found = channel_markers(recording, "status")
    assert {m.label for m in found} == {"255"}
    np.testing.assert_allclose([m.t_s for m in found], triggers(12, first_s=2.0))


def test_a_label_is_found_in_any_spelling_as_live():
    choice = MarkerChoice(label="R1")
    found = align(
        eeg(triggers(), label="R  1"), bold(), Pairing(tr_s=TR_S, marker=choice)
    )
    assert found.n_found == N


def test_volumes_that_are_spelt_in_two_ways_are_one_train():
    at_s = triggers()
    told = eeg(at_s[::2], extra=[TimedMarker(" r128", float(t)) for t in at_s[1::2]])
    for marker in (MarkerChoice(label="R128"), MarkerChoice()):
        assert align(told, bold(), Pairing(tr_s=TR_S, marker=marker)).n_found == N
    grouped = eeg(
        at_s[::2], extra=[TimedMarker("Response/R128", float(t)) for t in at_s[1::2]]
    )
    named = Pairing(tr_s=TR_S, marker=MarkerChoice(label="R128"))
    assert align(grouped, bold(), named).n_found == N


def test_a_file_that_says_why_it_has_no_markers_is_quoted():
    empty = eeg([], seconds=10.0)
    said = replace(empty.recording, notes=("no markers: rest.vmrk is missing",))
    with pytest.raises(DataFileError, match=r"Note: no markers: rest\.vmrk"):
        align(replace(empty, recording=said), bold(), Pairing(tr_s=TR_S))


def test_rows_that_say_their_numbers_are_paired_by_these():
    """The source's own count: its volume 7 is the first after two dummies."""
    numbers = np.array([5, 7, 8, 10, 11, 90])
    series = bold(6, volume_index=numbers)
    pairing = Pairing(tr_s=TR_S, numbered_from=7, dummy_volumes=2)
    found = align(eeg(triggers()), series, pairing)
    np.testing.assert_array_equal(found.volume, [2, 3, 4, 5, 6])
    np.testing.assert_array_equal(found.bold[:, 0], [1, 2, np.nan, 3, 4])
    np.testing.assert_allclose(found.onsets_s, triggers()[2:7])
    assert "2 rows of BOLD lie outside of the run" in found.notes
    with pytest.raises(DataFileError, match=r"numbers its rows from 5 to 90 and .*60"):
        align(eeg(triggers()), series, Pairing(tr_s=TR_S, numbered_from=200))


def test_a_last_volume_after_the_eeg_is_outside_where_rows_are_numbered():
    series = bold(N, volume_index=np.arange(N))
    short = eeg(triggers(), seconds=triggers()[-1] - 0.5)
    found = align(short, series, Pairing(tr_s=TR_S, numbered_from=0))
    assert len(found) == N - 1
