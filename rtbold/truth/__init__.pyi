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
    TARGET_CUTOFF_HZ as TARGET_CUTOFF_HZ,
    BoolArray as BoolArray,
    RollingR as RollingR,
    autocorrelation as autocorrelation,
    centred_r as centred_r,
    effective_n as effective_n,
    effective_n_of_mean as effective_n_of_mean,
    lowpassed as lowpassed,
    pearson_r as pearson_r,
)
