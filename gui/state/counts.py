"""What is counted over a session, for the summary. Bounded by its closed lists."""

from collections import Counter
from typing import get_args

from rtbold.gui.state.received_kinds import FeedbackValue, Quality
from rtbold.messages import Reason

MOST_CHANNELS = 1024
KNOWN_REASONS = frozenset(get_args(Reason))


class Counts:
    """Predictions by status and reason, lost volumes, and how good each channel was."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()  # of the feedback value
        self.by_reason: Counter[str] = Counter()
        self.n_predictions = 0  # all, those without a volume too
        self.n_volumes = 0  # predictions for a volume
        self.n_lost_volumes = 0  # volumes whose prediction never came here
        self.n_runs = 0  # times the volume count began
        self.n_flips = 0  # usable values
        self.worst_age_ms: float | None = None  # of a usable value
        self.channel_looks: Counter[str] = Counter()
        self.channel_good: Counter[str] = Counter()
        self._last_volume: int | None = None

    @property
    def n_late(self) -> int:
        """Predictions that came after the next one was due."""
        return self.by_reason["late"]

    def take_feedback(self, fb: FeedbackValue) -> None:
        """Count one prediction."""
        self.by_status[fb.status] += 1
        self.by_reason.update(KNOWN_REASONS & set(fb.reasons))
        self.n_predictions += 1
        if fb.usable:
            self.n_flips += 1
            self.worst_age_ms = max(fb.age_ms, self.worst_age_ms or fb.age_ms)
        if fb.volume_index is not None:
            self._count_volume(fb.volume_index)

    def take_quality(self, quality: Quality) -> None:
        """Count one look at all channels."""
        for channel in quality.channels[:MOST_CHANNELS]:
            known = channel.label in self.channel_looks
            if known or len(self.channel_looks) < MOST_CHANNELS:
                self.channel_looks[channel.label] += 1
                self.channel_good[channel.label] += channel.state == "good"

    def channel_share(self) -> dict[str, float]:
        """Return the share of looks at which each channel was good."""
        return {
            label: self.channel_good[label] / n
            for label, n in self.channel_looks.items()
        }

    def _count_volume(self, volume: int) -> None:
        self.n_volumes += 1
        last = self._last_volume
        if last is None or volume <= last:
            self.n_runs += 1
        else:
            self.n_lost_volumes += volume - last - 1
        self._last_volume = volume
