from types import SimpleNamespace

import pipeline_rig as rig
import pytest

from rtbold.acquire.acquisition import InletStatus
from rtbold.session.views import Watch


@pytest.fixture
def parts():
    return SimpleNamespace(
        acquisition=SimpleNamespace(
            refused=None,
            eeg=InletStatus(state="connected"),
            marker=None,
            marker_description=None,
            n_overflow=0,
        ),
        feed=SimpleNamespace(n_encode_errors=0, last_encode_error=None, n_refused=0),
        recording=SimpleNamespace(problem=""),
        said=[],
    )


@pytest.fixture
def watch(parts):
    made = Watch(
        parts.acquisition,
        rig.pipeline(),
        parts.recording,
        feed=parts.feed,
        say=lambda level, text: parts.said.append((level, text)),
        tell_clock=lambda ms: None,
    )
    made.look()
    parts.said.clear()
    return made


def test_a_message_that_could_not_be_encoded_is_told_once(watch, parts):
    watch.look()
    assert parts.said == []
    parts.feed.n_encode_errors = 2
    parts.feed.last_encode_error = TypeError("an object is no text")
    watch.look()
    watch.look()
    ((level, text),) = parts.said
    assert level == "error"
    assert "2 messages could not be encoded" in text
    assert "an object is no text" in text


def test_samples_that_the_session_did_not_take_in_time_are_told(watch, parts):
    for n in (480, 480, 960):
        parts.acquisition.n_overflow = n
        watch.look()
    assert [level for level, _ in parts.said] == ["error", "error"]
    assert "480 samples were dropped" in parts.said[0][1]
    assert "960 samples" in parts.said[1][1]


def said(watch, parts):
    parts.said.clear()
    watch.look()
    return parts.said


def test_another_sender_is_told_once_and_so_is_the_first_ones_return(watch, parts):
    other = InletStatus(state="connected", other_sender="source id 'b' instead of 'a'")
    parts.acquisition.eeg = other
    ((level, text),) = said(watch, parts)
    assert level == "error"
    assert "another sender" in text
    assert "EEG: source id 'b' instead of 'a'" in text
    assert said(watch, parts) == []
    parts.acquisition.eeg = InletStatus(state="connected")
    ((level, text),) = said(watch, parts)
    assert level == "info"
    assert "first sender again" in text


def test_why_no_stream_is_taken_is_told_when_it_is_known(watch, parts):
    parts.acquisition.eeg = InletStatus(state="lost")
    assert said(watch, parts) == [("info", "EEG stream lost.")]
    parts.acquisition.eeg = InletStatus(state="lost", problem="2 others, none is taken")
    assert said(watch, parts) == [("error", "EEG stream lost. 2 others, none is taken")]
    assert said(watch, parts) == []


def test_a_problem_of_the_recording_says_nothing_of_the_streams(watch, parts):
    parts.recording.problem = "events.jsonl: File too large"
    expected = [("error", "RECORDING: events.jsonl: File too large")]
    assert said(watch, parts) == expected
    assert said(watch, parts) == []
    parts.recording.problem = ""
    assert said(watch, parts) == [("info", "RECORDING: all is well again")]
