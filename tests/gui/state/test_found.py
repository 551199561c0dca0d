import json

import pytest

from rtbold.gui.state.found import OWN_NAMES, StreamSeen, read_bundles, read_streams
from rtbold.publish import EVENTS_NAME, PREDICTIONS_NAME

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


@pytest.mark.parametrize(
    ("stream", "role"),
    [
        (StreamSeen("cap", "EEG", "amp", 32, 500.0), "eeg"),
        (
            StreamSeen("cap", "EEG", "amp", 32, 0.0, "float32"),
            "eeg",
        ),
        (StreamSeen("cap", "eeg", "amp", 1, 0.0, "float32"), "eeg"),
        (StreamSeen("LiveAmp", "ExG", "amp", 32, 500.0, "float32"), "eeg"),
        (StreamSeen("a", "", "amp", 32, 500.0, "float32"), "eeg"),
        (StreamSeen("m", "Markers", "amp", 1, 0.0, "string"), "markers"),
        (StreamSeen("m", "Stim", "amp", 1, 0.0, "int32"), "markers"),
        (StreamSeen("m", "", "amp", 1, 0.0, "string"), "markers"),
        (StreamSeen("m", "Markers", "amp", 3, 0.0, "int32"), "markers"),
        (StreamSeen("m", "Markers", "amp", 3, 0.0, "string"), "other"),
        (StreamSeen("m", "Stim", "amp", 1, 500.0, "int32"), "other"),
        (StreamSeen("x", "Text", "pc", 1, 10.0, "string"), "other"),
        (StreamSeen("scan-bold", "BOLD", "pc", 65, 0.0, "float32"), "bold"),
        (StreamSeen("rois", "fMRI", "pc", 3, 0.5, "double64"), "bold"),
        (StreamSeen("rois", "", "pc", 65, 0.0, "float32"), "bold"),
        (StreamSeen("rtbold-events", "Markers", "pc", 1, 0.0, "string"), "own"),
        (StreamSeen("rtbold-pred", "Prediction", "pc", 67, 0.47, "float32"), "own"),
    ],
)
def test_a_stream_serves_for_one_thing_only(stream, role):
    assert stream.role == role
    roles = (stream.may_be_eeg, stream.may_be_markers, stream.may_be_bold)
    assert sum(roles) == (role in ("eeg", "markers", "bold"))


def test_the_names_of_what_a_session_sends_are_those_of_the_mirror():
    assert set(OWN_NAMES) == {PREDICTIONS_NAME.casefold(), EVENTS_NAME.casefold()}
