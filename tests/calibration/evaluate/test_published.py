"""The published split is for comparison: a scan too short for it is no failure."""

from types import SimpleNamespace

import numpy as np

from rtbold.calibration.evaluate.select import published_score
from rtbold.calibration.fit.split import StrictSettings, strict_folds

TR_S = 2.1


def test_a_scan_that_the_verdict_can_judge_may_be_too_short_for_it():
    onsets_s = TR_S * np.arange(178)
    assert strict_folds(onsets_s, StrictSettings())
    session = SimpleNamespace(measured=SimpleNamespace(onsets_s=onsets_s))
    assert published_score(session, SimpleNamespace(), SimpleNamespace()) is None
