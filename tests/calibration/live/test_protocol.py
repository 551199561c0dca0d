import pytest

from rtbold.calibration.live.protocol import Phase, VolumeCount, parse_phases, phase_at
from rtbold.errors import ConfigError

TR_S = 2.0


def counted(n, *, holes=(), missed=(), late_eeg_s=0.0, **settings):
    """A scan that begins at 100 s, with EEG since 90 s (plus what it was late)."""
    count = VolumeCount(**settings)
    every = settings.get("trigger_every", 1)
    for tenth in range(round(10 * (10 + n * TR_S))):
        t_s = 90 + late_eeg_s + tenth / 10
        if not any(first <= t_s < end for first, end in holes):
            count.eeg(t_s)
    for k in range(n * every):
        if k not in missed:
            count.trigger(100 + k * TR_S / every)
    return count


def test_volumes_with_sixteen_seconds_of_eeg_and_a_measurement_are_usable():
    count = counted(50)
    assert (count.n_volumes, count.n_usable) == (50, 0)
    for index in range(40):
        count.volume(index)
    # volumes 0 to 2 began less than 16 s after the EEG
    assert count.n_usable == 37


def test_a_hole_in_the_eeg_costs_the_windows_over_it():
    count = counted(50, holes=[(140.0, 142.0)])
    for index in range(50):
        count.volume(index)
    # from 140 s on, until a window begins after 142 s: onsets 140 to 156
    assert count.n_usable == 47 - 9


def test_missed_triggers_are_counted_by_time():
    count = counted(50, missed=(10, 11, 30))
    assert count.n_volumes == 50
    assert count.tr_s == TR_S


@pytest.mark.parametrize("every", [1, 4])
def test_dummies_and_slices(every):
    count = counted(50, dummy_volumes=5, trigger_every=every)
    assert count.begun_s == 110.0
    assert count.n_volumes == 45
    count.volume(-1)
    count.volume(0)
    assert count.n_usable == 1


def test_before_there_is_a_rhythm_nothing_is_usable():
    count = VolumeCount()
    count.volume(0)
    assert (count.n_volumes, count.n_usable, count.begun_s) == (0, 0, None)
    count.trigger(3.0)
    assert (count.tr_s, count.begun_s) == (None, 3.0)


def test_phases_follow_each_other():
    phases = parse_phases("eyes open:20, eyes closed:10,tapping: left:5")
    assert phases == (
        Phase("eyes open", 20.0),
        Phase("eyes closed", 10.0),
        Phase("tapping: left", 5.0),
    )
    assert phase_at(phases, 0.0) == (0, 20.0)
    assert phase_at(phases, 20.0) == (1, 10.0)
    assert phase_at(phases, 34.0) == (2, 1.0)
    assert phase_at(phases, 35.0) is None
    assert "CLOSED" in phases[1].instruction
    assert phases[2].instruction == "tapping: left"


@pytest.mark.parametrize(
    "text", ["", "eyes open", ":20", "a:0", "a:-1", "a:x", "a:1,", "a:nan"]
)
def test_phases_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match="expected NAME:SECONDS"):
        parse_phases(text)
