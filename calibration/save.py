"""A calibration as files: a bundle in the subject's folder, all of it or nothing."""

import datetime
import errno
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.bundle import store as bundles
from rtbold.bundle.card import Card
from rtbold.bundle.check_windows import CHECK_NAME
from rtbold.bundle.store import Bundle
from rtbold.bundle.subjects import reserved_folder
from rtbold.calibration.evaluate.likeness import FeatureScale
from rtbold.calibration.report.build import Made, Sources, report_content
from rtbold.calibration.report.page import report_html
from rtbold.calibration.result import CalibrationResult
from rtbold.calibration.subject_card import N_CHECK_WINDOWS, card_of
from rtbold.errors import RtboldError
from rtbold.messages import Float32Array
from rtbold.models.export.checks import check_file
from rtbold.models.export.onnx import to_onnx, to_safetensors

SERIES_NAME: Final = "out_of_fold.npz"
REPORT_NAME: Final = "report.html"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
Told = Callable[[float], None]


def untold(share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written."""

    bundle: Bundle
    report: Path
    log_line: str


def save(
    result: CalibrationResult, now: datetime.datetime, told: Told = untold
) -> Saved:
    """Write the bundle of a calibration with its report; earlier ones are not touched.

    Parameters
    ----------
    now : aware of its time zone; names the bundle.
    told : is told the share of the report that is done.

    Raises
    ------
    RtboldError : it cannot be written, as on a full disk; nothing is left behind.
    """
    settings = result.settings
    with reserved_folder(settings.root, settings.subject, now) as folder:
        card = card_of(result, now)
        contents = _model(result, len(card.channels))
        contents[SERIES_NAME] = series_file(result)
        contents[REPORT_NAME] = _report(result, card, folder, now, told)
        written = _write(folder, card, contents)
    return Saved(written, written.path / REPORT_NAME, log_line(result, written, now))


def _model(result: CalibrationResult, n_channels: int) -> dict[str, bytes | Path]:
    """Return the model's files: its graph, its weights, windows to check engines on."""
    module = result.module()
    scale = FeatureScale.of(result.head_inputs)
    return {
        CHECK_NAME: check_file(module, check_windows(result.windows)),
        "model.onnx": to_onnx(module, n_channels, watch=(scale.mean, scale.sd)),
        "weights.safetensors": to_safetensors(module, result.lineage),
    }


def _report(
    result: CalibrationResult,
    card: Card,
    folder: Path,
    now: datetime.datetime,
    told: Told,
) -> bytes:
    scan = result.settings.scan
    named = [scan.eeg, Path(scan.bold), *scan.other_eeg, scan.confounds, scan.atlas]
    sources = Sources(
        files={p.name: _sha256(p) for p in named if p is not None and p.is_file()},
        software=card.software,
    )
    made = Made(
        bundle=folder.name,
        created=now.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sources=sources,
    )
    return report_html(report_content(result, made, told)).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(folder: Path, card: Card, contents: dict[str, bytes | Path]) -> Bundle:
    try:
        return bundles.write(folder, card, contents)
    except OSError as error:
        what = "the disk is full" if error.errno in _FULL else error.strerror or error
        raise RtboldError(
            f"the model could not be written to {folder}: {what}. Nothing of it was "
            "left behind, and earlier models are as they were. Make room or choose "
            "another folder with --root, and calibrate again."
        ) from error


def check_windows(windows: Float32Array, n: int = N_CHECK_WINDOWS) -> Float32Array:
    """Return windows spread over the scan, for ``check.npz``."""
    spread = np.linspace(0, len(windows) - 1, n).round().astype(int)
    chosen: Float32Array = windows[spread]
    return chosen


def series_file(result: CalibrationResult) -> bytes:
    """Return what was predicted out of fold beside what was measured, as NPZ.

    One row a volume that has a window: ``volume``, ``onsets_s``, ``fold``; per ROI
    ``predicted`` and ``measured`` in model units, ``scored`` in the scanner's.
    """
    folded, scan = result.folded, result.gathered.scan
    fold = np.full(len(scan), -1)
    for number, each in enumerate(folded.folds):
        fold[each.part.test] = number
    file = io.BytesIO()
    np.savez_compressed(
        file,
        rois=np.array(scan.rois),
        volume=scan.volume,
        onsets_s=result.measured.onsets_s,
        fold=fold,
        predicted=getattr(folded, result.choice.kept).astype(np.float32),
        measured=folded.target.astype(np.float32),
        scored=folded.scored.astype(np.float32),
    )
    return file.getvalue()


def log_line(result: CalibrationResult, written: Bundle, now: datetime.datetime) -> str:
    """Return one line for a lab's log, tab-separated."""
    gate, card = result.verdict.gate, written.card
    fields = (
        now.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        result.settings.subject + (" SIMULATED" if result.simulated else ""),
        written.path.name,
        f"{result.gathered.scan.name} + {Path(result.settings.scan.bold).name}",
        f"{gate.target}: {gate.label}",
        f"R {gate.r:.3f} ({gate.r_low:.3f} to {gate.r_high:.3f}), p {gate.p:.2g}",
        f"{result.verdict.n_volumes} volumes, TR {card.tr_s:g} s",
        f"{card.fitting.strategy if card.fitting else ''}, horizon {card.horizon_tr}",
        f"sha256 {written.sha256[:16]}",
    )
    return "\t".join(fields)
