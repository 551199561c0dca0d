"""The guided protocol by a hand-cranked clock: what is said, and when it is over."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rtbold.acquire.acquisition import AcquisitionSettings
from rtbold.acquire.bold_readers import BoldSource
from rtbold.calibration.inputs.alignment import Pairing
from rtbold.calibration.inputs.eeg import TimedMarker
from rtbold.calibration.live import scan as live
from rtbold.calibration.live.protocol import parse_phases
from rtbold.calibration.live.scan import (
    LATE_S,
    LEAST_S,
    LiveScan,
    LiveSettings,
    Scan,
    live_pairing,
)
from rtbold.errors import RtboldError
from rtbold.files.bold_tables import BoldWriter
from rtbold.messages import EegChunk, Marker, MeasuredVolume, SenderChanged
from rtbold.record.folder import SessionPaths

TR_S = 2.0
FIRST_S = 130.0  # first trigger; EEG since 100 s


class Crank:
    """A scan whose time goes on in tenths of a second, without streams."""

    def __init__(self, folder, phases="eyes open:40,eyes closed:20", **changes):
        self.said = []
        settings = LiveSettings(
            subject="S01",
            folder=folder,
            acquire=AcquisitionSettings(),
            source=BoldSource("lsl", "b"),
            phases=parse_phases(phases),
            **changes,
        )
        self.writer = BoldWriter(folder / "b.tsv", first=settings.first)
        self.scan = Scan(settings, self.writer, self.said.append)
        self.paths = SessionPaths(folder, "sub-S01_ses-01_task-calib_run-01")

    def run(
        self, *, until_s, triggers=1000, measured=1000, late_s=TR_S, stop_s=1e9, ahead=0
    ):
        """Crank until it is over; return when that was."""
        nothing = np.zeros((1, 0), np.float32), np.zeros(0)
        for tenth in range(1000, round(10 * until_s)):
            now_s = tenth / 10
            self.scan.take(EegChunk(*nothing, now_s, 0))
            k, phase = divmod(round(now_s - FIRST_S, 1), TR_S)
            if phase == 0 and 0 <= k < triggers:
                self.scan.take(Marker("R128", now_s, now_s))
            k, phase = divmod(round(now_s - FIRST_S - late_s, 1), TR_S)
            if phase == 0 and 0 <= k < measured:
                number = int(k) + ahead
                self.scan.take(MeasuredVolume(number, ("A",), (k,), now_s))
            if self.scan.over(now_s, now_s >= stop_s):
                return now_s
        return None


@pytest.fixture
def crank(tmp_path):
    cranks = []

    def make(*arguments):
        folder = tmp_path / str(len(cranks))
        folder.mkdir()
        cranks.append(Crank(folder, *arguments))
        return cranks[-1]

    yield make
    for each in cranks:
        each.writer.close()


def test_phases_begin_with_the_first_volume_and_are_said_once(crank):
    crank = crank()
    assert crank.run(until_s=180) is None
    phases = [text for text in crank.said if "phase" in text]
    assert [text.split(":")[0] for text in phases] == [
        "phase 1 of 2, 40 s",
        "phase 2 of 2, 20 s",
    ]
    assert any("waiting for the first volume" in text for text in crank.said)
    assert any("measured, about" in text for text in crank.said)


def test_it_is_over_when_the_last_volume_of_the_protocol_is_measured(crank):
    crank = crank()
    over_s = crank.run(until_s=300, late_s=2 * TR_S)
    # volume 30 begins as the protocol ends, and is measured two TRs later
    assert over_s == pytest.approx(FIRST_S + 60 + 2 * TR_S, abs=0.15)
    scan = crank.scan.result(crank.paths)
    assert (scan.first, scan.last) == (0, 30)
    assert scan.n_usable == 31  # the EEG began half a minute before


def test_it_does_not_wait_for_ever_for_what_is_not_exported(crank):
    crank = crank()
    over_s = crank.run(until_s=300, measured=20)
    assert over_s == pytest.approx(FIRST_S + 60 + LATE_S, abs=0.3)
    assert crank.scan.result(crank.paths).last == 19


def test_ctrl_c_ends_the_scan_and_keeps_what_there_is(crank):
    crank = crank()
    over_s = crank.run(until_s=300, stop_s=160.0)
    assert 160 <= over_s < 163
    assert crank.scan.result(crank.paths).last == 15


def test_a_recording_that_came_after_the_first_triggers_is_told_and_not_fitted(crank):
    """The source is three volumes ahead of the triggers that were heard."""
    crank = crank()
    crank.run(until_s=300, ahead=3)
    (told,) = [text for text in crank.said if text.startswith("NUMBERS")]
    assert "missed the scan's first triggers" in told
    with pytest.raises(RtboldError, match=r"not those of their number.*--drop-volumes"):
        crank.scan.result(crank.paths)


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ({"measured": 0}, "no measured volume came"),
        ({"triggers": 0, "measured": 0}, "no volume trigger came"),
    ],
)
def test_a_scan_without_triggers_or_measurement_says_which(crank, counts, match):
    crank = crank()
    crank.run(until_s=300, stop_s=200.0, **counts)
    with pytest.raises(RtboldError, match=match):
        crank.scan.result(crank.paths)


def test_a_protocol_that_is_too_short_to_calibrate_on_is_warned_about(crank):
    assert "too short" in crank().said[0]
    assert crank(f"rest:{LEAST_S + 1:g}").said == []


@dataclass
class Recorded:
    """Ten triggers, and EEG up to `last_s`."""

    last_s: float
    markers = tuple(TimedMarker("R128", FIRST_S + TR_S * n) for n in range(10))


@pytest.mark.parametrize(("after_last_s", "n_late"), [(0.1, 0), (-0.1, 1)])
def test_a_trigger_after_the_last_sample_costs_that_volume_only(
    monkeypatch, after_last_s, n_late
):
    eeg = Recorded(FIRST_S + 7 * TR_S + after_last_s)
    monkeypatch.setattr(live, "read_eeg", lambda path, **options: eeg)
    scan = LiveScan(eeg=Path("a"), bold=Path("b"), first=2, last=7, n_usable=0)
    found = live_pairing(scan, Pairing(tr_s=TR_S))
    assert found == Pairing(
        tr_s=TR_S, dummy_volumes=2, spare_triggers=2 + n_late, drop_last_volumes=n_late
    )


@pytest.mark.parametrize(("stream", "what"), [("eeg", "EEG"), ("marker", "triggers")])
def test_a_scan_of_two_senders_is_told_and_not_fitted(crank, stream, what):
    crank = crank()
    crank.run(until_s=150)
    crank.scan.take(SenderChanged(stream, is_other=True))
    crank.scan.take(SenderChanged(stream, is_other=False))
    crank.run(until_s=300)
    told = [text for text in crank.said if text.startswith("SENDER")]
    assert [what in text for text in told] == [True, True]
    with pytest.raises(RtboldError, match=f"the {what} came from two senders.*--eeg"):
        crank.scan.result(crank.paths)


def test_measured_bold_of_two_senders_is_not_fitted_either(crank):
    crank = crank()
    crank.run(until_s=300)
    crank.scan.take(MeasuredVolume(31, ("A",), (0.0,), 300.0, two_senders=True))
    with pytest.raises(RtboldError, match="the measured BOLD came from two senders"):
        crank.scan.result(crank.paths)
