"""What a session tells its operator beside the predictions: what has changed."""

import math
from collections.abc import Callable

from rtbold.acquire.acquisition import Acquisition
from rtbold.acquire.bold import OpenFeed
from rtbold.messages import StreamDescription
from rtbold.predict.pipeline import Pipeline
from rtbold.publish.feed import Feed
from rtbold.record.run import RecordingRun

CLOCK_NEWS_S = 0.001

Say = Callable[[str, str], None]  # level, text


class Watch:
    """Looks once a second at streams, clock and recording; speaks when they change.

    Parameters
    ----------
    feed : where the session publishes.
    say : takes level and text.
    tell_clock : publishes how well a foreign clock is aligned, in ms.
    truth : where measured BOLD comes from.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        pipeline: Pipeline,
        recording: RecordingRun | None,
        *,
        feed: Feed,
        say: Say,
        tell_clock: Callable[[float], None],
        truth: OpenFeed | None = None,
    ) -> None:
        self._acquisition = acquisition
        self._pipeline = pipeline
        self._recording = recording
        self._feed = feed
        self._say = say
        self._tell_clock = tell_clock
        self._truth = truth
        self._told_truth = ""
        self._last_states: tuple[object, ...] = ()
        self._told_uncertainty_s: float | None = None
        self._marker_uid = ""
        self._n_told_encode_errors = self._n_told_overflow = 0

    def look(self) -> None:
        """Say what is new.

        Raises
        ------
        RtboldError : the acquisition found that it must refuse its stream.
        """
        if self._acquisition.refused is not None:
            raise self._acquisition.refused
        self._look_at_clock()
        self._look_at_markers()
        eeg, marker = self._acquisition.eeg, self._acquisition.marker
        problem = self._recording.problem if self._recording else ""
        engine = str(self._pipeline.engine_problem or "")
        self._look_at_truth()
        self._look_at_losses()
        states = (eeg.state, marker.state if marker else "", problem, engine)
        if states == self._last_states:
            return
        self._last_states = states
        self._say("info", f"EEG stream {eeg.state}. {eeg.problem or ''}".strip())
        if marker is not None:
            text = f"trigger stream {marker.state}. {marker.problem or ''}"
            self._say("info", text.strip())
        if problem:
            self._say("error", f"RECORDING: {problem}")
        if engine:
            self._say("error", f"ENGINE: {engine}")

    def _look_at_truth(self) -> None:
        problem = self._truth.problem if self._truth else ""
        if problem and problem != self._told_truth:
            self._say("error", f"TRUTH: {problem}")
        self._told_truth = problem

    def _look_at_losses(self) -> None:
        """Say what should have gone out or come in, and was dropped."""
        n = self._feed.n_encode_errors
        if n > self._n_told_encode_errors:
            self._n_told_encode_errors = n
            self._say(
                "error",
                f"FEED: {n} messages could not be encoded and did not go out, the last "
                f"for {self._feed.last_encode_error!r}. Subscribers miss them; tell "
                "who made this rtbold.",
            )
        n = self._acquisition.n_overflow
        if n > self._n_told_overflow:
            self._n_told_overflow = n
            self._say(
                "error",
                f"EEG: {n} samples were dropped, because the session took none for too "
                "long. What else keeps this machine busy?",
            )

    def _look_at_markers(self) -> None:
        """Let the recording follow a marker stream that came back as another one."""
        stream = self._acquisition.marker_description
        if stream is None or stream.uid == self._marker_uid:
            return
        if self._marker_uid and self._recording is not None:
            self._recording.marker_changed(stream)
        self._marker_uid = stream.uid

    def _look_at_clock(self) -> None:
        uncertainty_s = self._pipeline.clocks.uncertainty_s
        if uncertainty_s is None or not math.isfinite(uncertainty_s):
            return
        told_s = self._told_uncertainty_s
        if told_s is None or abs(uncertainty_s - told_s) > CLOCK_NEWS_S:
            self._told_uncertainty_s = uncertainty_s
            self._tell_clock(1000 * uncertainty_s)

    def stream_changed(self, stream: StreamDescription) -> None:
        """Say which stream it is now, and whether the model can use it."""
        n_eeg = sum(channel.kind == "eeg" for channel in stream.channels)
        self._say(
            "info",
            f"stream {stream.name!r} on {stream.host!r}: {n_eeg} EEG channels of "
            f"{len(stream.channels)} at {stream.rate_hz:g} Hz, reference "
            f"{stream.reference or 'not said'}",
        )
        if self._pipeline.misfit is not None:
            text = f"nothing can be predicted from it: {self._pipeline.misfit}"
            self._say("error", text)
