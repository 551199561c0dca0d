from pathlib import Path

import pytest

from rtbold.acquire.bold_readers import BoldSource
from rtbold.acquire.triggers import TriggerStream
from rtbold.bundle.card import Cleaning
from rtbold.calibration.inputs.alignment import Pairing
from rtbold.calibration.inputs.triggers import MarkerChoice
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.cli.calibrate_live import (
    LiveOptions,
    check_inputs,
    live_settings,
    recorded,
)
from rtbold.errors import ConfigError


def settings(folder, **marker):
    pairing = Pairing(marker=MarkerChoice(**marker), dummy_volumes=3)
    scan = ScanFiles(eeg=Path(), bold="", stream="RecView", pairing=pairing)
    return CalibrationSettings(
        subject="S01", scan=scan, cleaning=Cleaning(), root=folder
    )


def options(**changes):
    fields = {
        "source": "lsl:bold", "rois": (), "first": 0, "phases": "rest:900",
        "record": Path("recordings"), "wait_s": 1.0,
    }  # fmt: skip
    return LiveOptions(**{**fields, **changes})


@pytest.mark.parametrize(
    ("eeg", "bold", "live", "match"),
    [
        (None, None, False, "--eeg is missing, expected .* or --live"),
        (Path("a.xdf"), None, False, "--bold is missing"),
        (Path("a.xdf"), None, True, "--live records the scan"),
        (None, "b.tsv", True, "--live records the scan"),
    ],
)
def test_a_scan_is_named_or_recorded(eeg, bold, live, match):
    with pytest.raises(ConfigError, match=match):
        check_inputs(eeg, bold, live=live)
    check_inputs(Path("a.xdf"), "b.tsv", live=False)
    check_inputs(None, None, live=True)


def test_the_options_of_a_calibration_say_what_is_recorded(tmp_path):
    given = settings(tmp_path, label="R128", stream="Markers", every=2)
    live = live_settings(given, options(first=1))
    assert live.source == BoldSource("lsl", "bold")
    assert live.acquire.query.name == "RecView"
    assert isinstance(live.acquire.trigger, TriggerStream)
    assert live.acquire.trigger.query.name == "Markers"
    found = (live.trigger_label, live.trigger_every, live.dummy_volumes, live.first)
    assert found == ("R128", 2, 3, 1)
    assert [phase.duration_s for phase in live.phases] == [900.0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"source": None}, "--bold-source lsl:NAME"),
        ({"source": "bold"}, "--bold-source is 'bold'"),
        ({"source": "tbv:mri"}, "--bold-roi NAME"),
        ({"phases": "rest"}, "NAME:SECONDS"),
        ({"first": 1_000_000}, "--bold-first is 1000000"),
        ({"wait_s": -1.0}, "--wait"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_the_scan(tmp_path, changes, match):
    with pytest.raises(ConfigError, match=match):
        live_settings(settings(tmp_path, label="R128"), options(**changes))


def test_triggers_must_be_named(tmp_path):
    with pytest.raises(ConfigError, match="--trigger-stream NAME"):
        live_settings(settings(tmp_path), options())


def test_a_target_is_declared_before_the_scan(tmp_path):
    with pytest.raises(ConfigError, match=r"no target was given.*before the scan"):
        recorded(settings(tmp_path), options(rois=("Putamen", "Cuneus")))
