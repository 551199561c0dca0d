import json

import pytest

from rtbold.gui.state.found import read_bundles, read_streams

EEG = {
    "name": "cap", "type": "EEG", "host": "amp", "n_channels": 32, "rate_hz": 500.0,
    "format": "float32", "simulated": False, "later": "unknown",
}  # fmt: skip
OWN = {
    "name": "S01", "code": "S01", "origin": "subject", "targets": ["Putamen", "Cuneus"],
    "rois": ["Putamen", "Cuneus"], "target": "Putamen", "unfit": {"Putamen": "weak"},
    "gate": {"target": "Putamen", "label": "undecided", "r": 0.1, "r_low": -0.1,
             "r_high": 0.3, "p": 0.2},
    "calibrated": "2026-11-23T10:00:00", "tr_s": 2.0, "channels": ["CZ"],
}  # fmt: skip


def one(**changes):
    (found,) = read_bundles(json.dumps([OWN | changes]))
    return found


def test_streams_are_sorted_into_what_they_may_be():
    markers = EEG | {"name": "m", "type": "Markers", "rate_hz": 0.0, "n_channels": 1}
    mirror = EEG | {"type": "Prediction", "rate_hz": 0.476}
    cap, labels, own = read_streams(json.dumps([EEG, markers, mirror]))
    assert (cap.may_be_eeg, cap.may_be_markers) == (True, False)
    assert (labels.may_be_eeg, labels.may_be_markers) == (False, True)
    assert not own.may_be_eeg
    assert cap.rate_words == "500 Hz"
    assert labels.rate_words == "irregular"
    assert cap.simulated is False


def test_an_older_listing_says_nothing_of_simulation():
    (found,) = read_streams(json.dumps([{"name": "x"}]))
    assert found.simulated is None
    assert found.n_channels == 0


@pytest.mark.parametrize("text", ["", "no json", "{}", "null", "[" * 5000])
def test_what_is_no_list_is_told_apart_from_an_empty_one(text):
    assert read_streams(text) is None
    assert read_bundles(text) is None
    assert read_streams("[]") == ()


def test_rows_without_a_name_are_left_out():
    assert read_streams('[3, {"type": "EEG"}]') == ()


def test_facts_say_verdict_and_refusal_in_words():
    facts = one().facts()
    for words in ("own model", "2026-11-23", "undecided", "R 0.10 (-0.10 to 0.30)"):
        assert words in facts
    assert "Putamen is not fit for feedback: weak" in one().refusal()
    assert one().refusal("Cuneus") == ""


def test_each_kind_of_bundle_says_what_it_is():
    demo = one(origin="simulated", simulated=True, gate=None, unfit={}, calibrated="")
    assert "SIMULATED" in demo.facts()
    assert "no verdict" in demo.facts()
    assert demo.refusal() == ""
    assert "Calibrate" in one(unfit={}, unvalidated=True).refusal()
    start = one(origin="start", gate=None, unfit={})
    assert "cannot predict yet" in start.refusal()
    broken = one(error="model.onnx was changed")
    assert "model.onnx was changed" in broken.facts()
    assert "Copy the bundle again" in broken.refusal()
