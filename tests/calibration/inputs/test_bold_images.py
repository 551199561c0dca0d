"""Images of measured BOLD and their atlases: odd shapes, labels, voxels and grids."""

import numpy as np
import pytest

pytest.importorskip("nilearn")

import nibabel
from nilearn import maskers

from rtbold.calibration.inputs.bold import read_bold
from rtbold.errors import DataFileError

SHAPE, N = (8, 7, 6), 14
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
NAMES = ("Putamen", "Heschl's gyrus", "Cuneus")


def labels_on(shape=SHAPE):
    labels = np.zeros(shape, np.int16)
    labels[:2, 1:4, 1:4] = 1
    labels[3:5, 1:4, 1:4] = 2
    labels[5:7, 1:4, 1:4] = 3
    return labels


def signal():
    return 100.0 * np.arange(1, 4)[:, None] + np.random.default_rng(4).normal(
        0, 2, (3, N)
    )


def bold_data():
    """Return volumes in which each voxel of a region has the region's own series."""
    data = np.full((*SHAPE, N), 5.0, np.float32)
    for k, series in enumerate(signal()):
        data[labels_on() == k + 1] = series
    return data


def saved(path, data, *, affine=AFFINE, tr_s=2.1):
    image = nibabel.Nifti1Image(data, affine)
    if data.ndim == 3:
        image.header.set_zooms((3, 3, 3))
    if data.ndim >= 4:
        image.header.set_zooms((3, 3, 3, tr_s, *[1.0] * (data.ndim - 4)))
        image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)
    return path


@pytest.fixture
def scan(tmp_path):
    """Read a scan; data and atlas may be changed."""

    def read(
        data=None, atlas=None, *, names=NAMES, affine=AFFINE, bold_affine=AFFINE,
        tr_s=2.1,
    ):  # fmt: skip
        data = bold_data() if data is None else data
        bold = saved(tmp_path / "b.nii.gz", data, affine=bold_affine, tr_s=tr_s)
        atlas = labels_on() if atlas is None else atlas
        saved(tmp_path / "a.nii.gz", atlas, affine=affine)
        if names:
            lines = [f"{k}\t{name}" for k, name in enumerate(names, start=1)]
            text = "index\tname\n" + "\n".join(lines)
            (tmp_path / "a.tsv").write_text(text, encoding="utf-8")
        return read_bold(bold, atlas=tmp_path / "a.nii.gz")

    return read


def test_regions_are_means_of_their_voxels(scan):
    series = scan()
    assert series.rois == NAMES
    assert series.tr_s == pytest.approx(2.1)
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)


@pytest.mark.parametrize("missing", [np.nan, np.inf, 0.0])
def test_voxels_outside_of_a_mask_are_left_out_and_told(scan, missing):
    data = bold_data()
    data[:, 2:] = missing
    data[0, 1, 1, 3] = missing  # at one volume
    series = scan(data)
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)
    (told,) = [note for note in series.notes if "lost" in note]
    assert "Putamen lost 13 of 18 voxels; Heschl's gyrus lost 12 of 18" in told


def test_a_region_outside_of_the_slab_is_left_out_and_told(scan):
    data = bold_data()
    data[3:5] = 0
    series = scan(data)
    assert series.rois == ("Putamen", "Cuneus")
    assert any(
        "without a measured voxel are left out: Heschl" in n for n in series.notes
    )


def test_demeaned_voxels_may_be_zero_now_and_then(scan):
    data = bold_data()
    data -= data.mean(axis=3, keepdims=True)
    data[0, 1, 1, 3] = 0.0
    assert not [note for note in scan(data).notes if "lost" in note]


def test_an_empty_volume_is_refused(scan):
    data = bold_data()
    data[..., 6] = 0
    with pytest.raises(
        DataFileError, match=r"zero at every voxel of 1 volumes.*volume 6"
    ):
        scan(data)


@pytest.mark.parametrize("at", [0, 6])
@pytest.mark.parametrize("value", [0, np.nan])
def test_a_volume_without_any_number_is_told_wherever_it_stands(scan, at, value):
    data = bold_data()
    data[..., at] = value
    with pytest.raises(DataFileError, match=rf"every voxel of 1 volumes.*volume {at},"):
        scan(data)


@pytest.mark.parametrize("fill", [-1.0, 1e4])
def test_voxels_that_never_change_were_not_measured(scan, fill):
    data = bold_data()
    data[:, 2:] = fill
    series = scan(data)
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)
    assert any("Putamen lost 12 of 18 voxels" in note for note in series.notes)


@pytest.mark.parametrize("large", [-4, 70_000, 2**31 + 5])
def test_large_labels_on_another_grid(scan, tmp_path, large):
    atlas = labels_on().astype(np.float64)  # exact far above 2**31
    atlas[atlas == 3] = large
    (tmp_path / "a.tsv").write_text(
        f"index\tname\n1\t{NAMES[0]}\n2\t{NAMES[1]}\n{large}\t{NAMES[2]}\n",
        encoding="utf-8",
    )
    same = scan(atlas=atlas, names=None)
    assert sorted(same.rois) == sorted(NAMES)
    padded = np.zeros((SHAPE[0] + 1, *SHAPE[1:]))
    padded[: SHAPE[0]] = atlas
    series = scan(atlas=padded, names=None)
    assert series.rois == same.rois
    order = [NAMES.index(name) for name in series.rois]
    np.testing.assert_allclose(series.values, signal().T[:, order], rtol=1e-6)


def test_an_image_and_an_atlas_that_have_nothing_in_common(scan):
    with pytest.raises(DataFileError, match=r"no region of a.nii.gz .*in one space"):
        scan(np.zeros((*SHAPE, N), np.float32))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int32])
def test_labels_of_any_type(scan, kind):
    series = scan(atlas=labels_on().astype(kind))
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)


def test_labels_with_nan_as_background(scan):
    atlas = labels_on().astype(np.float32)
    atlas[atlas == 0] = np.nan
    assert scan(atlas=atlas).rois == NAMES


def test_labels_that_were_interpolated(scan):
    atlas = labels_on().astype(np.float32)
    atlas[2, 1:3, 1:4] = 0.5
    with pytest.raises(
        DataFileError, match=r"a.nii.gz holds 0.5 at 6 voxels.*nearest neighbour"
    ):
        scan(atlas=atlas)


def test_negative_labels_are_regions_only_if_they_are_named(scan, tmp_path):
    atlas = labels_on()
    atlas[7] = -1
    with pytest.raises(DataFileError, match=r"no name for the regions \[-1\]"):
        scan(atlas=atlas)
    (tmp_path / "a.tsv").unlink()
    with pytest.raises(DataFileError, match=r"holds the labels \[-1\]"):
        scan(atlas=atlas, names=None)


def test_labels_with_an_axis_too_many_are_no_map(scan):
    series = scan(atlas=labels_on()[..., None])
    assert series.rois == NAMES
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)


def test_an_atlas_of_zeros_or_of_a_line(scan):
    with pytest.raises(DataFileError, match="zero everywhere"):
        scan(atlas=np.zeros(SHAPE, np.int16))
    with pytest.raises(DataFileError, match=r"shape \(8, 7\), expected labels"):
        scan(atlas=labels_on()[..., 0])


def maps():
    weights = np.zeros((*SHAPE, 3), np.float32)
    for k in range(3):
        weights[labels_on() == k + 1, k] = 0.5
    weights[2, 1:4, 1:4, :2] = 0.2
    return weights


def test_maps_fit_as_nilearn_fits_them(scan, tmp_path):
    rng = np.random.default_rng(3)
    data = bold_data() + rng.normal(0, 1, (*SHAPE, N)).astype(np.float32)
    series = scan(data, maps())
    assert series.rois == NAMES
    masker = maskers.NiftiMapsMasker(
        str(tmp_path / "a.nii.gz"), standardize=None, keep_masked_maps=False
    )
    expected = masker.fit_transform(str(tmp_path / "b.nii.gz"))
    np.testing.assert_allclose(series.values, expected, rtol=1e-4)


def test_maps_leave_out_what_was_not_measured(scan):
    data = bold_data()
    data[:, 3:] = np.nan
    whole = maps()
    whole[2] = 0
    np.testing.assert_allclose(scan(data, whole).values, 2 * signal().T, rtol=1e-5)


def coarse(data):
    return data[::2, ::2, ::2]


@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_an_atlas_on_another_grid_as_nilearn_resamples_it(scan, tmp_path, kind):
    rng = np.random.default_rng(5)
    data = bold_data() + rng.normal(0, 1, (*SHAPE, N)).astype(np.float32)
    atlas = coarse(labels_on() if kind == "labels" else maps())
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    series = scan(data, atlas, affine=affine)
    assert any("resampled to the grid" in note for note in series.notes)
    make = maskers.NiftiLabelsMasker if kind == "labels" else maskers.NiftiMapsMasker
    keep = {"keep_masked_labels" if kind == "labels" else "keep_masked_maps": False}
    masker = make(str(tmp_path / "a.nii.gz"), standardize=None, **keep)
    expected = masker.fit_transform(str(tmp_path / "b.nii.gz"))
    np.testing.assert_allclose(series.values, expected, rtol=1e-4)


def test_an_atlas_of_the_same_shape_elsewhere_is_resampled_too(scan):
    affine = AFFINE.copy()
    affine[0, 3] = 9.0  # three voxels to the right
    moved = scan(atlas=labels_on(), affine=affine)
    np.testing.assert_allclose(moved.values[:, 0], signal()[1], rtol=1e-6)
    assert any("resampled to the grid" in note for note in moved.notes)


@pytest.mark.parametrize("at", [3, 4])
def test_an_axis_of_one_too_many_is_left_out_and_told(scan, at):
    series = scan(np.expand_dims(bold_data(), at))
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)
    assert any("is read as (8, 7, 6, 14)" in note for note in series.notes)
    assert series.tr_s == (None if at == 3 else pytest.approx(2.1))


def test_shapes_that_are_no_series_say_what_to_do(scan):
    with pytest.raises(
        DataFileError, match=r"\(8, 7, 6, 2, 14\).*several series: split"
    ):
        scan(np.stack([bold_data()] * 2, axis=3))
    with pytest.raises(DataFileError, match=r"\(8, 7, 6\).*one volume: merge"):
        scan(bold_data()[..., 0])


def test_an_image_of_colours_is_none(scan):
    rgb = np.zeros(SHAPE, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    with pytest.raises(DataFileError, match="expected real numbers"):
        scan(atlas=rgb)


@pytest.mark.parametrize("maps", [False, True])
def test_regions_that_reach_out_of_the_slab_on_another_grid_are_told(scan, maps):
    atlas = np.zeros((SHAPE[0], SHAPE[1], SHAPE[2] + 4), np.float32)
    atlas[:, :, : SHAPE[2]] = labels_on()
    atlas[:2, 1:4, -3:] = 1  # as many again, above of the slab
    if maps:
        each = [np.where(atlas == k, 0.1 * k, 0) for k in (1, 2, 3)]
        atlas = np.stack(each, axis=3).astype(np.float32)
    series = scan(atlas=atlas)
    weights = [0.1, 0.2, 0.3] if maps else 1
    np.testing.assert_allclose(series.values * weights, signal().T, rtol=1e-5)
    (told,) = [note for note in series.notes if "outside of b.nii.gz" in note]
    assert told.endswith("Putamen (50 %)")


def test_an_image_that_does_not_say_where_it_lies_fits_no_other_grid(scan, tmp_path):
    atlas = np.zeros((SHAPE[0] + 1, *SHAPE[1:]), np.float32)
    atlas[: SHAPE[0]] = labels_on()
    with pytest.raises(DataFileError, match=r"b\.nii\.gz does not say where it lies"):
        scan(bold_data(), atlas, bold_affine=None)
    series = scan(bold_data(), bold_affine=None, affine=None)  # on one grid
    np.testing.assert_allclose(series.values, signal().T, rtol=1e-6)
