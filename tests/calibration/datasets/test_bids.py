"""BIDS folders of EEG and fMRI, and what four published ones do in their own way."""

import os

import dataset_files as files
import numpy as np
import pytest

from rtbold.calibration.datasets.bids import (
    CONVENTIONS,
    DEFAULT_CONFOUNDS,
    convention_of,
    whole_eeg,
)
from rtbold.calibration.datasets.blocks import Block
from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sources import load_scan
from rtbold.electrodes import has_position
from rtbold.errors import ConfigError, DataFileError
from rtbold.models import electrode_table

SCAN = "sub-01_task-rest"
IMAGES = '[reading]\natlas = "atlas.nii.gz"\n'


def described(root, text=IMAGES):
    """Return the data set of a folder with a description in it."""
    files.write_atlas(root / "atlas.nii.gz")
    (root / "dataset.toml").write_text(f'layout = "bids"\n{text}')
    return open_dataset(root)


@pytest.fixture
def study(tmp_path):
    """Return a folder with one scan."""
    files.bids_top(tmp_path)
    files.bids_scan(tmp_path)
    return tmp_path


def test_an_image_is_averaged_over_the_regions_of_the_given_atlas(study):
    found = described(study)
    (source,) = found.sources
    assert (source.name, source.subject, source.session) == (SCAN, "01", "1")
    scan = load_scan(source)
    assert scan.rois == files.PLAIN_ROIS
    np.testing.assert_allclose(scan.alignment.bold, files.bold(seed=0), rtol=1e-5)
    np.testing.assert_allclose(scan.recording.volume_onsets_s, files.onsets_s())
    assert scan.report.left_out_channels == ("ECG",)
    assert scan.recording.reference == "FCz"


@pytest.mark.parametrize("eeg", [files.write_vhdr, files.write_set, files.write_edf])
def test_brainvision_eeglab_and_edf_are_read(tmp_path, eeg):
    files.bids_scan(tmp_path, "sub-07_ses-2_task-rest_run-01", eeg=eeg)
    (source,) = described(tmp_path).sources
    assert (source.subject, source.session) == ("07", "2")
    assert load_scan(source).report.n_volumes == files.N_VOLUMES


def test_a_folder_alone_is_known_as_bids_by_its_eeg(study):
    files.write_tsv(
        study / "derivatives/xcp_d/sub-01/func"
        / f"{SCAN}_space-MNI_seg-4S156Parcels_stat-mean_timeseries.tsv",
        files.PLAIN_ROIS, files.bold(),
    )  # fmt: skip
    found = open_dataset(study)
    assert found.layout == "bids"
    assert load_scan(found.sources[0]).rois == files.PLAIN_ROIS


def test_roi_series_of_several_atlases_need_a_word(study):
    folder = study / "derivatives/xcp_d/sub-01/func"
    for seg in ("Gordon", "Tian"):
        files.write_tsv(
            folder / f"{SCAN}_seg-{seg}_timeseries.tsv", files.PLAIN_ROIS, files.bold()
        )
    files.fmriprep_confounds(study, SCAN)  # a table of this suffix that is no ROIs
    with pytest.raises(ConfigError, match=r"several files of BOLD fit: .*Gordon.*Tian"):
        described(study, "")
    text = '[bids]\nseries = "derivatives/xcp_d/**/*seg-Tian_timeseries.tsv"\n'
    (source,) = described(study, text).sources
    assert source.bold.name == f"{SCAN}_seg-Tian_timeseries.tsv"
    assert source.confounds is None  # series were cleaned by who made them
    text += '[reading]\nconfounds = ["rot_*"]\n'
    scan = load_scan(described(study, text).sources[0])
    assert list(scan.confounds) == ["rot_z"]


def test_the_usual_confounds_are_taken_and_the_global_signal_kept_apart(study):
    values = files.fmriprep_confounds(study, SCAN)
    scan = load_scan(described(study).sources[0])
    assert set(scan.confounds) == {
        name for name in DEFAULT_CONFOUNDS if name in files.CONFOUNDS
    } - {"global_signal"}
    np.testing.assert_allclose(scan.global_signal, values[:, 2])
    assert scan.confounds["framewise_displacement"][0] == 0  # n/a there


def test_confounds_are_taken_by_name(study):
    files.fmriprep_confounds(study, SCAN)
    text = '[reading]\natlas = "atlas.nii.gz"\nconfounds = ["trans_*", "a_comp*"]\n'
    scan = load_scan(described(study, text).sources[0])
    assert set(scan.confounds) == {"trans_x", "trans_x_derivative1", "a_comp_cor_00"}
    assert scan.global_signal is None
    text = text.replace("a_comp*", "csv")
    with pytest.raises(DataFileError, match=r"no column 'csv'.*Did you mean 'csf'"):
        load_scan(described(study, text).sources[0])


def test_confounds_that_are_asked_for_and_not_there_leave_no_scan(study):
    text = '[reading]\natlas = "atlas.nii.gz"\nconfounds = ["csf"]\n'
    with pytest.raises(ConfigError, match=r"no tables of confounds fit below"):
        described(study, text)
    (source,) = described(study).sources
    assert "none is used" in source.notes[0]


def test_confounds_of_another_number_of_volumes_are_refused(study):
    files.fmriprep_confounds(study, SCAN, n=files.N_VOLUMES - 2)
    with pytest.raises(DataFileError, match=r"has 18 rows and the BOLD 20"):
        load_scan(described(study).sources[0])


# The TR: the sidecar against the header, and both against the markers.


def test_the_sidecars_tr_goes_over_an_image_header(study):
    files.write_image(study / f"sub-01/func/{SCAN}_bold.nii.gz", files.bold(), tr_s=1.0)
    scan = load_scan(described(study).sources[0])
    assert scan.tr_s == files.TR_S
    assert any("says a TR of 1 s, its sidecar 2.1" in n for n in scan.report.notes)


def test_a_sidecar_at_the_top_holds_for_the_task(study):
    (study / f"sub-01/func/{SCAN}_bold.json").unlink()
    files.write_json(study / "task-rest_bold.json", RepetitionTime=2.1)
    files.write_json(study / "task-nback_bold.json", RepetitionTime=0.8)
    assert described(study).sources[0].bold_tr_s == 2.1


def test_a_tr_that_contradicts_the_markers_is_refused(study):
    files.write_json(study / f"sub-01/func/{SCAN}_bold.json", RepetitionTime=2.0)
    with pytest.raises(
        DataFileError, match=r"scan 'sub-01_task-rest' .*every 2 s.*tr_s = 2\.1"
    ):
        load_scan(described(study).sources[0])
    text = '[reading]\natlas = "atlas.nii.gz"\ntr_s = 2.1\n'  # the user's word
    assert load_scan(described(study, text).sources[0]).tr_s == 2.1


def test_a_tr_in_milliseconds_is_one_scan_that_is_left_out(study):
    files.bids_scan(study, "sub-02_task-rest")
    files.write_json(study / f"sub-01/func/{SCAN}_bold.json", RepetitionTime=2100)
    found = described(study)
    assert [source.subject for source in found.sources] == ["02"]
    ((name, reason),) = found.left_out
    assert name == SCAN
    assert f"{SCAN}_bold.json gives a RepetitionTime of 2100" in reason


def test_a_damaged_sidecar_is_one_scan_that_is_left_out(study):
    files.bids_scan(study, "sub-02_task-rest")
    (study / f"sub-01/func/{SCAN}_bold.json").write_text("{", encoding="utf-8")
    assert "cannot be read as JSON" in described(study).left_out[0].reason


# Images and atlases.


def test_an_atlas_that_does_not_cover_the_image_is_refused(study):
    found = described(study)
    far = np.diag([3.0, 3.0, 3.0, 1.0])
    far[:3, 3] = 500.0
    files.write_atlas(study / "atlas.nii.gz", affine=far)
    with pytest.raises(DataFileError, match=r"no region of atlas\.nii\.gz has a voxel"):
        load_scan(found.sources[0])


def test_regions_outside_of_the_slab_are_named(study):
    """XP2 has 16 slices, the upper half: the other regions were not measured."""
    found = described(study)
    labels = files.regions(2)
    files.write_image(
        study / f"sub-01/func/{SCAN}_bold.nii.gz", files.bold(n_rois=2), labels=labels
    )
    scan = load_scan(found.sources[0])
    assert scan.rois == files.PLAIN_ROIS[:2]
    assert any("without a measured voxel" in n for n in scan.report.notes)
    assert any(files.PLAIN_ROIS[2] in n for n in scan.report.notes)


def test_preprocessed_images_are_chosen_by_folder_and_space(study):
    folder = study / "derivatives/fmriprep/sub-01/func"
    for space in ("MNI152", "T1w"):
        files.write_image(
            folder / f"{SCAN}_space-{space}_desc-preproc_bold.nii.gz", files.bold()
        )
    text = f'{IMAGES}[bids]\nimages = "derivatives/fmriprep"\n'
    with pytest.raises(ConfigError, match=r"several files of BOLD fit: .*T1w"):
        described(study, text)
    (source,) = described(study, f'{text}space = "MNI152"\n').sources
    assert "space-MNI152" in source.bold.name
    assert source.bold_tr_s == 2.1  # of the raw image's sidecar


def test_runs_are_paired_by_their_numbers(tmp_path):
    for run in ("01", "02"):
        files.bids_scan(tmp_path, f"sub-01_task-rest_run-{run}", image=False)
        files.write_image(
            tmp_path / f"sub-01/func/sub-01_task-rest_run-{int(run)}_bold.nii.gz",
            files.bold(seed=int(run)),
        )
    found = described(tmp_path)
    assert [source.bold.name for source in found.sources] == [
        "sub-01_task-rest_run-1_bold.nii.gz", "sub-01_task-rest_run-2_bold.nii.gz",
    ]  # fmt: skip


def test_a_run_whose_number_is_not_there_is_left_out(tmp_path):
    files.bids_scan(tmp_path, "sub-01_task-rest_run-1")
    files.bids_scan(tmp_path, "sub-01_task-rest_run-2", image=False)
    found = described(tmp_path)
    assert [source.name for source in found.sources] == ["sub-01_task-rest_run-1"]
    assert "no image of BOLD fits" in found.left_out[0].reason


def test_bold_that_fits_two_recordings_is_nobodys(tmp_path):
    for run in "12":
        files.bids_scan(tmp_path, f"sub-01_task-rest_run-{run}", image=False)
    files.bids_scan(tmp_path, "sub-02_task-rest_run-1", image=False)
    for sub in ("01", "02"):
        stem = f"sub-{sub}/func/sub-{sub}_task-rest_bold.nii.gz"
        files.write_image(tmp_path / stem, files.bold())
    found = described(tmp_path)
    assert [source.subject for source in found.sources] == ["02"]
    assert (
        "fits several recordings: sub-01_task-rest_run-1, sub-01_task-rest_run-2"
        in (found.left_out[0].reason)
    )


def test_tasks_and_subjects_can_be_chosen(tmp_path):
    for stem in ("sub-01_task-rest", "sub-01_task-nf", "sub-02_task-nf"):
        files.bids_scan(tmp_path, stem)
    text = f'{IMAGES}[bids]\ntasks = ["nf"]\nsubjects = ["sub-02"]\n'
    assert [s.name for s in described(tmp_path, text).sources] == ["sub-02_task-nf"]
    with pytest.raises(ConfigError, match=r"holds no EEG of the subjects.* and tasks"):
        described(tmp_path, f'{IMAGES}[bids]\ntasks = ["sleep"]\n')


# Which file of EEG.


def test_a_header_without_samples_gives_way_to_the_set(tmp_path):
    """NATVIEW has .vhdr and .vmrk, but not .eeg: the .set is whole."""
    stem = "sub-01_ses-01_task-dme_run-01"
    folder = files.bids_scan(tmp_path, stem, eeg=files.write_set)
    data = files.eeg_uv(4, files.seconds(), 250.0)
    header = folder / "eeg" / f"{stem}_eeg.vhdr"
    files.write_vhdr(header, files.FEW, data, samples=None)
    (source,) = described(tmp_path).sources
    assert source.eeg.suffix == ".set"
    assert load_scan(source).report.n_volumes == files.N_VOLUMES
    files.write_vhdr(header, files.FEW, data, samples=".dat")
    assert whole_eeg([header, source.eeg]) == header


def test_a_header_without_samples_and_without_a_set_is_told(tmp_path):
    folder = files.bids_scan(tmp_path, SCAN)
    (folder / "eeg" / f"{SCAN}_eeg.eeg").unlink()
    with pytest.raises(ConfigError, match=rf"{SCAN}_eeg\.vhdr has no file of samples"):
        described(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_content_that_datalad_has_not_fetched_is_told(tmp_path):
    folder = files.bids_scan(tmp_path, SCAN)
    image = folder / "func" / f"{SCAN}_bold.nii.gz"
    image.unlink()
    image.symlink_to(tmp_path / ".git/annex/objects/none")
    with pytest.raises(ConfigError, match=r"not fetched \(datalad get"):
        described(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize(("eeg", "ends"), [(files.write_vhdr, ".eeg"),
                                           (files.write_set, ".fdt")])  # fmt: skip
def test_samples_that_datalad_has_not_fetched_are_told(tmp_path, eeg, ends):
    folder = files.bids_scan(tmp_path, SCAN, eeg=eeg)
    samples = folder / "eeg" / f"{SCAN}_eeg{ends}"
    samples.unlink()
    samples.symlink_to(tmp_path / ".git/annex/objects/none")
    with pytest.raises(ConfigError, match=rf"_eeg\{ends} is a link to content that"):
        described(tmp_path)


def test_volumes_that_were_censored_have_no_bold(study):
    """XCP-D writes n/a at volumes with motion, for every region."""
    values = files.bold()
    values[[0, 7, 8]] = np.nan
    table = study / f"derivatives/xcp_d/sub-01/func/{SCAN}_seg-Tian_timeseries.tsv"
    files.write_tsv(table, files.PLAIN_ROIS, values)
    scan = load_scan(open_dataset(study).sources[0])
    assert scan.rois == files.PLAIN_ROIS
    np.testing.assert_array_equal(scan.alignment.bold, values)
    np.testing.assert_allclose(scan.recording.volume_onsets_s, files.onsets_s())
    assert scan.report.n_without_row == 3
    assert any("3 rows of" in note for note in scan.report.notes)


def test_channels_tsv_says_what_is_no_eeg(study):
    labels = ("Fp1", "Cz", "32", "Oz")
    files.bids_scan(study, SCAN, labels=labels)
    files.write_json(study / "unrelated.json")
    table = study / f"sub-01/eeg/{SCAN}_channels.tsv"
    rows = [f"{label}\t{'ECG' if label == '32' else 'EEG'}\tuV" for label in labels]
    table.write_text("\n".join(["name\ttype\tunits", *rows]) + "\n", encoding="utf-8")
    scan = load_scan(described(study).sources[0])
    assert scan.report.left_out_channels == ("32",)
    assert [c.label for c in scan.recording.channels] == ["Fp1", "Cz", "Oz"]
    rows = [f"{label}\tEOG\tuV" for label in labels]
    table.write_text("\n".join(["name\ttype\tunits", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"no channel of .*is EEG by the table"):
        load_scan(described(study).sources[0])


# Events.


def test_blocks_by_events_are_from_the_first_volume(study):
    rows = [(0, 20, "Rest"), (20, 20, "Task-NF")]
    files.bids_events(study / f"sub-01/func/{SCAN}_events.tsv", rows)
    scan = load_scan(described(study).sources[0])
    start_s = files.FIRST_S
    assert scan.blocks == (
        Block(pytest.approx(start_s), 20.0, "Rest"),
        Block(pytest.approx(start_s + 20), 20.0, "Task-NF"),
    )
    text = '[reading]\natlas = "atlas.nii.gz"\ndrop_volumes = 2\ndummy_volumes = 2\n'
    scan = load_scan(described(study, text).sources[0])
    assert scan.blocks[0].onset_s == pytest.approx(start_s)  # rows count from 0
    assert load_scan(described(study, f"{IMAGES}[bids]\nevents = false").sources[0]
                     ).blocks == ()  # fmt: skip


# ds002336 and ds002338: neurofeedback, EEG of 64 rows, ECG in row 32.


def xp_labels():
    table = electrode_table()
    names = [name for name in table if has_position(name) and name != "FCZ"][:63]
    return (*names[:31], "ECG", *names[31:])


def xp_markers(*, first_rest=True, n=40, tr_s=1.0):
    """Return markers of a run: rest and task in turn, 20 s each, 2 s into the scan."""
    begin = files.FIRST_S + 2.0
    rest = [("Stimulus", "S 99", begin)] if first_rest else []
    return [
        *files.responses(n=n, tr_s=tr_s), *rest, ("Stimulus", "S  2", begin + 20.0),
    ]  # fmt: skip


def xp(root, stem="sub-xp201_task-1dNF_run-01", **changes):
    files.bids_top(root, "doi:10.18112/openneuro.ds002338.v2.0.2")
    files.bids_scan(
        root, stem, tr_s=1.0, n=40, labels=xp_labels(), rate_hz=1000.0,
        markers=xp_markers(**changes), sidecar=False,
    )  # fmt: skip
    files.write_json(root / "task-1dNF_bold.json", RepetitionTime=1)


@pytest.mark.parametrize("first_rest", [True, False])
def test_xp_has_its_ecg_in_row_32_and_may_lack_the_first_rest(tmp_path, first_rest):
    xp(tmp_path, first_rest=first_rest)
    scan = load_scan(described(tmp_path).sources[0])
    assert len(scan.report.channels) == 63
    assert scan.report.left_out_channels == ("ECG",)
    assert scan.eeg.recording.channels[31].label == "ECG"
    assert scan.tr_s == 1.0
    assert scan.report.marker == "'R128'"
    begin = files.FIRST_S + 2.0
    assert scan.blocks == (
        Block(pytest.approx(begin), pytest.approx(20.0), "rest"),
        Block(pytest.approx(begin + 20), 20.0, "task"),
    )


def test_xp_begins_with_dummy_volumes_that_a_description_leaves_out(tmp_path):
    xp(tmp_path)
    both = "dummy_volumes = 2\ndrop_volumes = 2\n"
    scan = load_scan(described(tmp_path, IMAGES + both).sources[0])
    assert scan.report.n_volumes == 38
    np.testing.assert_allclose(scan.alignment.bold, files.bold(40, seed=0)[2:], 1e-5)
    assert scan.recording.volume_onsets_s[0] == pytest.approx(files.FIRST_S + 2.0)


def test_xp_has_a_task_that_events_tell_better_than_markers(tmp_path):
    xp(tmp_path, first_rest=False)
    files.bids_events(
        tmp_path / "sub-xp201/func/sub-xp201_task-1dNF_run-01_events.tsv",
        [(2, 20, "Rest"), (22, 20, "Task-NF")],
    )
    scan = load_scan(described(tmp_path).sources[0])
    assert [block.label for block in scan.blocks] == ["Rest", "Task-NF"]


def test_xps_cleaned_eeg_begins_with_the_protocol(tmp_path):
    """It was cut at the first rest: 200 Hz, samples in .dat, 2 s of volumes less."""
    stem = "sub-xp201_task-1dNF_run-01"
    xp(tmp_path, stem)
    cut_s = files.FIRST_S + 2.0
    markers = [(k, w, t - cut_s) for k, w, t in xp_markers() if t >= cut_s - 1e-9]
    files.write_vhdr(
        tmp_path / f"derivatives/sub-xp201/eeg_pp/{stem}_eeg_pp.vhdr", xp_labels(),
        files.eeg_uv(64, 42.0, 200.0), rate_hz=200.0, markers=markers, samples=".dat",
    )  # fmt: skip
    found = described(tmp_path, f'{IMAGES}[bids]\neeg = "derivatives"\n')
    (source,) = found.sources
    assert source.name == stem
    assert source.pairing.drop_volumes == 2
    scan = load_scan(source)
    assert scan.report.n_volumes == 38
    np.testing.assert_allclose(scan.alignment.bold, files.bold(40, seed=0)[2:], 1e-5)
    assert scan.recording.volume_onsets_s[0] == pytest.approx(0.0)
    assert any("first 2 volumes are left out" in n for n in scan.report.notes)


# ds003768: rest and sleep, names with run-1, EOG and ECG among 32 rows.


def test_sleep_scans_of_ds003768(tmp_path):
    files.bids_top(tmp_path, "10.18112/openneuro.ds003768.v1.0.11")
    labels = ("Fp1", "Cz", "EOG", "ECG")
    for stem in ("sub-01_task-rest_run-1", "sub-01_task-sleep_run-2"):
        files.bids_scan(tmp_path, stem, labels=labels, rate_hz=500.0, sidecar=False)
    files.write_json(tmp_path / "task-rest_bold.json", RepetitionTime=2.1)
    found = described(tmp_path)
    assert [source.name for source in found.sources] == [
        "sub-01_task-rest_run-1", "sub-01_task-sleep_run-2",
    ]  # fmt: skip
    assert [source.known_marker for source in found.sources] == ["R128", "R128"]
    assert load_scan(found.sources[1]).report.left_out_channels == ("EOG", "ECG")


def test_natview_at_5_khz_with_jitterless_triggers(tmp_path):
    labels = ("Fp1", "Cz", "Oz", "EOGL", "EOGU", "ECG")
    files.bids_scan(
        tmp_path, "sub-01_ses-01_task-rest", eeg=files.write_set, labels=labels,
        rate_hz=5000.0, n=12,
    )  # fmt: skip
    text = f'{IMAGES}[bids]\nconvention = "natview"\n'
    scan = load_scan(described(tmp_path, text).sources[0])
    assert scan.recording.reference == "FCz"  # which a .set does not say
    assert scan.report.left_out_channels == ("EOGL", "EOGU", "ECG")
    assert scan.recording.rate_hz == 5000.0
    assert scan.report.jitter_sd_ms < 0.01


def test_conventions_are_those_of_the_data_set_or_as_said(tmp_path):
    files.bids_top(tmp_path, "10.18112/openneuro.ds002336.v2.0.2")
    assert convention_of(tmp_path, None) is CONVENTIONS["ds002336"]
    assert convention_of(tmp_path, "natview") is CONVENTIONS["natview"]
    files.bids_top(tmp_path)
    assert convention_of(tmp_path, None) is None
    with pytest.raises(ConfigError, match=r"expected one of.*Did you mean 'ds002338'"):
        convention_of(tmp_path, "ds02338")
