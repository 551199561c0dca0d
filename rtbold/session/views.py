"""What a session shows beside its predictions: EEG, bands, quality. Pure."""

import math
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET

from rtbold.bands import SPAN_S
from rtbold.bundle.card import Card
from rtbold.channel_judge import ChannelFlag, channel_state
from rtbold.electrodes import canonical
from rtbold.messages import MODEL_RATE_HZ, Float32Array
from rtbold.model_window import model_channels
from rtbold.predict.pipeline import Pipeline
from rtbold.publish.wire import Bands, Eeg, Quality, StreamState
from rtbold.view_messages import bands_message, eeg_message
from rtbold.window.intake import Intake
from rtbold.wire_parts import ChannelPart

MOST_EEG_SAMPLES = 400  # of one message; who lags further sees a hole


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the edge knows of the stream and the pipeline does not."""

    state: StreamState
    age_s: float | None
    trigger_age_s: float | None
    n_overflow_samples: int  # dropped, because the session took none for too long


class Views:
    """Draws from a pipeline what the topics eeg, bands and quality say."""

    def __init__(self, pipeline: Pipeline, card: Card) -> None:
        self._pipeline = pipeline
        self._card = card
        self._shown: tuple[Intake | None, int] = (None, 0)
        self._index = 0  # of the next sample, over the whole session

    def eeg(self) -> Eeg | None:
        """Return the conditioned samples since the last call."""
        intake = self._pipeline.intake
        if intake is None or intake.newest_s is None:
            return None
        before = self._shown[1] if self._shown[0] is intake else 0
        end = intake.n_conditioned
        first = before if before <= end else 0  # the filters started anew
        first = max(first, end - MOST_EEG_SAMPLES)
        self._shown = (intake, end)
        if first == end:
            return None
        data_uv = self._model_channels(intake, intake.samples(end - first, end))
        t_first_s = self._pipeline.clocks.to_local(intake.time_of_conditioned(first))
        message = eeg_message(data_uv, self._index, t_first_s)
        self._index += end - first
        return message

    def bands(self) -> Bands | None:
        """Return the band powers of the last seconds."""
        intake = self._pipeline.intake
        n = round(SPAN_S * MODEL_RATE_HZ)
        if intake is None or intake.newest_s is None or intake.n_conditioned < n:
            return None
        end = intake.n_conditioned
        data_uv = self._model_channels(intake, intake.samples(n, end))
        t_end_s = self._pipeline.clocks.to_local(intake.time_of_conditioned(end))
        return bands_message(data_uv, t_end_s)

    def quality(self, stream: StreamFacts) -> Quality:
        """Return the state of stream and channels."""
        intake, counters = self._pipeline.intake, self._pipeline.counters
        schedule = self._pipeline.schedule
        counts, lag_s = schedule.counts, schedule.trigger_lag_s
        return Quality(
            stream_state=stream.state,
            stream_age_ms=_ms(stream.age_s),
            rate_hz_nominal=intake.description.rate_hz if intake else None,
            rate_hz_effective=_finite(intake.effective_rate_hz) if intake else None,
            channels=self._channels(intake),
            n_gaps=counters.n_gaps,
            n_missing_samples=counters.n_missing,
            n_stamp_steps=counters.n_stamp_steps,
            n_triggers=counts.n_triggers,
            n_triggers_missed=counts.n_missed,
            n_triggers_double=counts.n_double,
            trigger_age_ms=_ms(stream.trigger_age_s),
            trigger_lag_ms=UNSET if math.isnan(lag_s) else round(1000 * lag_s, 1),
            n_triggers_implausible=counts.n_implausible or UNSET,
            n_overflow_samples=stream.n_overflow_samples or UNSET,
        )

    def _channels(self, intake: Intake | None) -> tuple[ChannelPart, ...]:
        flags = bad_now(intake) if intake else {}
        missing = intake.missing if intake else frozenset(self._card.channels)
        return tuple(
            ChannelPart(
                label=name,
                state="missing"
                if name in missing
                else channel_state(flags.get(name, ())),
                interpolated=name in missing or bool(flags.get(name)),
            )
            for name in self._card.channels
        )

    @staticmethod
    def _model_channels(intake: Intake, samples_uv: Float32Array) -> Float32Array:
        """Return the samples as the model would get them now, (model channels, n)."""
        plan = intake.spatial.matrix(frozenset(bad_now(intake)))
        return model_channels(plan.matrix, samples_uv).astype(np.float32)


def bad_now(intake: Intake) -> dict[str, frozenset[ChannelFlag]]:
    """Return the EEG channels that are bad at this moment, by canonical name."""
    return {
        canonical(state.label): state.flags
        for state in intake.monitor.report()
        if state.kind == "eeg" and state.flags
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
