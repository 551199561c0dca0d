"""What the session publishes about a bundle and about each prediction. Pure."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, TypedDict

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from rtbold import distribution
from rtbold.bundle import Card, check_trained
from rtbold.condition import BAND_NAMES, MONITOR_BANDS_HZ, SPAN_S, band_powers
from rtbold.config import KindName
from rtbold.feedback import (
    Feedback,
    FeedbackSettings,
    Norm,
    choose_target,
    norm_before,
    z_values,
)
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_S,
    BoldPrediction,
    Float32Array,
    ModelOrigin,
)
from rtbold.predict import checked_status
from rtbold.protocol import ProtocolNow, Question
from rtbold.publish.intervals import (
    Widths,
    card_widths,
    contrast_widths,
    fb_bounds,
    roi_bounds,
    valid_widths,
)
from rtbold.publish.wire import (
    SCHEMA_MINOR,
    SCHEMA_VERSION,
    TOPICS,
    Bands,
    Eeg,
    Encoding,
    FeedbackPart,
    Hello,
    LatencyPart,
    NormPart,
    Phase,
    Ports,
    PredFb,
    PredRoi,
    QuestionPart,
    Truth,
    TruthScore,
    WindowPart,
    pack_samples,
    schema_name,
    shortest,
    shortest_all,
)
from rtbold.truth import ENOUGH_EFFECTIVE_N, RollingR, TruthState

ROI_HASH_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When one prediction passed the session's stations, LSL clock.

    Parameters
    ----------
    t_pipeline_s : the event that completed the window reached the pipeline.
    t_predicted_s : the pipeline returned the prediction.
    t_publish_s : now, just before it goes to the feed.
    upstream_ms : measured delay of the cleaning software, None if not known.
    """

    t_pipeline_s: float
    t_predicted_s: float
    t_publish_s: float
    upstream_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What `hello` says that the card does not know."""

    model_sha256: str
    simulated_stream: bool
    ports: Ports
    tr_s: float  # of the session: --tr, else the card's
    engine: str = ""
    precision: str = ""
    encoding: Encoding = "json"
    heartbeat_s: float = 0.5
    upstream_delay_ms: float | None = None
    clock_uncertainty_ms: float | None = None
    approval: str = ""  # of --approval


def roi_hash(rois: Sequence[str]) -> str:
    """Return the first 12 hex digits of the SHA-256 of the names, one a line."""
    text = "\n".join(rois).encode()
    return hashlib.sha256(text).hexdigest()[:ROI_HASH_CHARS]


def pred_roi(
    prediction: BoldPrediction,
    card: Card,
    moments: Moments,
    *,
    widths: Widths | None = None,
) -> PredRoi:
    """Return the message with every ROI.

    Parameters
    ----------
    widths : of the intervals; None: the card's.
    """
    status, reasons = checked_status(prediction)
    values = prediction.values if status in ("ok", "degraded") else None
    return PredRoi(
        **_shared(prediction, card, moments),
        status=status,
        reasons=reasons,
        values=None if values is None else shortest_all(values),
        values_z=None if values is None else _z_parts(values, card),
        **roi_bounds(values, _widths(prediction, card, widths)),
        roi_hash=roi_hash(card.rois),
    )


def pred_fb(
    prediction: BoldPrediction,
    card: Card,
    moments: Moments,
    *,
    feedback: Feedback,
    widths: Widths | None = None,
) -> PredFb:
    """Return the message with the feedback value.

    What the feedback has no use for in this session is left out of the message.

    Parameters
    ----------
    feedback : as it is delivered.
    widths : of the ROIs' intervals; None: the card's. A contrast has its own.
    """
    roi, known = _fb_widths(feedback, card, widths)
    return PredFb(
        **_shared(prediction, card, moments),
        status=feedback.status,
        reasons=feedback.reasons,
        target=feedback.target,
        value=shortest(feedback.value),
        z=shortest(feedback.z),
        **fb_bounds(feedback.value, _widths(prediction, card, known), roi),
        norm=norm_part(feedback.norm),
        clipped=feedback.clipped,
        **_shown(feedback),
    )


class _Shown(TypedDict):
    percentile: float | UnsetType | None
    outlier: bool | UnsetType
    shown: float | UnsetType | None
    limited: bool | UnsetType
    reward: bool | UnsetType | None
    reward_threshold: float | UnsetType | None
    condition: str | UnsetType


def _shown(feedback: Feedback) -> _Shown:
    """Return what is shown, by the stages that the session has."""
    stages = feedback.stages
    ranged, rewarded = "range" in stages, "reward" in stages
    condition = feedback.condition
    return _Shown(
        percentile=shortest(feedback.percentile) if "percentile" in stages else UNSET,
        outlier=feedback.outlier if "winsorise" in stages else UNSET,
        shown=shortest(feedback.shown) if ranged else UNSET,
        limited=feedback.limited if ranged else UNSET,
        reward=feedback.reward if rewarded else UNSET,
        reward_threshold=shortest(feedback.reward_threshold) if rewarded else UNSET,
        condition=UNSET if condition is None else condition,
    )


def _fb_widths(
    feedback: Feedback, card: Card, widths: Widths | None
) -> tuple[int, Widths | None]:
    """Return which row of which widths is the target's.

    There are none for a contrast that was not calibrated, nor around a value that is
    smoothed: they come from errors of single volumes.
    """
    if "smooth" in feedback.stages:
        return 0, Widths({})
    if feedback.target in card.rois:
        return card.rois.index(feedback.target), widths
    if card.contrast is not None and card.contrast.name == feedback.target:
        return 0, contrast_widths(card)
    return 0, Widths({})


def _z_parts(values: Float32Array, card: Card) -> tuple[float | None, ...]:
    return tuple(shortest(z) for z in z_values(values, card.baseline))


def norm_part(norm: Norm) -> NormPart:
    """Return what the wire says about a baseline."""
    return NormPart(
        method=norm.method,
        baseline=norm.baseline,
        n=norm.n,
        n_eff=norm.n_eff,
        n_winsorised=UNSET if norm.n_winsorised is None else norm.n_winsorised,
    )


def _widths(prediction: BoldPrediction, card: Card, known: Widths | None) -> Widths:
    widths = card_widths(card.intervals) if known is None else known
    return valid_widths(prediction, widths)


def hello(card: Card, facts: SessionFacts, *, settings: FeedbackSettings) -> Hello:
    """Return what a subscriber must know once."""
    return Hello(
        versions={
            "rtbold": distribution.version(),
            "schemas": f"{SCHEMA_VERSION}.{SCHEMA_MINOR}",
        },
        schemas=tuple(schema_name(topic) for topic in TOPICS),
        subject=card.origin.subject,
        model_name=card.name,
        model_sha256=facts.model_sha256,
        model_origin=check_trained(card),
        engine=facts.engine,
        precision=facts.precision,
        simulated_stream=facts.simulated_stream,
        rate_hz=card.rate_hz,
        channels=card.channels,
        reference=card.reference,
        window_s=WINDOW_S,
        tr_s=facts.tr_s,
        rois=card.rois,
        roi_hash=roi_hash(card.rois),
        atlas=card.atlas,
        target=choose_target(card, settings.target).name,
        norm=norm_part(norm_before(settings, card)),
        slice_reference=card.slice_reference,
        horizon_tr=card.horizon_tr,
        upstream_delay_ms=facts.upstream_delay_ms,
        clock_uncertainty_ms=facts.clock_uncertainty_ms,
        encoding=facts.encoding,
        heartbeat_s=facts.heartbeat_s,
        ports=facts.ports,
        feedback=_feedback_part(settings),
        approval=facts.approval or UNSET,
    )


def _feedback_part(settings: FeedbackSettings) -> FeedbackPart | UnsetType:
    """Return how feedback is made; UNSET: as it always was."""
    if replace(settings, target=None) == FeedbackSettings():
        return UNSET
    given = asdict(settings)
    return FeedbackPart(**{name: given[name] for name in given if name != "target"})


RUN_TYPES: Final[dict[KindName, Literal["train", "transfer", "rest", "calib"]]] = {
    "localiser": "calib",
    "baseline": "rest",
    "training": "train",
    "transfer": "transfer",
}


def run_phase(
    kind: KindName,
    number: int,
    *,
    begun_s: float,
    planned_s: float | None = None,
    ended_s: float | None = None,
    stopped: bool = False,
) -> Phase:
    """Return the phase of a run without blocks; its kind says who may see feedback.

    Parameters
    ----------
    begun_s, ended_s : LSL clock; None: it goes on.
    planned_s : how long it is to go on; None: until it is stopped.
    stopped : the participant has asked to stop; nothing is shown any more.
    """
    planned_end_s = None if planned_s is None else begun_s + planned_s
    return Phase(
        run=number,
        run_type="rest" if stopped else RUN_TYPES[kind],
        block=0,
        name=kind if ended_s is None else "end",
        t_on=begun_s,
        t_off_planned=planned_end_s if ended_s is None else ended_s,
        stopped=stopped or UNSET,
    )


def protocol_phase(
    state: ProtocolNow,
    questions: Mapping[str, Question],
    *,
    answered: Collection[str] = (),
) -> Phase:
    """Return the phase of a run that follows a protocol.

    Before the first volume it has no block; after the last one its name is ``end``,
    and it carries the questions.

    Parameters
    ----------
    state : where the session is.
    questions : of the protocol, by name.
    answered : names of those that are not to be asked any more.
    """
    plan, block = state.plan, state.block
    name = {"before": "waiting", "over": "end"}.get(state.where, "")
    shown = RUN_TYPES[plan.run_type]
    asked = block.questions if block else plan.questions
    ask = asked if block or state.where == "over" else ()
    n_volumes = plan.n_volumes if block is None else block.n_volumes
    return Phase(
        run=plan.run,
        run_type=shown if shown != "train" or state.shows else "rest",
        block=0 if block is None else block.number,
        name=name or (block.name if block else ""),
        t_on=state.t_on_s,
        t_off_planned=None if block is None else state.t_on_s + n_volumes * plan.tr_s,
        protocol=plan.study,
        kind=plan.run_type,
        attempt=plan.attempt,
        n_blocks=len(plan.blocks),
        task=UNSET if block is None else block.task,
        direction=UNSET if block is None else block.direction,
        feedback="none" if block is None or state.stopped else block.feedback,
        shows_from=state.shows_from,
        first_volume=UNSET if block is None else block.first_volume,
        n_volumes=n_volumes,
        condition=UNSET if block is None else block.condition,
        instruction=plan.instruction if block is None else block.instruction,
        questions=tuple(
            QuestionPart(name=key, **msgspec.structs.asdict(questions[key]))
            for key in ask
            if key not in answered
        ),
        stopped=state.stopped,
    )


def latency(prediction: BoldPrediction, moments: Moments) -> LatencyPart:
    """Return the milliseconds per stage; null for a stage that did not run."""
    infer_ms = prediction.infer_ms
    inside_ms = 1000 * (moments.t_predicted_s - moments.t_pipeline_s)
    return LatencyPart(
        upstream=moments.upstream_ms,
        arrive=_arrive_ms(prediction),
        acquire=_ms_between(prediction.t_needed_s, moments.t_pipeline_s),
        prepare=None if infer_ms is None else round(inside_ms - infer_ms, 3),
        infer=None if infer_ms is None else round(infer_ms, 3),
        publish=_ms_between(moments.t_predicted_s, moments.t_publish_s),
    )


class _Shared(TypedDict):
    volume_index: int | None
    trigger_locked: bool
    t_trigger: float | None
    window: WindowPart
    bold_time: float
    horizon_tr: int
    model_origin: ModelOrigin
    unlikeness: float | None
    age_ms: float
    latency_ms: LatencyPart
    next_due_lsl: float | None


def _shared(prediction: BoldPrediction, card: Card, moments: Moments) -> _Shared:
    """Return what both messages of a tick say alike."""
    tick = prediction.tick
    return _Shared(
        volume_index=tick.volume_index,
        trigger_locked=tick.trigger_locked,
        # without a volume there was no trigger, only a moment to report at
        t_trigger=None if tick.volume_index is None else tick.t_trigger_s,
        window=WindowPart(t_start=prediction.t_start_s, t_end=prediction.t_end_s),
        bold_time=prediction.bold_time_s,
        horizon_tr=card.horizon_tr,
        model_origin=check_trained(card),
        unlikeness=shortest(prediction.unlikeness),
        age_ms=round(1000 * (moments.t_publish_s - prediction.t_end_s), 3),
        latency_ms=latency(prediction, moments),
        next_due_lsl=prediction.next_due_s,
    )


def _arrive_ms(prediction: BoldPrediction) -> float | None:
    """Return how long the needed sample was under way; None if that is not known."""
    t_arrived_s = prediction.t_needed_arrived_s
    if t_arrived_s is None:
        return None
    return _ms_between(prediction.t_needed_s, t_arrived_s)


def _ms_between(start_s: float | None, end_s: float) -> float | None:
    return None if start_s is None else round(1000 * (end_s - start_s), 3)


# What stands beside the predictions, as messages: EEG, bands, truth. Pure.


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
        edges_hz=tuple(MONITOR_BANDS_HZ.values()),
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
