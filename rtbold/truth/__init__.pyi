from .pairing import (
    AfterRun as AfterRun,
    Misnumbered as Misnumbered,
    Truth as Truth,
    TruthSettings as TruthSettings,
    TruthState as TruthState,
    misnumbered as misnumbered,
    onset_s as onset_s,
)
from .score import (
    ENOUGH_EFFECTIVE_N as ENOUGH_EFFECTIVE_N,
    LEAST_ZERO_PHASE as LEAST_ZERO_PHASE,
    BoolArray as BoolArray,
    RollingR as RollingR,
    autocorrelation as autocorrelation,
    effective_n as effective_n,
    effective_n_of_mean as effective_n_of_mean,
)
