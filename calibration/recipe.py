"""Calibration, top to bottom: read, align, predict out of fold, evaluate.

Each stage takes what the one before it returned, and none calls back. Nothing is
written; ``save.save_result`` writes what comes out.
"""

import torch

from rtbold.calibration.evaluate.select import evaluate_predictions
from rtbold.calibration.fit.protocol import Hooks
from rtbold.calibration.gather import align_scan, read_scan_files
from rtbold.calibration.predictions import predict_out_of_fold
from rtbold.calibration.result import CalibrationResult
from rtbold.calibration.settings import CalibrationSettings


def calibrate(
    settings: CalibrationSettings, hooks: Hooks | None = None
) -> CalibrationResult:
    """Return a model for one subject, with the verdict on it.

    Raises
    ------
    RtboldError : files, volumes, channels or base are not what is needed; the message
        says what to do.
    """
    hooks = hooks or Hooks()
    if settings.n_threads is not None:
        torch.set_num_threads(settings.n_threads)
    # Nothing here keeps the recording: it may be gigabytes, and the windows are enough
    scan = align_scan(read_scan_files(settings, hooks), hooks)
    predictions = predict_out_of_fold(scan, hooks)
    return evaluate_predictions(predictions, hooks)
