from .allocation import (
    Allocation as Allocation,
    AllocationRefused as AllocationRefused,
    Place as Place,
    allocate as allocate,
    read_allocation as read_allocation,
    seal_allocation as seal_allocation,
)
from .arms import Arm as Arm, Arms as Arms, build_arms as build_arms
from .design import (
    ARMS as ARMS,
    DEFAULT_DELAY_S as DEFAULT_DELAY_S,
    ArmName as ArmName,
    Design as Design,
)
from .donors import (
    Donor as Donor,
    DonorRefused as DonorRefused,
    PlannedBlock as PlannedBlock,
    RecordedBlock as RecordedBlock,
    choose_donor as choose_donor,
    fitted_donor as fitted_donor,
    planned_blocks as planned_blocks,
    recorded_blocks as recorded_blocks,
)
from .keys import (
    OWNERS as OWNERS,
    NotOpened as NotOpened,
    Owner as Owner,
    PublicKeys as PublicKeys,
    SecretKeys as SecretKeys,
    create_keys as create_keys,
    read_public as read_public,
    read_secret as read_secret,
)
from .records import (
    ARM_RECORD as ARM_RECORD,
    GUESSED as GUESSED,
    GUESSERS as GUESSERS,
    UNBLINDED_NAME as UNBLINDED_NAME,
    BlindedNote as BlindedNote,
    Guess as Guess,
    Guesser as Guesser,
    guess as guess,
    guesses as guesses,
    needed_note as needed_note,
    note_of as note_of,
    opened_records as opened_records,
    unblind as unblind,
    write_note as write_note,
)
from .scale import TargetScale as TargetScale
from .sealed import (
    SEALED_NAME as SEALED_NAME,
    Opened as Opened,
    SealedLog as SealedLog,
    Sealer as Sealer,
    open_sealed as open_sealed,
)
from .study import Study as Study, enrol as enrol, open_study as open_study
