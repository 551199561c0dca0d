"""Small parts of a session: what it counts, times and calls things."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rtbold.acquire.acquisition import Acquisition, InletStatus
from rtbold.bundle.store import Bundle
from rtbold.clock import Clock
from rtbold.messages import BoldPrediction, Float32Array, Status
from rtbold.predict.pipeline import Pipeline
from rtbold.predict.status import with_fact
from rtbold.publish.feed import Feed
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.lsl_mirror import LslMirror
from rtbold.publish.wire import Hello, StreamState
from rtbold.record.run import RecordingRun
from rtbold.session.truth import LiveTruth


class TimedModel:
    """An engine that notes how long its last call took.

    Parameters
    ----------
    runs_on : engine and precision, for people.
    """

    def __init__(
        self,
        engine: Callable[[Float32Array], Float32Array],
        clock: Clock,
        *,
        runs_on: str = "",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self.runs_on = runs_on
        self.infer_ms: float | None = None

    @property
    def feature_distance(self) -> Float32Array | None:
        """What the engine says of the last call's features; None: nothing."""
        found: Float32Array | None = getattr(self._engine, "feature_distance", None)
        return found

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Run the engine; same shapes."""
        begun_s = self._clock.now_s()
        values = self._engine(eeg_uv)
        self.infer_ms = 1000 * (self._clock.now_s() - begun_s)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """The open parts of a session; whoever opened them closes them."""

    bundle: Bundle
    pipeline: Pipeline
    model: TimedModel
    acquisition: Acquisition
    feed: Feed
    mirror: LslMirror | None
    recording: RecordingRun | None
    feedback: FeedbackSettings
    upstream_ms: float | None
    hello: Callable[[float | None], Hello]  # from the clock's uncertainty in ms
    trigger_label: str | None  # of --trigger; None: the only one that comes
    truth: LiveTruth | None  # None: nobody measures BOLD


@dataclass(slots=True)
class SessionSummary:
    """What came out, for the last lines on the screen."""

    n_by_status: Counter[Status] = field(default_factory=Counter)
    n_late: int = 0
    n_volumes: int = 0
    worst_age_ms: float = 0.0
    recording_problem: str = ""
    truth: str = ""  # score after the run; empty: nothing was measured


def stream_state(inlet: InletStatus) -> StreamState:
    """Return the wire's word for the state of an inlet."""
    match inlet.state:
        case "connected":
            return "running"
        case "stalled":
            return "stalled"
        case "starting":
            return "searching"
    return "lost"


def marked_late(prediction: BoldPrediction, now_s: float) -> BoldPrediction:
    """Return the prediction as late if the next one is due already."""
    if prediction.next_due_s is None or now_s <= prediction.next_due_s:
        return prediction
    if prediction.status == "paused":  # nothing was computed that could be late
        return prediction
    return with_fact(prediction, "late")
