"""What stands beside the predictions, as messages: EEG, bands, truth. Pure."""

import numpy as np

from rtbold.bands import BAND_NAMES, BANDS_HZ, SPAN_S, band_powers
from rtbold.codec import pack_samples
from rtbold.floats import shortest, shortest_all
from rtbold.messages import MODEL_RATE_HZ, Float32Array
from rtbold.publish.wire import Bands, Eeg, Truth
from rtbold.rolling_r import ENOUGH_EFFECTIVE_N, RollingR
from rtbold.truth_state import TruthState
from rtbold.wire_parts import TruthScore


def eeg_message(data_uv: Float32Array, index: int, t_first_s: float) -> Eeg:
    """Return conditioned samples, (channels, samples), as they go out.

    Parameters
    ----------
    index : of the first sample, over the whole session.
    t_first_s : its time, this machine's LSL clock.
    """
    return Eeg(
        sample_index=index,
        t_first=t_first_s,
        rate_hz=MODEL_RATE_HZ,
        n_channels=len(data_uv),
        n_samples=data_uv.shape[1],
        data=pack_samples(data_uv),
    )


def bands_message(data_uv: Float32Array, t_end_s: float) -> Bands:
    """Return the band powers of (channels, samples) at 200 Hz that end at `t_end_s`."""
    powers = band_powers(data_uv, MODEL_RATE_HZ).T  # (bands, channels)
    return Bands(
        t_start=t_end_s - SPAN_S,
        t_end=t_end_s,
        bands=BAND_NAMES,
        edges_hz=tuple(BANDS_HZ.values()),
        power_uv2=tuple(shortest_all(row.astype(np.float32)) for row in powers),
    )


def truth_message(
    state: TruthState, target: str, *, lowpass_hz: float | None, contrast: bool = False
) -> Truth:
    """Return one measured volume with its prediction and R so far.

    Parameters
    ----------
    target, contrast : as for `target_score`.
    """
    scores = truth_scores(state.rolling)
    return Truth(
        volume_index=state.volume_index,
        t_volume=state.t_volume_s,
        values=shortest_all(state.measured),
        rois=state.rois,
        filtered=shortest_all(state.filtered),
        predicted=shortest_all(state.predicted),
        scores=scores[: len(state.rois)],
        target=target,
        target_score=target_score(scores, state.rois, target, contrast=contrast),
        lowpass_hz=lowpass_hz,
        enough_n_eff=ENOUGH_EFFECTIVE_N,
    )


def truth_scores(rolling: RollingR) -> tuple[TruthScore, ...]:
    """Return the scores of all columns: the ROIs, then the contrast if there is one."""
    return tuple(
        TruthScore(
            r=_rounded(r),
            low=_rounded(low),
            high=_rounded(high),
            n_eff=round(float(n_eff), 1),
            n=int(n),
        )
        for r, low, high, n_eff, n in zip(
            rolling.r, rolling.low, rolling.high, rolling.n_eff, rolling.n, strict=True
        )
    )


def target_score(
    scores: tuple[TruthScore, ...],
    rois: tuple[str, ...],
    target: str,
    *,
    contrast: bool = False,
) -> TruthScore | None:
    """Return the score of what is fed back; None: it is not measured.

    Parameters
    ----------
    target : ROI or contrast that is fed back.
    contrast : it is a contrast, and the last of the scores is its own.
    """
    if contrast:
        return scores[-1]
    return scores[rois.index(target)] if target in rois else None


def _rounded(value: float) -> float | None:
    number = shortest(float(value))
    return None if number is None else round(number, 4)
