"""Count what a rehearsed session publishes, as an app would see it. Pure."""

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from rtbold.client import Body, Message
from rtbold.preflight.go_no_go import Figures

USABLE = ("ok", "degraded")
OF_THE_LOOP = ("quality", "pred.fb", "pred.roi", "trigger", "truth")
NEW_TRAIN_S = 30.0  # between two triggers: the scanner was stopped
KEPT = 20_000  # of each series: more than ten hours of volumes


class RehearsalCount:
    """Takes the messages of one session.

    Parameters
    ----------
    slices : triggers per volume; with more than one, only volumes are told apart.
    """

    def __init__(self, *, slices: int = 1) -> None:
        self._kinds = (
            ("volume", "dummy", "late") if slices == 1 else ("volume", "dummy")
        )
        self.tr_s = 0.0
        self.newest = ""  # of what was answered, in words
        self._t_begun_s: float | None = None  # publisher's clock, as all of these
        self._t_last_s = 0.0
        self._t_beat_s: float | None = None
        self._silence_s = 0.0
        self._t_triggers_s: list[float] = []
        self._newest_quality: Body = {}
        self._stream_lost = False
        self._volume: int | None = None
        self._n_measured = 0
        self._n: Counter[str] = Counter()  # by the names of `Figures`
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._ages_ms: list[float] = []
        self._infer_ms: list[float] = []
        self._feed_ms: list[float] = []
        self._memory_mb: list[float] = []

    def take(self, message: Message, *, age_s: float) -> None:
        """Take one message.

        Parameters
        ----------
        age_s : how long it was under way; infinite: not known yet.
        """
        body, t_lsl_s = message.body, float(message.body["t_lsl"])
        if message.topic == "hb":
            self._beat(body, t_lsl_s)
        elif message.topic == "hello":
            self.tr_s = float(body["tr_s"])
        elif message.topic == "trigger":
            self._trigger(body)
        elif message.topic == "quality":
            self._quality(body)
        elif message.topic == "truth":
            self._n_measured += 1
        elif message.topic == "pred.fb" and not body["replayed"]:
            self._count_prediction(body)
            if np.isfinite(age_s) and len(self._feed_ms) < KEPT:
                self._feed_ms.append(1000 * age_s)
        if message.topic in OF_THE_LOOP:  # heartbeats go on while parts are closed
            self._t_last_s = max(self._t_last_s, t_lsl_s)

    def memory(self, mb: float) -> None:
        """Take how much memory the session's processes have now."""
        if len(self._memory_mb) < KEPT:
            self._memory_mb.append(mb)

    def _beat(self, body: Body, t_lsl_s: float) -> None:
        if self._t_beat_s is not None and self._t_begun_s is not None:
            self._silence_s = max(self._silence_s, t_lsl_s - self._t_beat_s)
        self._t_beat_s = t_lsl_s
        if self._t_begun_s is None and body["state"] != "starting":
            self._t_begun_s = t_lsl_s

    def _quality(self, body: Body) -> None:
        self._newest_quality = body
        self._stream_lost |= body["stream_state"] in ("stalled", "lost")

    def _trigger(self, body: Body) -> None:
        if body["kind"] in self._kinds and len(self._t_triggers_s) < KEPT:
            self._t_triggers_s.append(float(body["t_trigger"]))

    def _count_prediction(self, body: Body) -> None:
        status, reasons = str(body["status"]), tuple(body["reasons"])
        self._statuses[status] += 1
        self._reasons.update(reasons)
        self._n["n_late"] += "late" in reasons
        self._n["n_usable"] += status in USABLE
        self._n["n_after_usable"] += self._n["n_usable"] > 0
        index, value = body["volume_index"], body["value"]
        self._number(index)
        which = "no volume" if index is None else f"volume {index}"
        shown = "" if value is None else f", {value:+.3f}"
        self.newest = f"{which}: {status}{shown}"
        if value is not None and len(self._ages_ms) < KEPT:
            self._ages_ms.append(float(body["age_ms"]))
            infer_ms: Any = body["latency_ms"].get("infer")
            if infer_ms is not None:
                self._infer_ms.append(float(infer_ms))

    def _number(self, index: int | None) -> None:
        """Count volumes; a smaller number than the last begins another run."""
        if index is None:
            return
        self._n["n_volumes"] += 1
        last, self._volume = self._volume, index
        if last is not None:
            self._n["n_volumes_missed"] += max(index - last - 1, 0)
            self._n["n_volumes_double"] += index == last

    @property
    def n_answers(self) -> int:
        """How many answers came."""
        return self._statuses.total()

    @property
    def n_triggers(self) -> int:
        """How many volume triggers came."""
        return len(self._t_triggers_s)

    @property
    def ran_s(self) -> float:
        """How long the session's loop has run."""
        if self._t_begun_s is None:
            return 0.0
        return max(self._t_last_s - self._t_begun_s, 0.0)

    def figures(
        self, *, asked_s: float, locked: bool, n_gaps: int, measures: bool = False
    ) -> Figures:
        """Return all figures that come from the feed.

        Parameters
        ----------
        measures : measured BOLD was asked for.
        n_gaps : messages that the subscriber missed.
        """
        quality, counted = self._newest_quality, dict[str, Any](self._n)
        return Figures(
            asked_s=asked_s,
            tr_s=self.tr_s,
            locked=locked,
            ran_s=self.ran_s,
            n_triggers=self.n_triggers,
            trigger_every_s=self._every_s(),
            n_triggers_missed=self._n_missed_triggers(),
            n_triggers_double=int(quality.get("n_triggers_double", 0)),
            since_trigger_s=self._since_trigger_s(),
            n_gaps=int(quality.get("n_gaps", 0)),
            n_missing_samples=int(quality.get("n_missing_samples", 0)),
            stream_lost=self._stream_lost,
            rate_hz=quality.get("rate_hz_effective"),
            n_answers=self.n_answers,
            by_status=dict(self._statuses.most_common()),
            by_reason=dict(self._reasons.most_common()),
            n_measured=self._n_measured if measures else None,
            n_sequence_gaps=n_gaps,
            longest_silence_s=max(self._silence_s, self._since_beat_s()),
            age_p50_ms=_percentile(self._ages_ms, 50),
            age_p99_ms=_percentile(self._ages_ms, 99),
            age_max_ms=_percentile(self._ages_ms, 100),
            infer_p99_ms=_percentile(self._infer_ms, 99),
            feed_p99_ms=_percentile(self._feed_ms, 99),
            **counted,
            **self._memory(),
        )

    def _steps_s(self) -> list[float]:
        steps_s = (b - a for a, b in pairwise(self._t_triggers_s))
        return [step_s for step_s in steps_s if step_s < NEW_TRAIN_S]

    def _every_s(self) -> float | None:
        steps_s = self._steps_s()
        return median(steps_s) if steps_s else None

    def _n_missed_triggers(self) -> int:
        if not self.tr_s:
            return 0
        return sum(max(round(step_s / self.tr_s) - 1, 0) for step_s in self._steps_s())

    def _since_trigger_s(self) -> float:
        if not self._t_triggers_s:
            return 0.0
        return max(self._t_last_s - self._t_triggers_s[-1], 0.0)

    def _since_beat_s(self) -> float:
        """Return for how long the loop went on without a heartbeat in the end."""
        return 0.0 if self._t_beat_s is None else self._t_last_s - self._t_beat_s

    def _memory(self) -> dict[str, Any]:
        """Return the medians at the end of the first third and at the end."""
        n = len(self._memory_mb)
        if n < 9:
            return {}
        third, few = n // 3, max(n // 10, 1)
        begin_mb = median(self._memory_mb[third : third + few])
        end_mb = median(self._memory_mb[-few:])
        return {"memory_begin_mb": begin_mb, "memory_end_mb": end_mb}


def _percentile(values: list[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None
