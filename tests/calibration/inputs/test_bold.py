import numpy as np
import pytest

from rtbold.calibration.inputs.bold import read_bold, read_confounds
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import MeasuredVolume
from rtbold.record.event_lines import to_line

RNG = np.random.default_rng(1)
VALUES = np.round(RNG.standard_normal((12, 3)), 4)
NAMES = ("V1", "Heschl's gyrus", "M1")


def table(path, names, values, *, delimiter="\t"):
    rows = [delimiter.join(names)]
    rows += [delimiter.join(map(str, row)) for row in values]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_a_table_of_text_with_any_delimiter(tmp_path, delimiter):
    path = table(tmp_path / "b.csv", NAMES, VALUES, delimiter=delimiter)
    series = read_bold(path)
    assert series.rois == NAMES
    np.testing.assert_array_equal(series.values, VALUES)
    assert (series.tr_s, series.volume_index, series.confounds) == (None, None, {})


def test_typographic_apostrophes_and_double_blanks_are_one_spelling(tmp_path):
    names = ["V1", "Heschl\u2019s  gyrus", "M1"]
    assert read_bold(table(tmp_path / "b.tsv", names, VALUES)).rois == NAMES


def test_confounds_number_and_time_are_no_rois(tmp_path):
    names = ["", "time", "global signal clean", "global signal raw", "trans_x", "V1"]
    columns = [np.arange(12), 2.1 * np.arange(12), *RNG.standard_normal((4, 12))]
    series = read_bold(table(tmp_path / "b.tsv", names, np.array(columns).T))
    assert series.rois == ("V1",)
    assert series.tr_s == pytest.approx(2.1)
    np.testing.assert_array_equal(series.volume_index, np.arange(12))
    assert set(series.confounds) == {"global_signal", "global_signal_raw", "trans_x"}
    np.testing.assert_allclose(series.confounds["global_signal"], columns[2])


def test_columns_are_picked_by_name_in_the_order_asked_for(tmp_path):
    path = table(tmp_path / "b.tsv", NAMES, VALUES)
    series = read_bold(path, columns=["M1", "V1"])
    assert series.rois == ("M1", "V1")
    np.testing.assert_array_equal(series.values, VALUES[:, [2, 0]])
    with pytest.raises(DataFileError, match=r"asked for \['V2'\].*'V1'.*--roi"):
        read_bold(path, columns=["V2"])


def test_a_difference_has_no_value_at_the_first_volume(tmp_path):
    values = np.column_stack([VALUES[:, 0], VALUES[:, 1]]).astype(object)
    values[0, 0] = "n/a"
    path = table(tmp_path / "b.tsv", ["framewise_displacement", "V1"], values)
    series = read_bold(path)
    assert series.confounds["framewise_displacement"][0] == 0
    assert any("framewise_displacement" in note for note in series.notes)
    values[5, 0] = "n/a"
    with pytest.raises(DataFileError, match="confound 'framewise_displacement'"):
        read_bold(table(tmp_path / "b.tsv", ["framewise_displacement", "V1"], values))


def broken(kind):
    values = VALUES.astype(object).copy()
    names = list(NAMES)
    if kind == "nan":
        values[4, 1] = "n/a"
    elif kind == "constant":
        values[:, 2] = 7.5
    elif kind == "doubled":
        names[2] = "V1"
    elif kind == "text":
        values[1, 0] = "high"
    elif kind == "comma":
        values[1, 0] = "0,5"
    elif kind == "no header":
        names = ["0.1", "0.2", "0.3"]
    elif kind == "index":
        names[0] = "volume"
        values[:, 0] = 3
    elif kind == "only confounds":
        names = ["csf", "trans_x", "dvars"]
    elif kind == "one row":
        values = values[:1]
    return names, values


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nan", 'no finite number for "Heschl\'s gyrus" at 1 volumes .* volume 4'),
        ("constant", r"'M1' of b.tsv is constant \(7.5 at every volume\).*--roi"),
        ("doubled", r"more than one column called \['V1'\]"),
        ("text", "line 3 of b.tsv gives 'V1' as 'high'"),
        ("comma", "'0,5'.*decimal points"),
        ("no header", "first line of b.tsv is .*Add a header"),
        ("index", "column 'volume' of b.tsv does not rise"),
        ("only confounds", "expected at least one ROI"),
        ("one row", "1 rows, expected one per volume"),
    ],
)
def test_bad_tables_are_told(tmp_path, kind, said):
    with pytest.raises(DataFileError, match=said):
        read_bold(table(tmp_path / "b.tsv", *broken(kind)))


def test_a_named_table_with_more_rois_than_volumes_is_read_and_told(tmp_path):
    names = [f"roi{k}" for k in range(12)]
    series = read_bold(table(tmp_path / "b.tsv", names, VALUES.T))
    assert series.values.shape == (3, 12)
    assert any("3 rows and 12 columns: does it lie" in note for note in series.notes)


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataFileError, match="there is no file"):
        read_bold(tmp_path / "none.tsv")
    (tmp_path / "e.tsv").write_text("")
    with pytest.raises(DataFileError, match=r"empty \(0 bytes\)"):
        read_bold(tmp_path / "e.tsv")
    (tmp_path / "b.tsv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataFileError, match="is no text"):
        read_bold(tmp_path / "b.tsv")
    (tmp_path / "b.docx").write_text("x")
    with pytest.raises(DataFileError, match=r"ends in '.docx', expected one of .tsv"):
        read_bold(tmp_path / "b.docx")
    (tmp_path / "r.tsv").write_text("a\tb\n1\t2\n3\n")
    with pytest.raises(DataFileError, match=r"line 3 of r.tsv has 1 cells, expected 2"):
        read_bold(tmp_path / "r.tsv")


def test_npy_has_no_names_until_they_are_given(tmp_path):
    np.save(tmp_path / "b.npy", VALUES.astype("f4"))
    series = read_bold(tmp_path / "b.npy")
    assert series.rois == ("roi-1", "roi-2", "roi-3")
    assert "no names" in series.notes[0]
    assert read_bold(tmp_path / "b.npy", columns=NAMES).rois == NAMES
    assert read_bold(tmp_path / "b.npy", columns=["roi-2"]).values.shape == (12, 1)
    np.save(tmp_path / "t.npy", VALUES.T)
    with pytest.raises(DataFileError, match="lie on its side"):
        read_bold(tmp_path / "t.npy")
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object))
    with pytest.raises(DataFileError, match="cannot be read as NPY"):
        read_bold(tmp_path / "o.npy")
    np.save(tmp_path / "d3.npy", np.zeros((3, 3, 3)))
    with pytest.raises(DataFileError, match=r"shape \(3, 3, 3\)"):
        read_bold(tmp_path / "d3.npy")


def test_mat_in_both_formats(tmp_path):
    from scipy.io import savemat

    h5py = pytest.importorskip("h5py")
    savemat(tmp_path / "a.mat", {"roi": VALUES, "tr": 2.1, "label": "x"})
    np.testing.assert_array_equal(read_bold(tmp_path / "a.mat").values, VALUES)
    with h5py.File(tmp_path / "h.mat", "w", userblock_size=512) as file:
        file["roi"] = VALUES.T
        file["tr"] = np.array([[2.1]])
    np.testing.assert_array_equal(read_bold(tmp_path / "h.mat").values, VALUES)


def test_several_variables_of_a_mat_are_asked_about(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"roi": VALUES, "motion": VALUES + 1})
    with pytest.raises(
        DataFileError, match=r"2 2-D variables .*'motion', 'roi'.*:NAME"
    ):
        read_bold(tmp_path / "a.mat")
    chosen = read_bold(f"{tmp_path / 'a.mat'}:motion")
    np.testing.assert_array_equal(chosen.values, VALUES + 1)
    with pytest.raises(DataFileError, match="no 2-D variable 'bold'"):
        read_bold(f"{tmp_path / 'a.mat'}:bold")
    (tmp_path / "n.mat").write_bytes(b"not a mat file at all" * 40)
    with pytest.raises(DataFileError, match="cannot be read as MAT"):
        read_bold(tmp_path / "n.mat")


def test_a_sparse_matrix_of_a_mat_is_no_table(tmp_path):
    from scipy import io as scipy_io, sparse

    values = np.random.default_rng(0).standard_normal((20, 3))
    scipy_io.savemat(
        tmp_path / "b.mat", {"bold": values, "graph": sparse.eye(4).tocsc()}
    )
    np.testing.assert_array_equal(read_bold(tmp_path / "b.mat").values, values)
    scipy_io.savemat(tmp_path / "b.mat", {"graph": sparse.eye(4).tocsc()})
    with pytest.raises(DataFileError, match=r"holds graph \(4x4 sparse\).*full\(graph"):
        read_bold(tmp_path / "b.mat")


def test_letters_and_truth_values_of_a_mat_are_no_numbers(tmp_path):
    from scipy.io import savemat

    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "h.mat", "w", userblock_size=512) as file:
        for name, kind, array in (
            ("bold", "double", VALUES.T),
            ("subject", "char", np.array([[83], [48], [49]], "u2")),
            ("keep", "logical", np.ones((12, 1), "u1")),
            ("tr", "double", np.array([[2.1]])),
        ):
            file[name] = array
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
    np.testing.assert_array_equal(read_bold(tmp_path / "h.mat").values, VALUES)
    with pytest.raises(DataFileError, match=r"'subject' of numbers, but a 1x3 char"):
        read_bold(f"{tmp_path / 'h.mat'}:subject")
    savemat(tmp_path / "a.mat", {"bold": VALUES, "keep": np.ones((12, 1), bool)})
    np.testing.assert_array_equal(read_bold(tmp_path / "a.mat").values, VALUES)


def test_a_mat_without_a_matrix_says_what_it_holds_and_how_to_save_one(tmp_path):
    from scipy.io import savemat

    h5py = pytest.importorskip("h5py")
    cells = np.empty((1, 3), object)
    cells[0] = list(VALUES.T[:, :, None])
    names = np.array([["a", "b", "c"]], object)
    savemat(tmp_path / "c.mat", {"data": cells, "names": names, "TR": 2.1})
    with pytest.raises(
        DataFileError,
        match=r"data \(1x3 cell\), names \(1x3 cell\), TR .*roi = cell2mat\(data\)",
    ):
        read_bold(tmp_path / "c.mat")
    savemat(tmp_path / "s.mat", {"roi": {"bold": VALUES, "names": names}})
    said = r"roi \(1x1 struct of bold, names\).*roi = roi\.FIELD"
    with pytest.raises(DataFileError, match=said):
        read_bold(tmp_path / "s.mat")
    with h5py.File(tmp_path / "h.mat", "w", userblock_size=512) as file:
        file["roi/bold"] = VALUES.T
        file.create_group("#refs#")
    with pytest.raises(DataFileError, match=r"roi \(.*struct of bold\).*roi\.FIELD"):
        read_bold(tmp_path / "h.mat")


def test_an_archive_and_a_header_that_lies_are_no_npy(tmp_path):
    np.savez(tmp_path / "b.npz", a=VALUES, b=VALUES)
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(DataFileError, match="an archive of several arrays"):
        read_bold(tmp_path / "b.npy")
    np.save(tmp_path / "l.npy", VALUES)
    data = (tmp_path / "l.npy").read_bytes().replace(b"(12, 3)", b"(9999, 9)")
    (tmp_path / "l.npy").write_bytes(data)
    with pytest.raises(DataFileError, match="more than the file holds"):
        read_bold(tmp_path / "l.npy")


def test_a_misspelt_roi_is_guessed(tmp_path):
    path = table(tmp_path / "b.tsv", NAMES, VALUES)
    with pytest.raises(DataFileError, match=r"Did you mean \"Heschl's gyrus\"\?"):
        read_bold(path, columns=["heschls gyrus"])


def test_confounds_have_as_many_rows_as_the_bold(tmp_path):
    path = table(tmp_path / "c.tsv", ["trans_x", "pulse"], VALUES[:, :2])
    found = read_confounds(path, 12)
    assert set(found) == {"trans_x", "pulse"}
    np.testing.assert_array_equal(found["pulse"], VALUES[:, 1])
    with pytest.raises(DataFileError, match="12 rows and the BOLD 10"):
        read_confounds(path, 10)


def test_a_table_of_known_confounds_alone(tmp_path):
    path = table(tmp_path / "c.tsv", ("heart_rate", "csf"), VALUES[:, :2])
    assert set(read_confounds(path, 12)) == {"heart_rate", "csf"}
    with pytest.raises(DataFileError, match="expected at least one ROI"):
        read_bold(path)


def image(tmp_path, *, name="b.nii.gz", units="msec", tr=2100):
    nibabel = pytest.importorskip("nibabel")
    data = np.random.default_rng(2).normal(100, 1, (5, 4, 3, 12)).astype("f4")
    made = nibabel.Nifti1Image(data, np.diag([3, 3, 3, 1.0]))
    made.header.set_xyzt_units("mm", units)
    made.header.set_zooms((3, 3, 3, tr))
    made.to_filename(tmp_path / name)
    labels = np.zeros((5, 4, 3), "i2")
    labels[:2], labels[3:] = 1, 7
    nibabel.Nifti1Image(labels, made.affine).to_filename(tmp_path / "atlas.nii.gz")
    maps = np.stack([labels == 1, labels == 7], axis=-1).astype("f4")
    nibabel.Nifti1Image(maps, made.affine).to_filename(tmp_path / "maps.nii.gz")
    return data


def test_an_image_is_averaged_over_labels_or_maps(tmp_path):
    pytest.importorskip("nilearn")
    data = image(tmp_path)
    expected = [data[:2].mean(axis=(0, 1, 2)), data[3:].mean(axis=(0, 1, 2))]
    (tmp_path / "atlas.tsv").write_text("index\tname\n7\tHeschl\u2019s\n1\tV1\n")
    by_label = read_bold(tmp_path / "b.nii.gz", atlas=tmp_path / "atlas.nii.gz")
    assert by_label.rois == ("V1", "Heschl's")
    assert by_label.tr_s == pytest.approx(2.1)
    np.testing.assert_allclose(by_label.values.T, expected, rtol=1e-5)
    by_map = read_bold(tmp_path / "b.nii.gz", atlas=tmp_path / "maps.nii.gz")
    assert by_map.rois == ("roi-1", "roi-2")
    np.testing.assert_allclose(by_map.values.T, expected, rtol=1e-5)


def test_images_that_cannot_be_averaged(tmp_path):
    pytest.importorskip("nilearn")
    image(tmp_path)
    with pytest.raises(ConfigError, match="--atlas"):
        read_bold(tmp_path / "b.nii.gz")
    with pytest.raises(DataFileError, match="series of volumes"):
        read_bold(tmp_path / "atlas.nii.gz", atlas=tmp_path / "maps.nii.gz")
    with pytest.raises(DataFileError, match="there is no file"):
        read_bold(tmp_path / "b.nii.gz", atlas=tmp_path / "none.nii")
    (tmp_path / "bad.nii.gz").write_bytes(b"nonsense")
    with pytest.raises(DataFileError, match="cannot be read as NIfTI"):
        read_bold(tmp_path / "bad.nii.gz", atlas=tmp_path / "maps.nii.gz")
    (tmp_path / "atlas.tsv").write_text("index\tname\n1\tV1\n")
    with pytest.raises(DataFileError, match=r"no name for the regions \[7\]"):
        read_bold(tmp_path / "b.nii.gz", atlas=tmp_path / "atlas.nii.gz")


def test_a_note_beside_the_table_says_that_it_is_simulated(tmp_path):
    path = tmp_path / "bold.tsv"
    path.write_text("a\tb\n1\t2\n2\t1\n3\t5\n", encoding="utf-8")
    assert not read_bold(path).simulated
    (tmp_path / "simulated.json").write_text('{"simulated": true}', encoding="utf-8")
    assert read_bold(path).simulated


# What data sets need: confounds by name, ROIs left out, volumes of a session's log.


def test_confounds_are_picked_by_name(tmp_path):
    path = tmp_path / "confounds.tsv"
    path.write_text(
        "csf\ttrans_x\ttrans_y\tdvars\n1\t2\t3\tn/a\n2\t4\t1\tn/a\n3\t1\t2\t5\n"
    )
    with pytest.raises(DataFileError, match=r"no finite number for .*'dvars'"):
        read_confounds(path, 3)
    found = read_confounds(path, 3, columns=["trans_*", "csf"])
    assert {name: list(values) for name, values in found.items()} == {
        "csf": [1, 2, 3], "trans_x": [2, 4, 1], "trans_y": [3, 1, 2],
    }  # fmt: skip
    with pytest.raises(
        DataFileError, match=r"confounds\.tsv has no column 'tran_x'.*Did you mean 't"
    ):
        read_confounds(path, 3, columns=["tran_x"])


def test_rois_that_are_not_measured_can_be_left_out(tmp_path):
    path = tmp_path / "b.tsv"
    rows = [[a, "n/a" if k == 2 else b, 3] for k, (a, b, _) in enumerate(VALUES)]
    table(path, ("a", "b", "c"), rows)
    with pytest.raises(DataFileError, match=r"no finite number for 'b' at 1 volumes"):
        read_bold(path)
    series = read_bold(path, leave_out=True)
    assert series.rois == ("a",)
    assert series.unusable == {
        "b": "has no finite number at 1 volumes (the first is volume 2, counted from "
        "0)",
        "c": "is constant (3)",
    }
    with pytest.raises(DataFileError, match=r"no finite number for 'b'"):
        read_bold(path, columns=["a", "b"], leave_out=True)  # it was asked for


def test_a_sessions_log_holds_measured_volumes(tmp_path):
    path = tmp_path / "events.jsonl"
    volumes = [
        MeasuredVolume(k, ("a", "b"), (float(k % 4), float(k * k % 7)), 5.0, 2.0 * k)
        for k in (3, 4, 6)
    ]
    lines = ['{"type":"header","format":1}', *map(to_line, volumes)]
    path.write_text("\n".join(lines) + "\n")
    series = read_bold(path)
    assert series.rois == ("a", "b")
    np.testing.assert_array_equal(series.volume_index, [3, 4, 6])
    np.testing.assert_array_equal(series.onsets_s, [6.0, 8.0, 12.0])
    path.write_text(lines[0] + "\n")
    with pytest.raises(DataFileError, match=r"measured no BOLD \(events\.jsonl"):
        read_bold(path)
