"""Contents of a report, small and made up; the verdict is judged, not invented."""

from dataclasses import replace

import numpy as np

from rtbold.calibration.evaluate.confounds import Confounds, cross_r
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.calibration.evaluate.verdict import evaluate, examine
from rtbold.calibration.explain.attribution import BANDS, LAGS_S, Attribution, Shares
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.inputs.eeg import ChannelFacts
from rtbold.calibration.inputs.lag import LagScan
from rtbold.calibration.inputs.triggers import VolumeMarker
from rtbold.calibration.report.brain import known_centres
from rtbold.calibration.report.content import (
    Chance,
    LearningCurve,
    ReportContent,
    Traces,
    WindowFacts,
)
from rtbold.calibration.result import PublishedScore, TargetScore

N = 300
TR_S = 2.1
ROIS = ("Putamen", "Thalamus", "Caudate")
CHANNELS = ("Fp1", "Fp2", "C3", "C4", "O1", "O2")


def content(rois=ROIS, *, r=0.5, seed=0, **changes):
    """Return a whole report; `changes` replace its parts."""
    predicted, measured, background = series(len(rois), r, seed)
    scored = OutOfFold(predicted, measured, rois)
    declared = Declared(rois[0])
    verdict = evaluate(scored, declared, confounds=confounds(background, len(rois)))
    weaker = OutOfFold(predicted + background[:, None], measured, rois)
    made = ReportContent(
        subject="S01",
        bundle="20260102-101500",
        created="2026-01-02 10:15",
        simulated=True,
        verdict=verdict,
        alignment=alignment(rois, measured),
        windows=WindowFacts(n_volumes=N + 7, n_used=N, why_left_out={"warming_up": 7}),
        traces=Traces(
            rois=rois,
            onsets_s=np.arange(N) * TR_S,
            predicted=predicted,
            measured=measured,
            fold=np.repeat(np.arange(5), N // 5),
        ),
        chance=Chance(
            null_r=examine(scored, declared).null, cross_r=cross_r(predicted, measured)
        ),
        lag=lag_scan(),
        channels=(
            ChannelFacts(label="Fp1", judged_s=640, bad_s={"amplitude": 31}),
            ChannelFacts(label="Fp2", judged_s=640),
            ChannelFacts(label="C3"),
        ),
        beside=evaluate(weaker, declared, confounds=confounds(background, len(rois))),
        intervals=conformal_intervals(predicted, measured),
        horizons={
            0: TargetScore(0.51, 0.34, 0.63),
            1: TargetScore(0.52, 0.36, 0.65),
            2: TargetScore(0.45, 0.27, 0.58),
        },
        horizon_tr=1,
        learning=(
            LearningCurve(name="fold 1", errors=(1.0, 0.8, 0.71, 0.75)),
            LearningCurve(name="final", errors=(1.0, 0.77, 0.69, 0.68)),
        ),
        attributions=(attribution(rois[0]),),
        published=PublishedScore({roi: 0.31 for roi in rois}, 240, 22),
        centres=known_centres(rois),
        provenance={
            "Files": {"EEG": "S01.xdf", "SHA-256": "ab" * 32},
            "Options": {"strategy": "head", "seed": "0"},
        },
    )
    return replace(made, **changes)


def series(n_rois, r, seed):
    """Return slow predicted and measured series, and what they do not share."""
    rng = np.random.default_rng(seed)

    def slow(columns):
        white = rng.standard_normal((N + 20, columns))
        kernel = np.hanning(7)
        smooth = [np.convolve(c, kernel, mode="valid")[:N] for c in white.T]
        out = np.stack(smooth, axis=1)
        return out / out.std(axis=0)

    shared, own, noise = slow(n_rois), slow(n_rois), slow(n_rois)
    k = np.sqrt(r)
    mixed = [k * shared + np.sqrt(1 - r) * part for part in (own, noise)]
    return (*mixed, slow(1)[:, 0])


def confounds(background, n_rois):
    rng = np.random.default_rng(1)
    return Confounds(
        artefacts={"motion": rng.standard_normal((N, 2))},
        vigilance={"alpha over theta": background[:, None]},
        global_signal=rng.standard_normal(N),
        time_control=np.repeat(np.linspace(0, 1, N)[:, None], n_rois, axis=1),
        not_known=("respiration",),
    )


def alignment(rois, bold):
    onsets_s = 10 + np.arange(N) * TR_S
    return Alignment(
        marker=VolumeMarker("R128", "", onsets_s, TR_S),
        every=1,
        run=1,
        n_runs=1,
        tr_s=TR_S,
        tr_measured_s=2.10003,
        tr_from="given",
        rois=rois,
        volume=np.arange(N),
        onsets_s=onsets_s,
        found=np.arange(N) != 17,
        bold=bold,
        confounds={},
        n_double=2,
        jitter_sd_ms=0.41,
        jitter_max_ms=1.93,
        drift_ppm=14.0,
        warnings=("1 triggers are missing within the run",),
        notes=("BOLD and triggers are paired by their stamps",),
    )


def lag_scan(**changes):
    lags_s = np.arange(-10.0, 21.0)
    r = 0.3 * np.exp(-0.5 * ((lags_s - 6) / 3) ** 2)
    made = LagScan(
        lags_s=lags_s,
        r=r,
        peak_s=6.0,
        peak_r=0.3,
        interval_s=(5.0, 7.0),
        width_s=7.0,
        p=0.002,
        n_volumes=N,
        warning="",
    )
    return replace(made, **changes)


def attribution(roi):
    def shares(n):
        share = np.arange(1, n + 1) / (n * (n + 1) / 2)
        return Shares(share, 0.8 * share, 1.2 * share)

    n_bands = len(BANDS)
    rng = np.random.default_rng(3)
    return Attribution(
        roi=roi,
        method="integrated-gradients",
        channels=CHANNELS,
        bands=tuple(BANDS),
        lags_s=np.array(LAGS_S),
        channel=shares(len(CHANNELS)),
        time=shares(len(LAGS_S)),
        band=shares(n_bands),
        doubled=rng.standard_normal((len(CHANNELS), n_bands)),
        prediction_sd=0.4,
        rms_error=0.02,
        n_windows=24,
        n_pairs=96,
    )
