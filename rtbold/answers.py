"""The answers of the pipeline to one tick, from null to judged."""

from collections.abc import Callable
from dataclasses import replace

from rtbold.bundle.card import Card
from rtbold.messages import WINDOW_S, BoldPrediction, Float32Array, Tick
from rtbold.predict.likeness import Likeness
from rtbold.predict.status import StatusReasons, with_fact

Model = Callable[[Float32Array], Float32Array]  # (1, channels, 3200) -> (1, rois)


def feature_distance(model: Model) -> float | None:
    """Return how far out the last call's features were; None: it does not say.

    An attribute and no second result: most engines and every test answer BOLD alone.
    """
    found: Float32Array | None = getattr(model, "feature_distance", None)
    return None if found is None else float(found[0])


def null_answer(
    tick: Tick,
    known: StatusReasons,
    card: Card,
    *,
    t_trigger_s: float,
    tr_s: float,
) -> BoldPrediction:
    """Return the answer to `tick` without values.

    Parameters
    ----------
    t_trigger_s : of the tick, on this machine's LSL clock.
    """
    shift_tr = (card.slice_reference or 0.0) + card.horizon_tr
    return BoldPrediction(
        tick=replace(tick, t_trigger_s=t_trigger_s),
        t_start_s=t_trigger_s - WINDOW_S,
        t_end_s=t_trigger_s,
        bold_time_s=t_trigger_s + shift_tr * tr_s,
        status=known.status,
        reasons=known.reasons,
        values=None,
        next_due_s=t_trigger_s + tr_s,
    )


def compared(answer: BoldPrediction, likeness: Likeness) -> BoldPrediction:
    """Return an answer that says whether its EEG is like the calibration's."""
    answer = replace(answer, unlikeness=likeness.unlikeness)
    return answer if likeness.fact is None else with_fact(answer, likeness.fact)
