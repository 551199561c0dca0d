"""What a fake session shows beside its predictions: EEG, bands, quality, phases."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from rtbold.bands import SPAN_S
from rtbold.bundle.card import Card
from rtbold.messages import MODEL_RATE_HZ, ChannelState
from rtbold.publish.wire import Bands, Eeg, Phase, Quality, Trigger
from rtbold.sim.fake_eeg import FakeEeg
from rtbold.sim.fake_script import USUAL, ScriptRow
from rtbold.view_messages import bands_message, eeg_message
from rtbold.wire_parts import ChannelPart

AGE_S: Final = 0.012  # of the newest sample while the stream runs
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
            run_type="train" if training else "rest",
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
