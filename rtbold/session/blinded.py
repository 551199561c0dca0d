"""A blinded session: which arm it delivers, and where the real predictions go.

Everything that any arm of the study needs is looked up and checked in every arm, in the
same order, before the session begins: no refusal and no delay tells the arm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rtbold.blinding import (
    ARM_RECORD,
    SEALED_NAME,
    Arms,
    BlindedNote,
    Design,
    Donor,
    DonorRefused,
    Place,
    SealedLog,
    Sealer,
    Study,
    build_arms,
    choose_donor,
    open_study,
    planned_blocks,
    write_note,
)
from rtbold.bundle import Card
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, DataFileError
from rtbold.feedback import Feedback, FeedbackChain, SafetyLimits, choose_target
from rtbold.messages import BoldPrediction
from rtbold.protocol import BlockNow, RunPlan, plan_run
from rtbold.publish import Message
from rtbold.record import RecordingRun
from rtbold.session.donors import find_donors, free_plan
from rtbold.session.protocol import ChosenRun

WHOLE_PRECISIONS = ("f32", "tf32")  # what rounds more leaves its mark on real values
NOTHING_GIVEN = (
    "blinded: there is no feedback for now in any arm of the study: its first minute, "
    "no block of its protocol, or a run that began anew. For another attempt start "
    "the session again"
)
FEEDBACK_GIVEN = "blinded: feedback is given"
_ENDLESS = 1_000_000  # volumes of a session without an end
_NAME_BYTES = 16  # of an arm, so that records have one size


class ArmRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The first sealed record: all that the delivered values follow from."""

    arm: str  # padded with blanks
    target: str
    tr_s: float
    n_volumes: int  # of a run without a protocol; 0: it followed one
    design: Design
    donor: str | None
    donor_z: tuple[tuple[int, int, tuple[float, ...]], ...]  # run, block, z
    n_filled: int


class Blinded:
    """What a session does in place of publishing its own predictions.

    Parameters
    ----------
    arms : of the study.
    plan : of a run without a protocol; None: a protocol says where a volume lies.
    """

    def __init__(self, arms: Arms, plan: RunPlan | None) -> None:
        self._arms = arms
        self._plan = plan

    def deliver(
        self, real: BoldPrediction, now: BlockNow | None = None
    ) -> BoldPrediction:
        """Return what the participant is given for this volume.

        Parameters
        ----------
        now : where in the protocol it lies.
        """
        if self._plan is not None:
            now = self._plan.at(real.tick.volume_index)
        return self._arms.deliver(real, now)


class SealedSession(Blinded):
    """A session that runs: it also keeps what it does not publish.

    Parameters
    ----------
    arms, plan : as for `Blinded`.
    chain : makes feedback of the real predictions, as it would be without blinding.
    log : for the statistician alone.
    """

    def __init__(
        self, arms: Arms, plan: RunPlan | None, *, chain: FeedbackChain, log: SealedLog
    ) -> None:
        super().__init__(arms, plan)
        self._chain = chain
        self._told: bool | None = None  # silent, as the operator knows
        self._limits = SafetyLimits(chain.settings)
        self._log = log

    def feedback_of(self, real: BoldPrediction, now: BlockNow | None) -> Feedback:
        """Return what would be fed back without blinding."""
        return self._limits.push(self._chain.push(real, now), now)

    def news(self) -> str:
        """Return what is new for the operator; it is the same in every arm."""
        silent, before = self._arms.silent, self._told
        self._told = silent
        if silent is before:
            return ""
        return NOTHING_GIVEN if silent else FEEDBACK_GIVEN

    def seal(self, *messages: Message) -> None:
        """Keep messages of the real predictions."""
        for message in messages:
            self._log.append(message.topic, msgspec.to_builtins(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blinding:
    """All that a blinded session needs, before anything of it is open."""

    study: Study
    place: Place
    card: Card
    target: str
    tr_s: float
    plan: RunPlan
    attempt: int | None  # at a protocol's run; None: there is no protocol
    donors: tuple[Donor, ...] = field(repr=False)
    refused: tuple[DonorRefused, ...] = field(repr=False)

    def check_precision(self, precision: str) -> None:
        """Refuse an engine that rounds so that real values can be told from others.

        Raises
        ------
        ConfigError : it does.
        """
        if precision not in WHOLE_PRECISIONS:
            raise ConfigError(
                f"the engine runs in {precision}, whose rounding can be seen in real "
                f"values alone; expected {' or '.join(WHOLE_PRECISIONS)} in a blinded "
                "session. Give --precision f32."
            )

    def begin(
        self, recording: RecordingRun, clock: Clock, *, chain: FeedbackChain
    ) -> SealedSession:
        """Write what everybody may know, and open the sealed file.

        Parameters
        ----------
        chain : a new one, for the real predictions.

        Raises
        ------
        ConfigError, DonorRefused : something that an arm needs is missing.
        OSError : the disk takes nothing.
        """
        donor = self._donor(self.attempt or recording.number)
        arms = self._arms(donor)
        study, paths = self.study, recording.paths
        write_note(
            paths.folder,
            BlindedNote(
                study=study.design.study,
                code=self.place.code,
                statistician=study.statistician.fingerprint,
                protocol_sha256=study.design.protocol_sha256,
            ),
        )
        sealer = Sealer(study.statistician, paths.stem)
        log = SealedLog(paths.folder / SEALED_NAME, clock, sealer)
        recording.keep_beside(log)
        log.append(ARM_RECORD, msgspec.to_builtins(self._record(donor)))
        free = self.plan if self.attempt is None else None
        return SealedSession(arms, free, chain=chain, log=log)

    def check(self) -> None:
        """Refuse what `begin` would refuse, before anything is open."""
        self._arms(self._donor(1))

    def _donor(self, number: int) -> Donor | None:
        """Return the donor of a run; the next run has the person's next recording."""
        if "yoked" not in self.study.design.arms:
            return None
        return choose_donor(
            self.donors, self.refused, draw=self.place.draw, number=number
        )

    def _arms(self, donor: Donor | None) -> Arms:
        return build_arms(
            self.place.arm,
            self.study.design,
            card=self.card,
            target=self.target,
            tr_s=self.tr_s,
            donor=donor,
        )

    def _record(self, donor: Donor | None) -> ArmRecord:
        z = donor.z if donor else {}
        return ArmRecord(
            arm=self.place.arm.ljust(_NAME_BYTES),
            target=self.target,
            tr_s=self.tr_s,
            n_volumes=self.plan.n_volumes if self.attempt is None else 0,
            design=self.study.design,
            donor=donor.name if donor else None,
            donor_z=tuple((*key, row) for key, row in z.items()),
            n_filled=donor.n_filled if donor else 0,
        )


def prepare_blinding(
    run: RunSettings, card: Card, chosen: ChosenRun | None = None
) -> Blinding | None:
    """Look up the participant's place and all that any arm needs; None: not blinded.

    Parameters
    ----------
    chosen : run of a protocol; None: the session follows none.

    Raises
    ------
    ConfigError : the study does not know the participant, or is for another protocol.
    DonorRefused : no donor fits, whatever the arm.
    """
    if run.blind is None:
        return None
    study = open_study(run.blind)
    subject = run.record_as or run.subject
    assert subject is not None  # the settings have refused it
    place = study.place_of(subject, protocol_sha256=_sha256(chosen))
    target = choose_target(card, run.fed_back.target).name
    tr_s = run.tr_s or card.tr_s
    yoked = "yoked" in study.design.arms
    if chosen is None:
        plan = free_plan(_n_volumes(run.duration_s, tr_s, needed=yoked), tr_s=tr_s)
    else:
        asked = chosen.asked
        plan = plan_run(chosen.protocol.study, asked.run, attempt=asked.attempt)
    donors, refused = list[Donor](), list[DonorRefused]()
    if yoked:
        donors, refused = find_donors(
            study.donors, planned_blocks(plan), target=target, not_of=subject
        )
    blinding = Blinding(
        study=study,
        place=place,
        card=card,
        target=target,
        tr_s=tr_s,
        plan=plan,
        attempt=None if chosen is None else chosen.asked.attempt,
        donors=tuple(donors),
        refused=tuple(refused),
    )
    blinding.check()
    return blinding


def _sha256(chosen: ChosenRun | None) -> str | None:
    return None if chosen is None else chosen.asked.sha256


def _n_volumes(duration_s: float | None, tr_s: float, *, needed: bool) -> int:
    """Return how many volumes a run without a protocol may have."""
    if duration_s is not None:
        return math.floor(duration_s / tr_s) + 1
    if needed:
        raise ConfigError(
            "the study has the arm yoked, and the session has no end: whether a donor "
            "is long enough cannot be known before. Give --duration SECONDS."
        )
    return _ENDLESS


def blinded_again(record: Mapping[str, Any], card: Card) -> Blinded:
    """Return what a session has delivered by, from its first sealed record.

    Raises
    ------
    DataFileError : it cannot be read.
    ConfigError : card and record do not fit.
    """
    try:
        known = msgspec.convert(record, ArmRecord)
    except msgspec.ValidationError as error:
        raise DataFileError(
            f"the record of the arm cannot be read ({error}), expected what a blinded "
            "session has sealed. Another version of rtbold may have written it."
        ) from error
    donor = None
    if known.donor is not None:
        z = {(run, block): row for run, block, row in known.donor_z}
        donor = Donor(known.donor, "", z, known.n_filled)
    arm = next((each for each in known.design.arms if each == known.arm.strip()), None)
    if arm is None:
        raise DataFileError(
            f"the record names arm {known.arm.strip()!r}, which is none"
        )
    arms = build_arms(
        arm,
        known.design,
        card=card,
        target=known.target,
        tr_s=known.tr_s,
        donor=donor,
    )
    n, tr_s = known.n_volumes, known.tr_s
    return Blinded(arms, free_plan(n, tr_s=tr_s) if n else None)
