"""The card of a model bundle: what the model is, and the stream that it needs.

The card is ``card.json`` in ``NAME.rtbold/``. Unknown keys are refused, so that a
card written by a newer format is never half understood.
"""

from typing import Final, Literal, get_args

import msgspec

from rtbold.messages import ModelOrigin

LEVELS: Final = (0.8, 0.95)
N_QUANTILES: Final = 201  # of the residuals' magnitude: steps of 0.5 %


class Intervals(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Half-widths per ROI, in model units, from out-of-fold residuals.

    A half-width is None where the scan holds too few independent residuals to bound
    that level (95 % needs 19, 80 % needs 4).
    """

    levels: tuple[float, ...] = LEVELS
    half_width: tuple[tuple[float | None, ...], ...] = ()  # per ROI, per level
    n_eff: tuple[float, ...] = ()  # independent residuals per ROI
    # Per ROI: quantiles of the residual's magnitude at N_QUANTILES even levels, 0 to 1.
    quantiles: tuple[tuple[float, ...], ...] = ()


# What the calibration EEG looked like, as the card keeps it.

Statistic = Literal["level", "channels", "slope", "pattern", "features"]
STATISTICS: Final[tuple[Statistic, ...]] = get_args(Statistic)


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Quantiles of one statistic over calibration windows that its scale had not seen.

    A `low` of None: the statistic is a distance, and small ones are no matter.
    """

    low: float | None = None  # 0.5 %
    middle: float
    high: float  # 99.5 %


class KnownLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A narrow-band line that calibration windows had, such as the mains."""

    low_hz: float
    high_hz: float
    mean_uv2: float  # over channels, the largest of any window; a tone has a^2 / 2
    channel_uv2: float  # of the channel that had most


class KnownLines(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every line of the calibration; another one is unlike."""

    lines: tuple[KnownLine, ...] = ()
    comb: float | None = None  # the largest of any window; None: too long a TR


class LikenessReference(msgspec.Struct, frozen=True, kw_only=True):
    """Empty by default: nothing is known, and nothing is monitored.

    Unknown keys are let through: the first cards had other ones here, which nothing
    ever read.
    """

    log_power: tuple[tuple[float, ...], ...] = ()  # (channels, bands), mean, ln uV^2
    log_power_sd: tuple[tuple[float, ...], ...] = ()
    slope: tuple[float, ...] = ()  # (channels,), mean aperiodic exponent
    slope_sd: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()  # (channels, channels), trace 1
    spreads: dict[Statistic, Spread] = {}
    limit: float = 1.0  # 99.5 % quantile of the score over calibration windows
    n_windows: int = 0
    groups: Literal["blocks", "subjects", ""] = ""  # what each scale had not seen
    lines: KnownLines | None = None  # None: written before lines were looked for

    @property
    def known(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.spreads)


class MuscleReference(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """How tense muscles of the head were at the calibration, and what read them."""

    channels: tuple[str, ...]  # that tell of it, of the model's
    level: tuple[float, ...]  # each one's mean, ln uV^2 a bin, 30 to 80 Hz
    below: tuple[float, ...]  # the same at 2 to 20 Hz, which a gain moves too
    limit: float  # 99.5 % quantile of calibration windows above that, ln
    n_windows: int
    leans_on: tuple[str, ...] = ()  # targets whose predictions lean on tension


# What a calibration found out: the verdict on the card and of ``--json``.

Label = Literal[
    "specific", "global or vigilance", "explained by artefact", "undecided", "no signal"
]
FIT_FOR_FEEDBACK: Final[Label] = "specific"


class _Strict(msgspec.Struct, frozen=True):
    """Base: frozen, keyword-only, unknown keys refused."""


class RoiVerdict(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Out-of-fold score of one ROI, cubic drift removed unless named otherwise."""

    roi: str
    r: float
    r_with_drift: float
    r_low: float  # 95 % interval, block bootstrap
    r_high: float
    p: float  # one-sided, this ROI alone
    p_max: float  # the same over all ROIs (max statistic)
    n_eff: float  # independent volumes (Bartlett)
    label: Label = "undecided"


class Declaration(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was declared before the scan, as the verdict took it."""

    sha256: str  # of the declaration's content
    declared: str  # ISO date and time, UTC
    alpha: float  # over all looks
    looks_min: tuple[float, ...] = ()  # planned, minutes of scan; empty: one look
    look: int = 1  # which of them this was; 0: the scan ended before the first


class Gate(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the declared target carries a signal at all.

    `p` is what `alpha` is held against: over the candidates, on common phases, and over
    all calibrations of these data.
    """

    target: str  # ROI or name of the contrast
    weights: dict[str, float]  # ROI -> weight; one entry for a ROI
    r: float
    r_with_drift: float
    r_low: float
    r_high: float
    p: float
    p_phase: float  # of the kept model alone, against surrogates of the scan
    p_other: float | None  # a control: other subjects' EEG; None: none was given
    r_other: float | None  # mean R of the same model fed other subjects' EEG
    n_eff: float
    alpha: float
    passed: bool
    label: Label = "undecided"
    reason: str = ""  # why this label, in words
    candidates: dict[str, float] = {}  # R of all models that were compared
    n_calibrations: int = 1  # of these data with another target or model, this included
    reuse: float | None = None  # of pairs of volumes, 1 to 2; None: not written then
    declaration: Declaration | None = None


class MuscleLine(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What muscle tension has to do with a target and its prediction."""

    r: float  # out-of-fold R of the target predicted from tension alone
    r_without: float  # R of the prediction, tension taken out of both
    share: float  # of the prediction's variance that tension explains
    leans: bool  # the prediction leans on tension


class Specificity(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the target's prediction may read beside brain activity of its region."""

    partial_r: dict[str, float] = {}  # given what -> R
    partial_p: dict[str, float] = {}
    controls: dict[str, float] = {}  # out-of-fold R of what must not explain it
    rank: int | None = None  # of the own ROI's R among all measured ROIs; 1: highest
    n_rois: int = 0
    not_known: tuple[str, ...] = ()  # confounds that were not given
    muscle: MuscleLine | None = None  # None: written before it was looked at


class Learnable(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a participant could learn from; R is of the target, without cubic drift."""

    right_side: float  # share of volumes on the right side of the mean
    block_r: dict[str, float] = {}  # "20 s" -> R of means over blocks of that length
    best_lag_s: float | None = None  # at which R is highest; above 0: BOLD is later
    best_lag_r: float | None = None
    r_without_global: float | None = None  # global signal out; None: it is not known
    r_within: dict[str, float] = {}  # kind of block -> R inside blocks of that kind


class OtherTarget(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A target that was not declared, judged beside: the ROI less all others."""

    target: str
    r: float
    p: float  # over all ROIs and this one
    label: Label


class Verdict(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that is said about one calibration's out-of-fold predictions."""

    gate: Gate
    rois: tuple[RoiVerdict, ...]
    specificity: Specificity = Specificity()
    n_volumes: int  # scored
    n_surrogates: int
    block_n: float  # mean block of the bootstrap, volumes
    n_other_subjects: int = 0
    cross_fitted: bool = True  # volumes serve in training and in test, in turn
    learnable: Learnable | None = None
    less_others: OtherTarget | None = None  # None: a contrast was declared, or one ROI

    @property
    def fit_for_feedback(self) -> bool:
        """Whether the target passed the gate and is specific."""
        return self.gate.passed and self.gate.label == FIT_FOR_FEEDBACK

    @property
    def fit_rois(self) -> tuple[RoiVerdict, ...]:
        """Other ROIs that passed over all of them and are specific, best first."""
        fit = [
            roi
            for roi in self.rois
            if roi.label == FIT_FOR_FEEDBACK
            and roi.p_max <= self.gate.alpha
            and roi.roi not in self.gate.weights
        ]
        return tuple(sorted(fit, key=lambda roi: -roi.r))


CARD_FORMAT = 1


class Conditioning(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the causal chain; the live loop runs exactly these."""

    highpass_hz: float = 0.5
    highpass_order: int = 2
    fir_passband_hz: float = 80.0
    fir_stopband_hz: float = 100.0
    fir_attenuation_db: float = 60.0
    remove_window_mean: bool = True
    source: Literal["live", "published"] = "live"  # chain that training windows saw


class Normalisation(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Target scaling, frozen from training volumes.

    ``units = (lowpass(bold - confounds - drift) - mean) / scale``.
    """

    method: Literal["zscore", "p95"] = "zscore"
    mean: tuple[float, ...] = ()  # per ROI, of the target before scaling
    scale: tuple[float, ...] = ()  # per ROI
    lowpass_hz: float | None = 0.15
    drift: tuple[tuple[float, ...], ...] = ()  # per Legendre degree from 1, per ROI
    drift_s: tuple[float, float] = (0.0, 1.0)  # where the polynomials are -1 and 1
    confounds: dict[str, tuple[float, ...]] = {}  # regressed out: name -> per ROI


class Baseline(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mean and sd of the out-of-fold predictions: what ``z`` is relative to."""

    name: str = "card"
    mean: tuple[float, ...] = ()  # per ROI, model units
    sd: tuple[float, ...] = ()
    n: int = 0
    n_eff: float | None = None


class Cleaning(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cleaning chain of the EEG that the model was trained on."""

    software: str = ""
    version: str = ""
    mode: Literal["online", "offline", "none", "unknown"] = "unknown"
    lowpass_hz: float | None = None


class Origin(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the weights come from."""

    kind: ModelOrigin | Literal["start"]  # "start": no trained head, for training only
    simulated_lineage: bool  # any simulated data in base or training
    verdict_on_real_data: bool = False
    subject: str | None = None
    group: str | None = None
    base_sha256: str | None = None


class RoiScore(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Score of one ROI on data that the fit never saw."""

    roi: str
    r: float
    r_low: float  # 95 % interval
    r_high: float
    p: float


class Scores(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Scores with their controls. The word "simulated" is in `data` where it is so."""

    data: str = ""
    mean_r: float | None = None
    mean_r_low: float | None = None
    mean_r_high: float | None = None
    p: float | None = None
    n_subjects: int = 0
    per_roi: tuple[RoiScore, ...] = ()
    controls: dict[str, float] = {}  # name -> mean R (constant EEG, shuffled, ...)


class Check(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The windows in ``check.npz`` that every engine is compared on."""

    windows: Literal["none", "simulated", "recorded", "synthetic"] = "none"
    n: int = 0


class Contrast(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A weighted sum of ROIs that is fed back, with its own out-of-fold baseline."""

    name: str
    weights: dict[str, float]  # ROI -> weight, model units
    mean: float
    sd: float
    half_width: tuple[float | None, ...] = ()  # per level of the card's intervals


class AlignmentFacts(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How EEG and volumes of the calibration scan went together."""

    marker: str
    n_volumes: int
    n_found: int
    n_filled: int
    n_missed: int
    n_double: int
    jitter_sd_ms: float
    drift_ppm: float | None  # None: the TR was taken from the triggers
    lag_peak_s: float
    lag_low_s: float
    lag_high_s: float
    lag_p: float
    warnings: tuple[str, ...] = ()


class Fitting(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the weights came about, and what stood beside them."""

    strategy: str
    base: str  # name of the base bundle, or "nothing"
    n_volumes: int
    n_folds: int
    seed: int
    interrupted: bool = False  # Ctrl-C: the best so far was kept
    ridge_r: float | None = None  # of the target, on the same folds
    horizon_r: dict[str, float] = {}  # volumes ahead -> R of the target
    asked: str = ""  # base, strategy and the like, as they were asked for


class SeenScan(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Marks of one scan that weights were learned from; not its data.

    Each is base64 of hashes of 6 bytes, made by ``rtbold.calibration.lineage``.
    """

    eeg: str = ""
    bold: str = ""


class Lineage(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scans that the weights were learned from, through all bases before."""

    scans: tuple[SeenScan, ...] = ()
    complete: bool = False  # no scan is missing; weights from elsewhere: never


class FileHash(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of the bundle with its SHA-256."""

    path: str
    sha256: str


class Card(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a session must know to run a model on a stream, or to refuse."""

    format: int = CARD_FORMAT
    name: str
    architecture: str  # key of the model registry
    architecture_config: dict[str, str | int | float | bool | list[str]] = {}
    channels: tuple[str, ...]  # in model order
    reference: str  # "average" or an electrode name
    rate_hz: float = 200.0
    unit: Literal["uV"] = "uV"
    window_s: float = 16.0
    tr_s: float
    rois: tuple[str, ...]
    atlas: str = ""
    normalisation: Normalisation = Normalisation()
    baseline: Baseline = Baseline()
    slice_reference: float | None = None  # 0..1; None: unknown
    horizon_tr: int = 0
    conditioning: Conditioning = Conditioning()
    cleaning: Cleaning = Cleaning()
    scanner: Literal["inside_running", "inside_idle", "outside", "simulated", "unknown"]
    task: str = ""
    eyes: Literal["open", "closed", "both", "unknown"] = "unknown"
    likeness: LikenessReference = LikenessReference()  # what the EEG looked like
    muscle: MuscleReference | None = None  # None: muscles are not looked at
    intervals: Intervals = Intervals()  # around predictions, from out-of-fold errors
    origin: Origin
    target: str = ""  # declared before calibration; empty: the first ROI
    contrast: Contrast | None = None
    verdict: Verdict | None = None  # None: never calibrated on a subject
    alignment: AlignmentFacts | None = None
    fitting: Fitting | None = None
    training_data_sha256: str = ""
    lineage: Lineage | None = None  # None: written before scans had marks
    scores: Scores = Scores()
    check: Check = Check()
    tolerance: float = 1e-4  # float32 engines agree with torch within it * max(1, |x|)
    reduced_tolerance: float = 0.1  # of a ROI's sd: rms error that bf16, f16, int8 may
    software: dict[str, str] = {}  # name -> version at training time
    created: str = ""  # ISO date
    note: str = ""
    files: tuple[FileHash, ...] = ()
    sealed: bool = False  # a seal lies beside the card, see `rtbold.bundle.seal`
