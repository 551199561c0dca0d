import numpy as np
import pytest

from rtbold.sim.head import oriented, read_leadfield, read_rois
from rtbold.sim.settings import NEUROBOLT_CHANNELS


def test_the_atlas_has_64_regions_in_plain_spelling():
    rois = read_rois()
    assert len({roi.name for roi in rois}) == 64
    assert all(roi.name.isascii() for roi in rois)
    assert [r.name for r in rois if not r.sources_mni_mm] == [
        "Transverse sinus",
        "ventricles",
    ]


def test_sources_of_the_lead_field_are_the_atlas_in_order():
    counts = np.bincount(read_leadfield().roi_of_source, minlength=64)
    assert counts.tolist() == [len(roi.sources_mni_mm) for roi in read_rois()]
    assert (np.diff(read_leadfield().roi_of_source) >= 0).all()


@pytest.mark.parametrize(
    ("region", "electrodes"),
    [
        ("Occipital pole", {"O1", "O2", "Oz"}),
        ("Paracentral lobule superior", {"Cz"}),
        ("Middle frontal gyrus anterior", {"Fp1", "Fp2", "F3", "F4"}),
    ],
)
def test_a_region_is_seen_best_from_above_it(region, electrodes):
    field = read_leadfield()
    rows = field.rows(NEUROBOLT_CHANNELS)
    gain = np.linalg.norm(field.gain[rows], axis=2)  # over all directions
    roi = [r.name for r in read_rois()].index(region)
    for source in np.flatnonzero(field.roi_of_source == roi):
        assert NEUROBOLT_CHANNELS[int(gain[:, source].argmax())] in electrodes


def test_without_jitter_each_dipole_points_where_it_is_seen_best():
    field = read_leadfield()
    rng = np.random.default_rng(0)
    aligned = np.linalg.norm(oriented(field, rng, jitter=0.0), axis=0)
    turned = np.linalg.norm(oriented(field, rng, jitter=0.5), axis=0)
    assert (aligned >= turned - 1e-9).all()
    assert (oriented(field, rng, jitter=0.0).sum(axis=0) > 0).all()


def test_every_neurobolt_channel_and_its_reference_is_in_the_cap():
    assert len(read_leadfield().rows((*NEUROBOLT_CHANNELS, "fcz", "A1", "A2"))) == 29
