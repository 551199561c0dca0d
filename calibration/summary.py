"""A calibration in a few lines of plain words. Pure."""

from collections.abc import Iterator, Mapping

from rtbold.calibration.inputs.alignment import alignment_lines
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.result import CalibrationResult, PublishedScore
from rtbold.calibration.settings import NOTHING
from rtbold.verdict import Gate, Label

_ALLOWS: dict[Label, str] = {
    "specific": "fit for feedback",
    "global or vigilance": "not fit for feedback on a region",
    "explained by artefact": "not fit for feedback",
    "undecided": "not fit for feedback yet: this scan cannot decide",
    "no signal": "not fit for feedback",
}


def summary(result: CalibrationResult) -> list[str]:
    """Return what a researcher wants to know, before and after the verdict."""
    return [
        *(f"         {line}" for line in alignment_lines(result.gathered.alignment)),
        *_warnings(result),
        *(f"note     {reason}" for reason in result.choice.reasons),
        *_scores(result),
        *_verdict(result),
    ]


def _warnings(result: CalibrationResult) -> Iterator[str]:
    if result.simulated:
        yield "SIMULATED data: nothing here says anything about a real brain"
    if result.interrupted:
        yield "interrupted: the best so far was kept"
    if result.not_checked:
        yield f"warning  {result.not_checked}"
    if warning := result.gathered.lag.warning:
        yield f"warning  {warning}"
    yield from _volumes(result.gathered.scan)


def _volumes(scan: CalibrationScan) -> Iterator[str]:
    """Tell what was left out or is degraded; a volume may have several reasons."""
    n = len(scan.bold)
    if why := _listed(scan.why_left_out):
        yield f"         {n - len(scan)} of {n} volumes have no window: {why}"
    if why := _listed({str(reason): k for reason, k in scan.degraded.items()}):
        yield f"         of {len(scan)} windows that are used some are degraded: {why}"


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.items())


def _scores(result: CalibrationResult) -> Iterator[str]:
    gate = result.verdict.gate
    yield f"R        {gate.target}: {_r(gate)}, p {gate.p:.2g}, out of fold, no drift"
    ridge = result.ridge_verdict.gate
    if ridge is not gate:
        yield f"ridge    {gate.target}: {_r(ridge)} on the same folds"
    if result.ridge_is_better:
        yield (
            "         the subject's ridge is better; to keep it: the same command "
            "with --strategy ridge"
        )
    ahead = result.choice.horizons
    if len(ahead) > 1:
        told = ", ".join(f"{h}: {score.r:.3f}" for h, score in sorted(ahead.items()))
        yield f"ahead    R by volumes ahead: {told}; kept: {result.choice.horizon_tr}"
    yield f"paper    {_published(result.published)}"


def _published(score: PublishedScore | None) -> str:
    if score is None:
        return "the published split needs a longer scan (it is for comparison only)"
    mean = sum(score.roi_r.values()) / len(score.roi_r)
    return (
        f"mean R {mean:.3f} on the last {score.n_test} volumes (published split, for "
        "comparison only)"
    )


def _r(gate: Gate) -> str:
    return f"{gate.r:.3f} (95 % {gate.r_low:.3f} to {gate.r_high:.3f})"


def _verdict(result: CalibrationResult) -> Iterator[str]:
    gate = result.verdict.gate
    yield f"verdict  {gate.target}: {gate.label}: {_ALLOWS[gate.label]} ({gate.reason})"
    if not_known := result.verdict.specificity.not_known:
        yield f"         not controlled for: {', '.join(not_known)}"
    if result.choice.kept == "ridge_live" and result.settings.base == NOTHING:
        yield (
            "         to start from a trained network: --base BUNDLE (rtbold models "
            "list)"
        )
