"""The work behind ``rtbold calibrate``, and what is said of its result."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rtbold.bundle.store import Bundle
    from rtbold.calibration.result import CalibrationResult
    from rtbold.calibration.save import Saved, Told
    from rtbold.calibration.settings import CalibrationSettings
    from rtbold.cli.progress_lines import ProgressLines


def fit_and_save(settings: "CalibrationSettings", *, as_json: bool) -> None:
    """Calibrate, write the bundle, and say what came out."""
    import datetime
    import time

    from rtbold.bundle.subjects import check_room
    from rtbold.calibration.recipe import Hooks, calibrate
    from rtbold.calibration.save import save
    from rtbold.cli.progress_lines import ProgressLines

    check_room(settings.root)
    lines = ProgressLines(now_s=time.monotonic)
    hooks = Hooks(say=lines.say, tell=lines.tell, now_s=time.monotonic)
    result = calibrate(settings, hooks)
    lines.say("writing the model and its report")
    saved = save(result, datetime.datetime.now(datetime.UTC), _onto(lines))
    lines.say("compiling it for this machine")
    compiled = _compiled(saved.bundle)
    lines.end()
    for line in (*summary_lines(result, saved), compiled):
        typer.echo(line, err=as_json)
    if as_json:
        typer.echo(as_object(result, saved))


def _onto(lines: "ProgressLines") -> "Told":
    """Return what shows how much of the report is done."""
    from rtbold.calibration.progress import Progress

    return lambda share: lines.tell(Progress("report", round(100 * share), 100, None))


def summary_lines(result: "CalibrationResult", saved: "Saved") -> list[str]:
    """Return what a researcher wants to know at once."""
    from rtbold.calibration.summary import summary

    return [
        *summary(result),
        f"model    {saved.bundle.path}",
        f"report   {saved.report}",
        f"lab log  {saved.log_line}",
    ]


def _compiled(bundle: "Bundle") -> str:
    """Compile for this machine's engine; what is not possible is no error here."""
    import time

    from rtbold.engine.openvino_compile import CompileSettings, compile_precisions
    from rtbold.errors import RtboldError

    try:
        tried = compile_precisions(
            bundle, ["f32"], CompileSettings(now_s=time.perf_counter)
        )
    except RtboldError as error:
        return f"engine   not compiled: {error}"
    record = tried[0].record
    if record is None or not record.accepted:
        return f"engine   OpenVINO f32 cannot be used: {tried[0].note}"
    return f"engine   OpenVINO f32, {record.worst:.1e} off PyTorch at most"


def as_object(result: "CalibrationResult", saved: "Saved") -> str:
    """Return the verdict, and where the model is, as one JSON object."""
    import msgspec

    found = {
        "subject": result.settings.subject,
        "bundle": str(saved.bundle.path),
        "sha256": saved.bundle.sha256,
        "report": str(saved.report),
        "simulated": result.simulated,
        "fit_for_feedback": result.verdict.fit_for_feedback,
        **msgspec.to_builtins(result.verdict),
        "ridge": msgspec.to_builtins(result.ridge_verdict.gate),
        "horizon_tr": result.choice.horizon_tr,
        "horizon_r": {str(h): s.r for h, s in result.choice.horizons.items()},
        "published_split_r": result.published and dict(result.published.roi_r),
        "not_checked": result.not_checked,  # whether the base has seen this scan
        "interrupted": result.interrupted,
    }
    return msgspec.json.encode(found).decode()
