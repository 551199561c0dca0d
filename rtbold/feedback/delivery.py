"""What is shown of a feedback: within bounds, not too fast, rewarded or not. Pure.

It stands behind everything that may put another value in the place of the real one, so
that limits and rewards hold for what the participant sees, whatever it was made of.
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from rtbold.config import FeedbackSettings
from rtbold.feedback.chain import Feedback
from rtbold.protocol import BlockNow, Direction

HELD_N: Final = 1  # volumes without a value that an app bridges with the last one


class SafetyLimits:
    """Takes each feedback once, in order; returns it as it may be shown.

    The largest step holds from what an app shows that keeps to the rule: it holds the
    last value for one volume without one, and shows the neutral value after that.

    Parameters
    ----------
    settings : how the feedback is made.
    """

    def __init__(self, settings: FeedbackSettings) -> None:
        self._settings = settings
        self._on_screen = settings.neutral
        self._missing_n = 0
        self._reward = _Reward(settings)
        self.counts: Counter[str] = Counter()

    def push(self, feedback: Feedback, now: BlockNow | None) -> Feedback:
        """Return the feedback with `shown` limited, and what is rewarded of it.

        Parameters
        ----------
        now : where its volume lies in the protocol; None: there is none, or not yet.
        """
        if not self._settings.has_range:
            return replace(feedback, shown=None)
        wanted = feedback.shown if feedback.usable else None
        if wanted is None or not 0.0 <= wanted <= 1.0:
            self._nothing_shown(feedback)
            return replace(feedback, shown=None, limited=False)
        shown = self._bounded(wanted)
        if now is None or now.feedback != "block_end":
            shown = self._slowed(shown)
        self._on_screen, self._missing_n = shown, 0
        self.counts["shown"] += 1
        self.counts["outlier"] += feedback.outlier
        self.counts["clipped"] += feedback.clipped
        reward, threshold = self._reward(shown, now)
        self.counts["rewarded"] += reward is True
        return replace(
            feedback,
            shown=shown,
            limited=shown != wanted,
            reward=reward,
            reward_threshold=threshold,
        )

    def in_words(self) -> str:
        """Return what was limited so far, in a sentence; empty: nothing was shown."""
        n = self.counts
        if not n["shown"]:
            return ""
        parts = [
            f"{n[key]} {words}"
            for key, words in (
                ("clipped", "beyond the range"),
                ("bounded", "beyond the bounds"),
                ("slowed", "slowed down"),
                ("outlier", "drawn in as outliers"),
            )
            if n[key]
        ]
        is_rewarded = self._settings.reward is not None
        rewarded = f", {n['rewarded']} rewarded" if is_rewarded else ""
        return f"{n['shown']} values shown{rewarded}; {', '.join(parts) or 'as made'}"

    def _nothing_shown(self, feedback: Feedback) -> None:
        self._reward.off()
        self._missing_n += 1
        if feedback.usable or self._missing_n > HELD_N:
            self._on_screen = self._settings.neutral

    def _bounded(self, value: float) -> float:
        low, high = self._settings.shown_min, self._settings.shown_max
        bounded = min(max(value, low), high)
        self.counts["bounded"] += bounded != value
        return bounded

    def _slowed(self, value: float) -> float:
        step = self._settings.max_step
        if step is None or abs(value - self._on_screen) <= step:
            return value
        self.counts["slowed"] += 1
        up = value > self._on_screen
        return self._on_screen + step if up else self._on_screen - step


class _Reward:
    """Whether a shown value is a success; its threshold may follow a success rate."""

    def __init__(self, settings: FeedbackSettings) -> None:
        self._settings = settings
        self._threshold = settings.reward
        self._is_on = False
        self._direction: Direction | None = None

    def off(self) -> None:
        """Take word that nothing is shown: the next success must be a whole one."""
        self._is_on = False

    def __call__(
        self, shown: float, now: BlockNow | None
    ) -> tuple[bool | None, float | None]:
        """Return whether it is rewarded, and where the threshold was."""
        direction: Direction | None = "up" if now is None else now.direction
        threshold = self._threshold
        if threshold is None or direction is None:
            self.off()
            return None, None
        if direction != self._direction:
            self.off()
        self._direction = direction
        reached = shown if direction == "up" else 1.0 - shown
        needed = threshold - (self._settings.hysteresis if self._is_on else 0.0)
        self._is_on = reached >= needed
        self._adapt(threshold)
        return self._is_on, threshold if direction == "up" else 1.0 - threshold

    def _adapt(self, threshold: float) -> None:
        """Move the threshold so that in the long run the asked share succeeds.

        Up by ``step * (1 - rate)`` after a success and down by ``step * rate`` after a
        failure: the weighted up-down rule (Kaernbach 1991), which rests where successes
        have the share `rate`.
        """
        rate = self._settings.success_rate
        if rate is not None:
            moved = threshold + self._settings.success_step * (self._is_on - rate)
            self._threshold = min(max(moved, 0.0), 1.0)
