"""How good each channel was over a recording, by the live monitor's judgement."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rtbold.condition.channel_quality import ChannelMonitor
from rtbold.electrodes import match
from rtbold.files.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """How long one channel of the model was bad, by the live monitor's judgement."""

    label: str
    judged_s: int = 0  # 0: the stream has no such channel
    bad_s: Mapping[str, int] = field(default_factory=dict)  # state -> seconds

    @property
    def bad_share(self) -> float:
        """Share of the judged seconds in which it was bad; 1 where it is missing."""
        return sum(self.bad_s.values()) / self.judged_s if self.judged_s else 1.0


def channel_facts(
    recording: Recording, wanted: Sequence[str]
) -> tuple[ChannelFacts, ...]:
    """Judge each second of a recording, and return the model's channels.

    Parameters
    ----------
    wanted : electrodes of the model; one that is not recorded has no judged second.
    """
    labels = [channel.label for channel in recording.channels]
    monitor = ChannelMonitor(recording.rate_hz, recording.channels)
    second = round(recording.rate_hz)
    bad: list[Counter[str]] = [Counter() for _ in labels]
    judged_s = 0
    for first in range(0, recording.data_uv.shape[1] - second + 1, second):
        monitor.push(recording.data_uv[:, first : first + second])
        if not monitor.settled:
            continue
        judged_s += 1
        for counted, channel in zip(bad, monitor.report(), strict=True):
            if channel.state != "good":
                counted[channel.state] += 1
    return tuple(
        ChannelFacts(label=name)
        if place is None
        else ChannelFacts(label=name, judged_s=judged_s, bad_s=dict(bad[place]))
        for name, place in zip(wanted, match(labels, wanted), strict=True)
    )
