import dataclasses

import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.confounds import ARTEFACT, EVERYTHING, GLOBAL
from rtbold.calibration.evaluate.verdict import Evidence, label_of

GOOD = Evidence(
    r=0.5,
    r_high=0.7,
    passed=True,
    partial_r={ARTEFACT: 0.45, GLOBAL: 0.44, EVERYTHING: 0.4},
    partial_p={ARTEFACT: 0.001, GLOBAL: 0.001, EVERYTHING: 0.004},
    rank=1,
    n_rois=7,
    alpha=0.05,
)


def left(**partial):
    names = {"artefact": ARTEFACT, "world": GLOBAL, "everything": EVERYTHING}
    return {**GOOD.partial_r, **{names[key]: r for key, r in partial.items()}}


@pytest.mark.parametrize(
    ("change", "label", "words"),
    [
        ({}, "specific", "R 0.40 of 0.50 is left"),
        ({"passed": False, "r_high": 0.15}, "no signal", "below a useful 0.2"),
        ({"passed": False, "r_high": 0.4}, "undecided", "too little data"),
        ({"partial_r": {}, "partial_p": {}}, "undecided", "not controlled"),
        ({"partial_r": left(artefact=0.2)}, "explained by artefact", "0.50 to 0.20"),
        ({"partial_r": left(world=0.1)}, "global or vigilance", "0.50 to 0.10"),
        (
            {"partial_r": left(world=0.3, artefact=0.4, everything=0.2)},
            "global or vigilance",
            "without everything",
        ),
        (
            {"partial_r": left(world=0.4, artefact=0.3, everything=0.2)},
            "explained by artefact",
            "without everything",
        ),
        (
            {"partial_p": {ARTEFACT: 0.01, GLOBAL: 0.01, EVERYTHING: 0.2}},
            "undecided",
            "more minutes would decide",
        ),
        ({"rank": 5}, "global or vigilance", "4 of 6 other ROIs better"),
        ({"rank": 4}, "specific", "is left"),
        ({"rank": None}, "specific", "is left"),
        ({"rank": 1, "n_rois": 1}, "specific", "is left"),
    ],
)
def test_rules_in_order(change, label, words):
    found, reason = label_of(dataclasses.replace(GOOD, **change))
    assert found == label
    assert words in reason


def test_without_artefacts_known_nothing_is_specific():
    only_global = dataclasses.replace(
        GOOD, partial_r={GLOBAL: 0.45}, partial_p={GLOBAL: 0.001}
    )
    assert label_of(only_global)[0] == "undecided"
