import pipeline_rig as rig
import pytest

from rtbold.condition.channel_quality import MonitoredChannel
from rtbold.preflight.stream_checks import (
    channel_lines,
    check_channels,
    check_reference,
    extra_channels,
)

CARD = rig.card(channels=("FZ", "CZ", "PZ", "OZ", "T7", "T8"))
LABELS = ("Fz", "Cz", "Pz", "Oz", "T3", "EEG T8-Ref")
MORE = ("C3", "C4", "F3", "F4")


def stream(*labels, **changes):
    return rig.stream(250.0, labels, **changes)


def test_channels_without_names_are_told_as_such():
    finding = check_channels(CARD, stream("Ch1", "Ch2", "Ch3"), interpolate=True)
    assert (finding.state, finding.must) == ("fail", True)
    assert finding.found == "its 3 channels have no names"
    assert "label" in finding.advice


def test_an_alias_is_named_and_serves():
    finding = check_channels(CARD, stream(*LABELS), interpolate=False)
    assert (finding.state, finding.must) == ("ok", True)
    assert "T7 is 'T3', T8 is 'EEG T8-Ref'" in finding.found
    matches = [line.match for line in channel_lines(CARD, stream(*LABELS))]
    assert matches == ["same"] * 4 + ["alias"] * 2


@pytest.mark.parametrize(
    ("labels", "interpolate", "state", "override", "text"),
    [
        ((*LABELS[:5], *MORE), False, "fail", "--interpolate", "T8"),
        ((*LABELS[:5], *MORE), True, "warn", "", "interpolated"),
        ((*LABELS[:3], *MORE), True, "fail", "", "too many"),
        (("Fz", "Cz", "Pz", "X1", "X2"), False, "fail", "", "cannot be interpolated"),
        ((*LABELS, "FZ"), False, "fail", "", "more than one channel for FZ"),
    ],
)
def test_what_is_missing_or_twice(labels, interpolate, state, override, text):
    finding = check_channels(CARD, stream(*labels), interpolate=interpolate)
    assert (finding.state, finding.override) == (state, override)
    assert text in f"{finding.found} {finding.advice}"


def test_the_recording_reference_is_not_missing():
    with_reference = stream(*LABELS[:5], *MORE, reference="T8")
    assert check_channels(CARD, with_reference, interpolate=False).state == "ok"


def test_extra_channels_are_named_in_the_streams_own_words():
    assert extra_channels(CARD, stream(*LABELS, "C3", "ECG")) == ("C3", "ECG")


@pytest.mark.parametrize(
    ("model", "said", "state", "text"),
    [
        ("average", "FCz", "ok", "stream: FCz; model: average"),
        ("average", None, "warn", "not said"),
        ("CZ", None, "fail", "--reference"),
        ("CZ", "FCz", "ok", "model: CZ"),
        ("TP9", "FCz", "fail", "has no channel TP9"),
        ("average", "bipolar", "fail", "differs between channels"),
    ],
)
def test_the_reference(model, said, state, text):
    card = rig.card(channels=CARD.channels, reference=model)
    finding = check_reference(card, stream(*LABELS, "FZ", reference=said))
    assert finding.state == state
    assert text in finding.found


def test_lines_carry_what_was_heard():
    heard = [MonitoredChannel(label, "eeg", frozenset(), 12.0, 0.1) for label in LABELS]
    flat = frozenset({"channel_flat"})
    heard[1] = MonitoredChannel("Cz", "eeg", flat, 0.01, None)
    lines = channel_lines(CARD, stream(*LABELS), heard)
    assert [line.state for line in lines[:3]] == ["good", "flat", "good"]
    assert (lines[0].found, lines[0].rms_uv) == ("Fz", 12.0)
    missing = channel_lines(CARD, stream(*LABELS[:5]), heard[:5])[5]
    assert (missing.state, missing.found, missing.rms_uv) == ("missing", None, None)
    assert channel_lines(CARD, stream(*LABELS))[0].state == "unknown"
