from pathlib import Path

import pytest

from rtbold.calibration.live.protocol import VolumeCount
from rtbold.calibration.live.scan import LiveNumbers, in_words
from rtbold.errors import RtboldError
from rtbold.messages import MeasuredVolume

TR_S = 2.0


def counted(off, *, first=0, stamped=True, n=20):
    """Volumes whose number k has the onset of trigger k - first + off."""
    count, numbers = VolumeCount(), LiveNumbers(first)
    found = []
    for k in range(n):
        count.trigger(100.0 + TR_S * k)
        onset_s = 100.0 + TR_S * (k - 1)
        told_s = onset_s if stamped else None
        number = k - 1 + first - off
        volume = MeasuredVolume(number, ("A",), (1.0,), onset_s + TR_S, told_s)
        found.append(numbers.take(volume, count))
    return count, numbers, found


@pytest.mark.parametrize("off", [-3, -1, 1])
def test_onsets_show_another_count(off):
    count, numbers, found = counted(off)
    assert found[0] is None  # there is no rhythm yet
    assert found[-1].off_s == pytest.approx(off * TR_S)
    assert len(numbers.wrong(count)) == 20
    with pytest.raises(RtboldError, match="20 of 20"):
        numbers.require(count, Path("scan"))
    assert f"{off * TR_S:+.2f} s" in in_words(found[-1], TR_S)


def test_arrivals_show_a_source_that_is_ahead():
    count, numbers, _ = counted(-3, stamped=False)
    with pytest.raises(RtboldError, match=r"arrived -4\.00 s .*files are in scan"):
        numbers.require(count, Path("scan"))
    assert counted(0, stamped=False)[1].wrong(count) == []


@pytest.mark.parametrize("first", [0, 1])
def test_a_right_count_is_right(first):
    count, numbers, found = counted(0, first=first)
    assert found == [None] * 20
    assert numbers.wrong(count) == []
    numbers.require(count, Path("scan"))
    LiveNumbers(0).require(VolumeCount(), Path("scan"))
