"""The card of a model bundle: what the model is, and the stream that it needs.

The card is ``card.json`` in ``NAME.rtbold/``. Unknown keys are refused, so that a
card written by a newer format is never half understood.
"""

from typing import Literal

import msgspec

from rtbold.conformal import Intervals
from rtbold.errors import DomainRefused
from rtbold.likeness_reference import LikenessReference
from rtbold.messages import ModelOrigin
from rtbold.verdict import FIT_FOR_FEEDBACK, Verdict

CARD_FORMAT = 1


class _Strict(msgspec.Struct, frozen=True):
    """Base: frozen, keyword-only, unknown keys refused."""


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


def check_trained(card: Card) -> ModelOrigin:
    """Return where a model comes from; refuse what is only a start for training.

    Raises
    ------
    DomainRefused : its head was never trained, so that every answer would be zero.
    """
    if card.origin.kind == "start":
        raise DomainRefused(
            f"bundle '{card.name}' is a start for training: a published encoder "
            "without a trained head, so it predicts nothing. Calibrate with it as the "
            "base first, and use the bundle that this writes."
        )
    return card.origin.kind


def unfit_because(card: Card, target: str | None = None) -> str:
    """Return why calibration found a target unfit for feedback; empty: it did not.

    Parameters
    ----------
    target : ROI or contrast; None: the declared one.
    """
    verdict = card.verdict
    if verdict is None:
        return ""
    gate = verdict.gate
    if target in (None, gate.target):
        return "" if verdict.fit_for_feedback else f"'{gate.label}': {gate.reason}"
    labels = {found.roi: found.label for found in verdict.rois}
    label = labels.get(target or "", "undecided")
    return "" if label == FIT_FOR_FEEDBACK else f"'{label}' over all ROIs"
