import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.condition.spatial import (
    SpatialMatrix,
    SpatialSettings,
    spline_interpolation,
)
from rtbold.electrodes import positions
from rtbold.errors import BundleError, StreamMismatch

DEMO = tuple("FP1 FP2 F7 F3 FZ F4 F8 T7 C3 CZ C4 T8 P7 P3 PZ P4 P8 O1 O2".split())
CAP = (*DEMO[::-1], "FCZ", "POZ", "FT9", "TP10")  # other order, and more
NONE = frozenset()


def build(stream=CAP, reference=None, model=DEMO, target="average", **options):
    return SpatialMatrix(SpatialSettings(stream, reference, model, target, **options))


def potentials(names, seed=0):
    """A smooth field plus noise per electrode, against infinity: name -> (samples,)."""
    random = np.random.default_rng(seed)
    field = positions(names) @ random.normal(size=(3, 50)) * 20
    return dict(zip(names, field + random.normal(size=field.shape), strict=True))


def recorded(truth, names, reference):
    return np.array([truth[name] - truth[reference] for name in names])


def is_average(rows):
    return rows - rows.mean(axis=0)


def test_average_of_a_stream_of_unknown_reference():
    truth = potentials((*CAP, "CPZ"))
    plan = build().matrix(NONE)

    out = plan.matrix @ recorded(truth, CAP, "CPZ")
    np.testing.assert_allclose(out, is_average(np.array([truth[n] for n in DEMO])))
    assert plan.usable
    assert plan.interpolated == plan.excluded == ()
    assert plan.matrix.shape == (19, 23)
    assert plan.matrix.dtype == np.float64


def test_average_over_channels_that_include_the_implicit_reference():
    model = (*DEMO, "FCZ")
    stream = tuple(name for name in CAP if name != "FCZ")
    truth = potentials(CAP)
    plan = build(stream, "FCz", model).matrix(NONE)

    out = plan.matrix @ recorded(truth, stream, "FCZ")
    np.testing.assert_allclose(out, is_average(np.array([truth[n] for n in model])))
    assert plan.interpolated == ()


def test_a_carried_reference_channel_is_no_bad_channel():
    model, truth = (*DEMO, "FCZ"), potentials(CAP)
    flat = recorded(truth, CAP, "FCZ")
    right = is_average(np.array([truth[n] for n in model]))
    for bad in (NONE, frozenset({"FCZ"})):
        plan = build(CAP, "FCZ", model).matrix(bad)
        np.testing.assert_allclose(plan.matrix @ flat, right)
        assert plan.interpolated == ()


@pytest.mark.parametrize(
    ("reference", "target"),
    [("FCZ", "FCz"), ("FCZ", "Pz"), ("TP10", "FCZ"), ("FCZ", "TP10"), ("TP10", "CZ")],
)
def test_one_electrode_to_another(reference, target):
    truth = potentials(CAP)
    plan = build(CAP, reference, DEMO, target).matrix(NONE)
    out = plan.matrix @ recorded(truth, CAP, reference)
    np.testing.assert_allclose(out, recorded(truth, DEMO, target.upper()), atol=1e-12)


@pytest.mark.parametrize("target", ["average", "CZ"])
def test_an_average_referenced_stream_is_one_common_reference(target):
    truth = potentials(CAP)
    stream = is_average(np.array([truth[n] for n in CAP]))
    out = build(CAP, "average", DEMO, target).matrix(NONE).matrix @ stream
    field = np.array([truth[n] for n in DEMO])
    right = is_average(field) if target == "average" else field - truth["CZ"]
    np.testing.assert_allclose(out, right, atol=1e-12)


def test_same_reference_is_a_selection():
    plan = build(CAP, "linked ears", DEMO, "linked ears").matrix(NONE)
    np.testing.assert_array_equal(plan.matrix, np.eye(23)[[CAP.index(n) for n in DEMO]])


@given(bad=st.sets(st.sampled_from(CAP), max_size=8))
@settings(max_examples=40, deadline=None)
def test_whatever_is_bad(bad):
    plan = build().matrix(frozenset(bad))
    assert plan.usable
    assert plan.interpolated == tuple(n for n in DEMO if n in bad)
    assert plan.excluded == tuple(n for n in CAP if n in bad)
    # Nothing comes from a bad channel.
    assert not plan.matrix[:, [CAP.index(n) for n in bad]].any()
    # What all channels share vanishes, in the interpolated rows as well.
    np.testing.assert_allclose(plan.matrix.sum(axis=1), 0, atol=1e-9)
    # The mean is that of the good channels.
    good = [row for row, name in enumerate(DEMO) if name not in bad]
    np.testing.assert_allclose(plan.matrix[good].mean(axis=0), 0, atol=1e-12)


def test_an_interpolated_channel_is_close_to_the_field():
    random = np.random.default_rng(2)
    field = positions(CAP) @ random.normal(size=(3, 200))  # smooth: a far dipole
    at = {name: row for name, row in zip(CAP, field, strict=True)}
    good = build().matrix(NONE).matrix @ field
    broken = field.copy()
    broken[[CAP.index("C3"), CAP.index("O2")]] = 1e6
    out = build().matrix(frozenset({"C3", "O2"})).matrix @ broken
    # The mean is over 17 channels instead of 19: compare without it.
    error = (out - out[9]) - (good - good[9])
    assert np.abs(error).max() < 0.1 * np.abs(list(at.values())).max()


def test_missing_channels_are_refused_unless_interpolation_was_asked_for():
    stream = tuple(n for n in CAP if n not in ("T7", "O1"))
    with pytest.raises(StreamMismatch, match=r"lacks \['T7', 'O1'\].*--interpolate"):
        build(stream)
    plan = build(stream, interpolate_missing=True).matrix(frozenset({"CZ"}))
    assert plan.interpolated == ("T7", "CZ", "O1")
    assert plan.excluded == ("CZ",)
    np.testing.assert_allclose(plan.matrix.sum(axis=1), 0, atol=1e-9)


def test_interpolating_what_has_no_position_is_refused():
    with pytest.raises(StreamMismatch, match="cannot interpolate"):
        build(model=("CZ", "PZ", "X1"), interpolate_missing=True)


def test_other_spellings_are_the_same_electrodes():
    stream = ("EEG T3-Ref", "EEG Cz-Ref", "EEG O1-Ref")
    plan = build(stream, "A1", ("O1", "T7"), "A1").matrix(NONE)
    np.testing.assert_array_equal(plan.matrix, [[0, 0, 1], [1, 0, 0]])


def test_bad_channels_are_known_by_any_spelling_and_strangers_do_not_matter():
    matrix = build()
    plan = matrix.matrix(frozenset({"Cz", "ECG"}))
    assert plan.interpolated == ("CZ",)
    assert matrix.matrix(frozenset({"CZ", "ECG"})) is plan


def test_a_named_reference_refuses_a_stream_of_unknown_reference():
    for said in (None, "", "unknown", "n/a"):
        with pytest.raises(StreamMismatch, match="--reference"):
            build(CAP, said, DEMO, "FCZ")


def test_a_reference_that_was_not_recorded_is_refused():
    with pytest.raises(StreamMismatch, match="has no channel CPZ"):
        build(CAP, "FCZ", DEMO, "CPZ")


@pytest.mark.parametrize("said", ["bipolar", "Laplacian", "CSD"])
def test_references_that_differ_between_channels_are_refused(said):
    with pytest.raises(StreamMismatch, match="differs between channels"):
        build(CAP, said)


def test_a_bundle_without_reference_is_refused():
    with pytest.raises(BundleError, match="Correct its card"):
        build(target="unknown")


def test_a_bad_target_reference_is_not_usable_and_gives_no_numbers():
    plan = build(CAP, "FCZ", DEMO, "TP10").matrix(frozenset({"TP10"}))
    assert not plan.usable
    assert np.isnan(plan.matrix).all()


def test_too_few_good_channels_are_not_usable():
    plan = build().matrix(frozenset(CAP[3:]))
    assert not plan.usable
    assert np.isnan(plan.matrix).all()
    assert not build(DEMO).matrix(frozenset(DEMO)).usable


def test_the_plan_is_kept_and_nobody_can_write_into_it():
    matrix = build()
    plan = matrix.matrix(frozenset({"CZ"}))
    assert matrix.matrix(frozenset({"CZ"})) is plan
    assert not plan.matrix.flags.writeable


def test_two_channels_of_one_electrode_are_refused():
    with pytest.raises(StreamMismatch, match="'T3', 'T7'"):
        build((*(n for n in CAP if n != "T7"), "T3", "T7"))


def test_splines_match_mne():
    interpolation = pytest.importorskip("mne.channels.interpolation")
    good, bad = positions(CAP[3:]), positions(CAP[:3])
    theirs = interpolation._make_interpolation_matrix(good, bad, alpha=1e-5)
    ours = spline_interpolation(good, bad)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-9)


def test_splines_return_the_data_at_an_electrode():
    xyz = positions(CAP)
    np.testing.assert_allclose(
        spline_interpolation(xyz, xyz, regularisation=0), np.eye(len(CAP)), atol=1e-6
    )


def test_average_matches_mne():
    mne = pytest.importorskip("mne")
    truth = potentials(CAP)
    data = recorded(truth, CAP, "FCZ")
    raw = mne.io.RawArray(
        data, mne.create_info(list(CAP), 200, "eeg"), verbose="error"
    ).pick(list(DEMO))
    theirs = raw.set_eeg_reference("average", verbose="error").get_data()
    ours = build(CAP, "FCZ").matrix(NONE).matrix @ data
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
