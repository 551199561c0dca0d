"""From a script to messages: the card, the EEG, the views and the predictions."""

import functools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import UNSET

from rtbold.bundle import Baseline, Card, Intervals, Origin
from rtbold.condition import SPAN_S
from rtbold.electrodes import canonical, positions
from rtbold.errors import ConfigError
from rtbold.feedback import FeedbackSettings
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_S,
    BoldPrediction,
    ChannelState,
    Float32Array,
    FloatArray,
    Reason,
    Status,
    Tick,
)
from rtbold.publish import (
    Bands,
    ChannelPart,
    Eeg,
    Encoding,
    Hello,
    Moments,
    Phase,
    Ports,
    Quality,
    SessionFacts,
    Trigger,
    bands_message,
    eeg_message,
    hello,
)
from rtbold.sim.fake_script import USUAL, ScriptRow
from rtbold.sim.head import read_rois
from rtbold.sim.settings import NEUROBOLT_CHANNELS, TwinSettings
from rtbold.sim.twin import steady_eeg_uv

# The card of a bundle that does not exist, and the hello that goes with it.

UPSTREAM_MS: Final = 25.0
NO_MODEL: Final = "0" * 64  # its hash
BASELINE_SD: Final = 0.5
HALF_WIDTHS: Final = (0.45, 0.8)  # at 80 % and 95 %, model units
MOST_ROIS: Final = 64
_TEN_TWENTY = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7",
    "P3", "Pz", "P4", "P8", "O1", "O2",
)  # fmt: skip
_SIXTY_FOUR = (
    "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F5", "F3", "F1",
    "Fz", "F2", "F4", "F6", "F8", "FT9", "FT7", "FC5", "FC3", "FC1", "FC2", "FC4",
    "FC6", "FT8", "FT10", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "TP9",
    "TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "TP10", "P7", "P5",
    "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1",
    "Oz", "O2",
)  # fmt: skip
CAPS: Final[Mapping[int, tuple[str, ...]]] = {
    19: _TEN_TWENTY,
    26: NEUROBOLT_CHANNELS,
    64: _SIXTY_FOUR,
}


def fake_card(tr_s: float, *, n_rois: int = MOST_ROIS, n_channels: int = 19) -> Card:
    """Return the card: DiFuMo's first ROIs, intervals, a baseline of mean 0.

    Raises
    ------
    ConfigError : there is no cap of that size, or no such number of ROIs.
    """
    if n_channels not in CAPS:
        raise ConfigError(
            f"--channels is {n_channels}, expected one of "
            f"{', '.join(str(n) for n in CAPS)}: the caps that fake knows."
        )
    if not 1 <= n_rois <= MOST_ROIS:
        raise ConfigError(
            f"--rois is {n_rois}, expected 1 to {MOST_ROIS}: DiFuMo has no more."
        )
    return Card(
        name="fake",
        architecture="none",
        channels=tuple(canonical(name) for name in CAPS[n_channels]),
        reference="average",
        tr_s=tr_s,
        rois=tuple(roi.name for roi in read_rois())[:n_rois],
        atlas="DiFuMo 64",
        baseline=Baseline(
            name="fake", mean=(0.0,) * n_rois, sd=(BASELINE_SD,) * n_rois, n=100
        ),
        scanner="simulated",
        intervals=Intervals(
            half_width=(HALF_WIDTHS,) * n_rois, n_eff=(100.0,) * n_rois
        ),
        origin=Origin(kind="simulated", simulated_lineage=True),
        note="scripted values; there is no model",
    )


def fake_hello(
    card: Card, ports: Ports, target: FeedbackSettings, *, encoding: Encoding = "json"
) -> Hello:
    """Return the hello of a fake session."""
    facts = SessionFacts(
        model_sha256=NO_MODEL,
        simulated_stream=True,
        ports=ports,
        tr_s=card.tr_s,
        encoding=encoding,
        upstream_delay_ms=UPSTREAM_MS,
    )
    return hello(card, facts, settings=target)


# The twin's EEG as a loop: made once, so that a message costs little.

LOOP_SAMPLES: Final = 12_000  # 60 s; a good length for an FFT, so the ends meet
AROUSAL: Final = (-12.0, 2.0)  # asleep, awake; sd of a session's
NEIGHBOURS: Final = 4


class FakeEeg:
    """Conditioned EEG of a cap, at 200 Hz against the average reference.

    Parameters
    ----------
    channels : names that the twin's head has.
    """

    def __init__(self, channels: Sequence[str], *, seed: int) -> None:
        xyz = positions(channels)
        self._asleep, self._awake = _loops(tuple(channels), seed)
        self._neighbours = np.argsort(-xyz @ xyz.T, axis=1)  # nearest first, itself

    def samples(
        self, first: int, n: int, *, alertness: float, bad: Collection[int] = ()
    ) -> Float32Array:
        """Return samples `first` to `first` + `n`, (channels, n), microvolt.

        Parameters
        ----------
        bad : numbers of channels that are interpolated from their neighbours.
        """
        at = np.arange(first, first + n) % LOOP_SAMPLES
        asleep, awake = self._asleep[:, at], self._awake[:, at]
        data_uv: Float32Array = asleep + np.float32(alertness) * (awake - asleep)
        for channel in bad:
            near = [k for k in self._neighbours[channel] if k not in bad]
            data_uv[channel] = data_uv[near[:NEIGHBOURS]].mean(axis=0)
        return data_uv


@functools.cache
def _loops(channels: tuple[str, ...], seed: int) -> tuple[Float32Array, Float32Array]:
    """Return the twin's EEG asleep and awake, (channels, loop) each."""
    settings = TwinSettings(
        seed,
        level="easy",
        duration_s=LOOP_SAMPLES / MODEL_RATE_HZ,
        channels=channels,
        reference="average",
    )
    asleep, awake = (steady_eeg_uv(settings, arousal=sd) for sd in AROUSAL)
    return asleep, awake


# What stands beside the predictions: EEG, bands, quality, phases.

AGE_S: Final = 0.012  # of the newest sample while the stream runs
TRIGGER_LAG_MS: Final = 4.0
NOMINAL_HZ: Final = 250.0  # of the stream that is not there
EFFECTIVE_HZ: Final = 250.004
REST_S: Final = 20.0  # a block of rest, then one of training
TRAIN_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class ScriptTime:
    """Where seconds of the script lie on the clock."""

    start_s: float
    speed: float

    def at(self, t_s: float) -> float:
        """Return the clock's time at `t_s` of the script."""
        return self.start_s + t_s / self.speed


class FakeViews:
    """Draws what the topics beside the predictions say, and counts.

    Parameters
    ----------
    time : of the session; samples and volumes are counted in seconds of the script.
    """

    def __init__(self, card: Card, eeg: FakeEeg, time: ScriptTime) -> None:
        self._card = card
        self._time = time
        self._eeg = eeg
        self._next = 0  # sample that was not sent yet
        self._newest_s = 0.0  # script time of the newest sample
        self._trigger_s: float | None = None  # the clock's
        self._block = -1
        self._n: Counter[str] = Counter()
        self.around = USUAL["ok"]

    @property
    def newest_s(self) -> float:
        """The clock's time of the newest sample."""
        return self._time.at(self._newest_s) - AGE_S

    @property
    def bad(self) -> dict[str, ChannelState]:
        """What is wrong with which channel, by its label."""
        return {self._card.channels[k]: state for k, state in self._bad().items()}

    def begin(self, row: ScriptRow, index: int, due_s: float) -> list[Trigger]:
        """Take the next row; return the triggers that it comes with."""
        around = self.around = row.around
        self._next += around.n_lost
        self._n["gaps"] += around.n_lost > 0
        self._n["lost"] += around.n_lost
        self._n["overflow"] += around.n_lost if around.overflow else 0
        self._n["implausible"] += around.n_implausible
        self._n["missed"] += around.trigger == "missed"
        self._n["double"] += around.trigger == "double"
        if around.trigger in ("missed", "waiting"):
            return []
        self._trigger_s = due_s
        first = Trigger(
            kind="volume", volume_index=index, t_trigger=due_s, label="fake"
        )
        double = Trigger(
            kind="double", volume_index=None, t_trigger=due_s, label="fake"
        )
        triggers = [first, double] if around.trigger == "double" else [first]
        self._n["triggers"] += len(triggers)
        return triggers

    def eeg(self, t_s: float, *, wanted: bool) -> Eeg | None:
        """Return the samples up to `t_s` since the last call; None: there are none.

        Parameters
        ----------
        wanted : False leaves a hole, as a stream does that stands still.
        """
        end = round(t_s * MODEL_RATE_HZ)
        running = self.around.stream == "running"
        first, self._next = self._next, end
        if running:
            self._newest_s = t_s
        if first >= end:
            self._next = first  # inside a gap
        if first >= end or not (running and wanted):
            return None
        data_uv = self._eeg.samples(
            first, end - first, alertness=self.around.alertness, bad=self._bad()
        )
        return eeg_message(data_uv, first, self._time.at(first / MODEL_RATE_HZ))

    def bands(self) -> Bands | None:
        """Return the band powers of the last seconds; None before there are four."""
        n = round(SPAN_S * MODEL_RATE_HZ)
        end = round(self._newest_s * MODEL_RATE_HZ)
        if end < n:
            return None
        data_uv = self._eeg.samples(
            end - n, n, alertness=self.around.alertness, bad=self._bad()
        )
        return bands_message(data_uv, self._time.at(self._newest_s))

    def quality(self, now_s: float) -> Quality:
        """Return the state of stream and channels."""
        trigger_s, n = self._trigger_s, self._n
        return Quality(
            stream_state=self.around.stream,
            stream_age_ms=round(1000 * max(now_s - self.newest_s, 0.0), 1),
            rate_hz_nominal=NOMINAL_HZ,
            rate_hz_effective=EFFECTIVE_HZ,
            channels=self._channels(),
            n_gaps=n["gaps"],
            n_missing_samples=n["lost"],
            n_triggers=n["triggers"],
            n_triggers_missed=n["missed"],
            n_triggers_double=n["double"],
            trigger_age_ms=(
                None if trigger_s is None else round(1000 * (now_s - trigger_s), 1)
            ),
            trigger_lag_ms=UNSET if trigger_s is None else TRIGGER_LAG_MS,
            n_triggers_implausible=n["implausible"] or UNSET,
            n_overflow_samples=n["overflow"] or UNSET,
            recording=None,
        )

    def phase(self, t_s: float) -> Phase | None:
        """Return the phase that has begun since the last call, if one has."""
        pair, since_s = divmod(t_s, REST_S + TRAIN_S)
        training = since_s >= REST_S
        block = 2 * int(pair) + training
        if block == self._block:
            return None
        self._block = block
        on_s = pair * (REST_S + TRAIN_S) + (REST_S if training else 0.0)
        return Phase(
            run=1,
            run_type="train",  # the kind of the run; rest is a block of it
            block=block,
            name="regulate" if training else "rest",
            t_on=self._time.at(on_s),
            t_off_planned=self._time.at(on_s + (TRAIN_S if training else REST_S)),
        )

    def _channels(self) -> tuple[ChannelPart, ...]:
        bad = self.bad
        return tuple(
            ChannelPart(
                label=name, state=bad.get(name, "good"), interpolated=name in bad
            )
            for name in self._card.channels
        )

    def _bad(self) -> dict[int, ChannelState]:
        """Return what is wrong with which channel, by its number in the cap."""
        n_channels = len(self._card.channels)
        return {k % n_channels: state for k, state in self.around.bad}


# From a row of the script to a prediction and its moments. Pure.

SLOW_EVERY: Final = 37  # volumes; the model then takes long once
_GOLDEN: Final = 0.6180339887498949  # its multiples spread evenly over 0 to 1


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds of the script that each stage of one prediction takes."""

    filter_s: float
    arrive_s: float
    read_s: float
    prepare_s: float
    infer_s: float

    @property
    def total_s(self) -> float:
        """From the volume's onset to its prediction."""
        return self.in_pipeline_s + self.prepare_s + self.infer_s

    @property
    def in_pipeline_s(self) -> float:
        """From the volume's onset to the pipeline."""
        return self.filter_s + self.arrive_s + self.read_s


def delays(index: int) -> Delays:
    """Return what the prediction of one volume takes; varied, and always the same."""
    spread = index * _GOLDEN % 1.0
    slow = index % SLOW_EVERY == SLOW_EVERY - 1
    return Delays(
        filter_s=0.015,
        arrive_s=0.012 + 0.012 * spread,
        read_s=0.001,
        prepare_s=0.0015 + 0.001 * spread,
        infer_s=0.055 if slow else 0.012 + 0.005 * (1 - spread),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTick:
    """Where one row stands on the clock.

    Parameters
    ----------
    index : of the volume, counted whether its trigger came or not.
    t_s : its onset.
    tr_s : that the feed declares.
    speed : seconds of the script per second of the clock.
    """

    index: int
    t_s: float
    tr_s: float
    speed: float
    paused: bool  # by the operator


def fake_prediction(row: ScriptRow, at: FakeTick, values: FloatArray) -> BoldPrediction:
    """Return the prediction of `row`.

    Parameters
    ----------
    values : (rois,); left out where the status allows none.
    """
    status, reasons = _status(row, paused=at.paused)
    usable = status in ("ok", "degraded")
    waiting = row.around.trigger == "waiting"
    took = delays(at.index)
    t_needed_s = at.t_s + took.filter_s / at.speed
    return BoldPrediction(
        tick=Tick(
            volume_index=None if waiting else at.index,
            t_trigger_s=at.t_s,
            trigger_locked=row.around.trigger in ("volume", "double"),
            paused=reasons if status == "paused" else (),
        ),
        t_start_s=at.t_s - WINDOW_S,
        t_end_s=at.t_s,
        bold_time_s=at.t_s,
        status=status,
        reasons=reasons,
        values=values.astype("float32") if usable else None,
        next_due_s=at.t_s + at.tr_s,
        t_needed_s=t_needed_s,
        t_needed_arrived_s=t_needed_s + took.arrive_s / at.speed,
        unlikeness=row.around.unlikeness if usable else None,
        infer_ms=1000 * took.infer_s / at.speed if usable else None,
    )


def fake_moments(at: FakeTick, now_s: float) -> Moments:
    """Return when that prediction passed the stations; it is published now."""
    took = delays(at.index)
    t_predicted_s = at.t_s + took.total_s / at.speed
    return Moments(
        t_pipeline_s=at.t_s + took.in_pipeline_s / at.speed,
        t_predicted_s=t_predicted_s,
        t_publish_s=max(now_s, t_predicted_s),
        upstream_ms=UPSTREAM_MS,
    )


def _status(row: ScriptRow, *, paused: bool) -> tuple[Status, tuple[Reason, ...]]:
    usual = row.around.reasons or USUAL[row.status].reasons
    if not paused:
        return row.status, usual
    standing = usual if row.around.trigger == "waiting" else ()
    return "paused", (*standing, "operator_pause")
