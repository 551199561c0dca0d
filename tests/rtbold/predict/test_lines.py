"""How large a line may be: by the stated rule, and by a card that lists its lines."""

import msgspec
import numpy as np
import pytest

from rtbold.bundle.card import KnownLine, KnownLines, LikenessReference, Spread
from rtbold.calibration.evaluate.ood import (
    known_lines,
    lines_of,
    ood_reference,
    statistics_of,
)
from rtbold.condition.lines import Line, WindowLines
from rtbold.errors import ConfigError
from rtbold.predict.lines import LineCheck, LineSettings
from rtbold.predict.ood import OodMonitor, OodSettings

RATE_HZ, TR_S, N_CHANNELS = 200.0, 2.1, 6
T_S = np.arange(3200) / RATE_HZ
BAND_UV2 = 10.0  # of every channel and band
LOCKED_HZ = 36 / TR_S
GAIN = np.array([1.0, -0.8, 0.6, -1.2, 0.9, -0.5])


def card_eeg(lines=None):
    table = ((float(np.log(BAND_UV2)),) * 5,) * N_CHANNELS
    return LikenessReference(log_power=table, lines=lines)


def window(course=0.0, seed=0):
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((N_CHANNELS, 3200)))
    hz = np.fft.rfftfreq(3200, 1 / RATE_HZ)
    data = np.fft.irfft(spectrum / np.maximum(hz, 0.5) ** 0.5, 3200)
    data = 8 * data / data.std() + np.outer(GAIN, course + np.zeros(3200))
    return (data - data.mean(axis=1, keepdims=True)).astype(np.float32)


def tone(hz, amplitude_uv):
    return amplitude_uv * np.sin(2 * np.pi * hz * T_S + 1.0)


def scored(course, lines=None, tr_s=TR_S, **given):
    check = LineCheck(card_eeg(lines), LineSettings(), tr_s=tr_s)
    return check(window(course), **given)


def test_without_a_line_nothing_is_near_the_limit():
    assert scored(0.0) < 0.5


@pytest.mark.parametrize("hz", [21.5, 33.0, 43.0])
def test_a_line_that_the_card_does_not_list_is_beyond_the_limit(hz):
    assert scored(tone(hz, 4.0)) > 1
    assert scored(tone(hz, 4.0), KnownLines()) > 1


def test_what_a_scan_leaves_may_be_larger_on_a_card_that_lists_nothing():
    for hz in (LOCKED_HZ, 50.0, 60.0):
        assert 0 < scored(tone(hz, 1.8)) < 1
        assert scored(tone(hz, 1.8), KnownLines()) > 1
        assert scored(tone(hz, 12.0)) > 1


def test_what_is_locked_is_asked_of_the_sessions_own_tr():
    assert scored(tone(LOCKED_HZ, 3.0)) < 1
    assert scored(tone(LOCKED_HZ, 3.0), tr_s=2.0) > 1


def test_where_the_slice_rate_is_known_only_its_multiples_may_be_larger():
    def at(hz, slices):
        check = LineCheck(card_eeg(), LineSettings(), tr_s=TR_S, slices_per_tr=slices)
        return check(window(tone(hz, 4.0)))

    assert at(LOCKED_HZ, 36) == at(LOCKED_HZ, None) < 1
    assert at(2 * LOCKED_HZ, 36) < 1
    assert at(LOCKED_HZ, 38) > 1


def test_a_line_of_the_calibration_is_no_surprise_but_more_of_it_is():
    known = KnownLine(low_hz=42.9, high_hz=43.1, mean_uv2=8.0, channel_uv2=12.0)
    listed = KnownLines(lines=(known,))
    assert scored(tone(43.0, 4.0), listed) < 1
    assert scored(tone(43.0, 12.0), listed) > 1
    assert scored(tone(44.0, 4.0), listed) > 1  # another line


def test_a_channel_that_was_interpolated_does_not_tell():
    check = LineCheck(card_eeg(), LineSettings(), tr_s=TR_S)
    broken = window()
    broken[2] += tone(43.0, 20.0).astype(np.float32)
    assert check(broken) > 1
    assert check(broken, skip=[2]) < 1


def test_a_comb_is_held_against_the_calibrations():
    template = np.random.default_rng(5).standard_normal(round(TR_S * RATE_HZ))
    course = 5 * template[np.arange(3200) % template.size]
    assert scored(course) > 1
    assert scored(course, KnownLines(comb=0.1)) > 1
    found = lines_of([window(course)[None]], tr_s=TR_S)
    assert scored(course, known_lines(found)) < 1


def line(hz, uv2, known_to_hz=0.03):
    return Line(hz, np.full(N_CHANNELS, uv2), True, known_to_hz)


def test_a_card_lists_what_windows_had_again_and_again():
    usual = [
        WindowLines((line(18.09 + 0.01 * (n % 2), 2.0 + n % 3), line(50.0, 1.0)), 0.1)
        for n in range(100)
    ]
    usual[40] = WindowLines((line(33.0, 50.0),), 0.5)  # once in a hundred
    found = known_lines(usual)
    assert [(each.low_hz, each.high_hz) for each in found.lines] == [
        (18.09, 18.1), (50.0, 50.0),
    ]  # fmt: skip
    assert [each.mean_uv2 for each in found.lines] == [4.0, 1.0]
    assert found.comb == 0.5
    assert known_lines([WindowLines((), None)]) == KnownLines()


def test_a_calibration_writes_its_lines_and_the_monitor_reads_them():
    scan = np.stack([window(tone(50.0, 3.0), seed) for seed in range(90)])
    lines = lines_of([scan], tr_s=TR_S)
    reference = ood_reference(statistics_of([scan]), lines=lines)
    again = msgspec.json.decode(msgspec.json.encode(reference), type=LikenessReference)
    assert again == reference
    monitor = OodMonitor(again, tr_s=TR_S, settings=OodSettings(lines=LineSettings()))
    usual = window(tone(50.0, 3.0), seed=500)
    assert monitor(usual).fact is None
    assert monitor(usual + window(tone(43.0, 5.0), 1) - window(seed=1)).fact == "unlike"


def test_a_session_of_before_lines_were_looked_for_is_judged_as_it_was():
    spreads = {"level": Spread(low=-1e9, middle=0.0, high=1e9)}
    reference = msgspec.structs.replace(
        ood_reference(statistics_of([np.stack([window(seed=n) for n in range(60)])])),
        spreads=spreads,
    )
    old = msgspec.json.decode(b'{"sustained_s": 60.0}', type=OodSettings)
    assert old.lines is None
    noisy = window(tone(43.0, 15.0))
    assert OodMonitor(reference, tr_s=TR_S, settings=old)(noisy).fact is None
    today = OodSettings(lines=LineSettings())
    kept = msgspec.json.decode(msgspec.json.encode(today), type=OodSettings)
    assert kept == today
    assert OodMonitor(reference, tr_s=TR_S, settings=kept)(noisy).fact == "unlike"


def test_settings_that_make_every_window_unlike_are_refused():
    with pytest.raises(ConfigError, match="share is 0"):
        LineSettings(share=0)
