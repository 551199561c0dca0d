"""Whether EEG and triggers come as they declare: rate, stamps, bursts. In words.

What is wrong with them makes windows late or keeps values away, and a reason code
alone does not say what to mend. Each is told when it begins and when it is over.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from statistics import median

from rtbold.acquire import Bursts
from rtbold.condition import Intake
from rtbold.predict import Pipeline, QualitySettings

TRIGGERS_JUDGED = 3  # the newest; a network may hold up one
SAMPLE_LOOKS = 3  # in a row that samples must be late or early
Say = Callable[[str, str], None]  # level, text


class ArrivalWatch:
    """Tells of EEG and triggers that do not come as they declare.

    Parameters
    ----------
    pipeline : of the session.
    say : takes level and text.
    """

    def __init__(self, pipeline: Pipeline, say: Say) -> None:
        self._pipeline = pipeline
        self._say = say
        self._bursts = Bursts()
        self._n_triggers = 0
        self._trigger_lags_s: deque[float] = deque(maxlen=TRIGGERS_JUDGED)
        self._sample_lags_s: deque[float] = deque(maxlen=SAMPLE_LOOKS)
        self._told: dict[str, str] = {}  # what -> how it was told

    def heard(self, t_arrived_s: float) -> None:
        """Take the arrival of samples."""
        self._bursts.heard(t_arrived_s)

    def triggered(self) -> None:
        """Look at the newest trigger."""
        counts = self._pipeline.schedule.counts
        lag_s = self._pipeline.schedule.trigger_lag_s
        if counts.n_triggers > self._n_triggers and math.isfinite(lag_s):
            self._trigger_lags_s.append(lag_s)
        self._n_triggers = counts.n_triggers

    def look(self) -> None:
        """Say what is new."""
        wrong = dict(self._wrong())
        for what, text in wrong.items():
            if what not in self._told:
                self._say("error", text)
        for what in [what for what in self._told if what not in wrong]:
            self._say("info", f"{what}: as expected again")
        self._told = wrong

    def _wrong(self) -> Iterator[tuple[str, str]]:
        intake = self._pipeline.intake
        if intake is not None and (text := intake.rates.text):
            yield "EEG rate", f"EEG: {text}. No value is given until then."
        if text := self._bursts.text:
            yield (
                "EEG bursts",
                f"EEG: {text}. It counts as stalled in between, and no value is given: "
                "let the sender hand over smaller blocks.",
            )
        if intake is not None and (text := self._sample_times(intake)):
            yield "EEG stamps", f"EEG: samples {text}"
        if len(self._trigger_lags_s) == TRIGGERS_JUDGED and (
            text := trigger_times(median(self._trigger_lags_s))
        ):
            yield "trigger stamps", f"triggers {text}"

    def _sample_times(self, intake: Intake) -> str:
        lag_s = intake.lags.lag_s
        if lag_s is None:
            self._sample_lags_s.clear()
            return ""
        # The cleaning software may stamp what it hands on later
        upstream_s = self._pipeline.upstream_delay_s if lag_s < 0 else 0.0
        self._sample_lags_s.append(min(lag_s + upstream_s, max(lag_s, 0.0)))
        if len(self._sample_lags_s) < SAMPLE_LOOKS:
            return ""
        return sample_times(median(self._sample_lags_s))


def sample_times(lag_s: float) -> str:
    """Return what is wrong with samples that arrive so long after their stamps."""
    limits = QualitySettings()
    if lag_s < -limits.stream_lead_tolerance_s:
        return f"{_ahead(lag_s)} Correct the sender's stamps."
    if lag_s > limits.max_stream_age_s:
        return (
            f"arrive {lag_s:.1f} s after their stamps, expected below "
            f"{limits.max_stream_age_s:g} s: no value can be given. The sender stamps "
            "wrongly, or holds them back."
        )
    return ""


def trigger_times(lag_s: float) -> str:
    """Return what is wrong with triggers that arrive so long after their stamps."""
    limits = QualitySettings()
    if lag_s < -limits.stream_lead_tolerance_s:
        return (
            f"{_ahead(lag_s)} Windows lie too late by as much: correct the stamps of "
            "their sender."
        )
    if lag_s > limits.max_trigger_age_s:
        return (
            f"arrive {lag_s:.1f} s after their stamps, expected below "
            f"{limits.max_trigger_age_s:g} s: no value can be given for them. Their "
            "sender stamps wrongly, or holds them back."
        )
    return ""


def _ahead(lag_s: float) -> str:
    return f"are stamped {-lag_s:.3f} s ahead of their arrival, which cannot be."
