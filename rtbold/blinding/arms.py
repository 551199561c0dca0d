"""What a participant is given in place of their own prediction. Pure, replayable.

Every arm of the study is computed for every volume, whichever is chosen, so that time
and refusals do not depend on it. Status and reasons are those of the session itself in
every arm. Where one arm of the study has nothing to give, all of them give nothing.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from rtbold.blinding.design import ArmName, Design
from rtbold.blinding.donors import Donor
from rtbold.blinding.scale import TargetScale
from rtbold.bundle import Card
from rtbold.errors import ConfigError
from rtbold.messages import BoldPrediction
from rtbold.predict import StatusReasons, checked_status, with_facts
from rtbold.protocol import BlockNow


class Arm(Protocol):
    """Gives a participant one prediction for each that the session made."""

    def deliver(self, real: BoldPrediction, now: BlockNow | None) -> BoldPrediction:
        """Return what is to be fed back; called once for each tick, in order.

        Parameters
        ----------
        real : of this volume, marked as late if it was.
        now : where in the protocol the volume lies; None: in no block.
        """
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One volume, as the arms see it; z is None unless the real one is usable."""

    z: float | None
    other_z: float | None
    now: BlockNow | None


class Series(Protocol):
    """One arm's z, volume after volume."""

    def __call__(self, step: Step) -> float | None:
        """Return z; None: there is none. It is asked where nothing is usable too."""
        ...


class Real:
    """The participant's own."""

    def __call__(self, step: Step) -> float | None:
        """Return the real z."""
        return step.z


class Inverse:
    """The participant's own, mirrored about the baseline."""

    def __call__(self, step: Step) -> float | None:
        """Return minus z."""
        return None if step.z is None else -step.z


class OtherRoi:
    """Another ROI of the same model, on the target's scale."""

    def __call__(self, step: Step) -> float | None:
        """Return the other's z."""
        return step.other_z


class Yoked:
    """What another person was given, at the same place of the same block.

    Parameters
    ----------
    donor : its holes are filled, so that every volume of the plan has a value.
    """

    def __init__(self, donor: Donor) -> None:
        self._donor = donor
        self._given: dict[tuple[int, int], int] = {}  # of each block, the last volume

    def __call__(self, step: Step) -> float | None:
        """Return the donor's z; None outside of its blocks, and at a place once more.

        A run that begins anew in the same session would get the same numbers again.
        """
        if (now := step.now) is None:
            return None
        place = now.run, now.block
        if now.volume_in_block <= self._given.get(place, -1):
            return None
        self._given[place] = now.volume_in_block
        return self._donor.z_at(now)


class DelayedSelf:
    """The participant's own of more than a minute ago.

    Parameters
    ----------
    n_volumes : the delay; there is nothing before the first usable volume is so old.

    Where the old volume had no value, the line between its neighbours stands in: both
    are known by now. To leave it out would tell the arm.
    """

    def __init__(self, n_volumes: int) -> None:
        self._recent: deque[float | None] = deque(maxlen=n_volumes + 1)
        self._n = n_volumes + 1
        self._before: tuple[float, int] | None = None  # last value; steps ago

    def __call__(self, step: Step) -> float | None:
        """Return the old z."""
        if self._before is None and not self._recent and step.z is None:
            return None  # the session has not begun to give values
        if len(self._recent) == self._n:
            self._drop()
        self._recent.append(step.z)
        if len(self._recent) < self._n:
            return None
        return self._between() if self._recent[0] is None else self._recent[0]

    def _drop(self) -> None:
        oldest = self._recent[0]
        if oldest is not None:
            self._before = oldest, 1
        elif self._before is not None:
            self._before = self._before[0], self._before[1] + 1

    def _between(self) -> float | None:
        later = [(k, z) for k, z in enumerate(self._recent) if z is not None]
        if self._before is None or not later:
            return None
        (z_before, n_before), (n_later, z_later) = self._before, later[0]
        share = n_before / (n_before + n_later)
        return z_before + share * (z_later - z_before)


class Arms:
    """All arms of a study at once, of which one is delivered; an `Arm`.

    Parameters
    ----------
    chosen : the arm of this participant.
    series : every arm of the study.
    scale, other : of the target, and of the ROI of `other_roi`.
    """

    def __init__(
        self,
        chosen: ArmName,
        series: Mapping[ArmName, Series],
        *,
        scale: TargetScale,
        other: TargetScale | None = None,
    ) -> None:
        self._chosen = chosen
        self._series = dict(series)
        self._scale, self._other = scale, other
        self.silent: bool | None = None  # whether an arm had nothing for the newest

    def deliver(self, real: BoldPrediction, now: BlockNow | None) -> BoldPrediction:
        """Return what the participant is given for this volume."""
        status = checked_status(real)
        values = real.values if status.usable else None
        step = Step(
            z=None if values is None else self._scale.score(values),
            other_z=None
            if values is None or self._other is None
            else self._other.score(values),
            now=now,
        )
        found = {name: series(step) for name, series in self._series.items()}
        if values is None:
            return _without_values(real, status)
        self.silent = any(z is None for z in found.values())
        if self.silent:
            return _without_values(real, with_facts(status, "nothing_given"))
        given = {
            name: self._scale.values_at(z) for name, z in found.items() if z is not None
        }
        given["real"] = values  # as it is, to the last bit
        return replace(real, values=given[self._chosen])


def _without_values(real: BoldPrediction, status: StatusReasons) -> BoldPrediction:
    return replace(real, status=status.status, reasons=status.reasons, values=None)


def build_arms(
    chosen: ArmName,
    design: Design,
    *,
    card: Card,
    target: str,
    tr_s: float,
    donor: Donor | None,
) -> Arms:
    """Return the arms of a study for one session.

    Parameters
    ----------
    donor : needed where `yoked` is an arm of the study, whatever was chosen.

    Raises
    ------
    ConfigError : an arm of the study lacks what it needs, whatever was chosen.
    """
    if chosen not in design.arms:
        raise ConfigError(
            f"the place is of an arm that study {design.study!r} does not have; "
            "expected an allocation of this study. Ask the statistician."
        )
    if "yoked" in design.arms and donor is None:
        raise ConfigError(
            f"study {design.study!r} has the arm yoked, and there is no donor. "
            "Expected recorded sessions in the study's folder of donors."
        )
    makers: dict[ArmName, Series] = {
        "real": Real(),
        "inverse": Inverse(),
        "delayed": DelayedSelf(design.delay_volumes(tr_s)),
        "other_roi": OtherRoi(),
    }
    if donor is not None:
        makers["yoked"] = Yoked(donor)
    other = design.other_roi
    if other == target:
        raise ConfigError(
            f"the other ROI of study {design.study!r} is {other!r}, which is the "
            "target itself. Give another --target, or ask the statistician."
        )
    return Arms(
        chosen,
        {name: makers[name] for name in design.arms},
        scale=TargetScale.of(card, target),
        other=None if other is None else TargetScale.of(card, other),
    )
