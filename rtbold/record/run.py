"""Everything that a recorded run leaves behind, in one hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from rtbold.clock import Clock
from rtbold.messages import EegChunk, Event, StreamChanged, StreamDescription
from rtbold.record.events_log import EventLogWriter
from rtbold.record.folder import SessionPaths
from rtbold.record.recorder import Recorder


class RecordingRun:
    """LabRecorder in its own process, and ``events.jsonl`` beside its XDF.

    Parameters
    ----------
    paths : of the run; the folder exists and is empty.
    clock : LSL's.
    header : first line of the event log: session, unit, trigger_channel.
    """

    def __init__(
        self, paths: SessionPaths, clock: Clock, *, header: Mapping[str, Any]
    ) -> None:
        self.paths = paths
        self._recorder = Recorder(paths, clock)
        self._log = EventLogWriter(paths.events, clock, header=header)
        self._uid = ""
        self._started = False
        self._closed = False
        self._final_problem = ""

    def start(self, streams: Sequence[StreamDescription]) -> None:
        """Start LabRecorder on these streams; wait until it collects them all.

        Raises
        ------
        RtboldError : it is not installed, or does not begin.
        """
        self._started = True  # so that a start that is interrupted is stopped again
        self._recorder.start(streams)

    def marker_changed(self, description: StreamDescription) -> None:
        """Tell that the markers now come from this stream; returns at once."""
        self._recorder.source_changed(description)

    def take(self, event: Event) -> None:
        """Log one event before the pipeline sees it."""
        if isinstance(event, StreamChanged):
            self._uid = event.description.uid
            if self._started:
                self._recorder.source_changed(event.description)
        inline = isinstance(event, EegChunk) and not self._recorder.covers(self._uid)
        self._log.append(event, inline_samples=inline)

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        recorder, log = self._recorder.state, self._log.state
        bad = recorder.status in ("degraded", "failed")
        texts = [recorder.message if bad else "", log.message]
        return "; ".join(text for text in texts if text)

    def close(self) -> str:
        """Stop both; return what is wrong with what they wrote.

        Empty if nothing is. A second call only says it again.
        """
        if self._closed:
            return self._final_problem
        self._closed = True
        problem = self.problem
        self._log.close()
        if self._started:
            parts = self._recorder.stop()
            problem = problem or "; ".join(
                f"{part.path.name} is not whole" for part in parts if not part.whole
            )
        self._final_problem = problem
        return problem
