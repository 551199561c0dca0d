import hashlib
import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from scipy.signal import butter, hilbert, sosfiltfilt

from rtbold.errors import ConfigError
from rtbold.sim.artefacts import Scene, _muscle
from rtbold.sim.bold import filtered_target
from rtbold.sim.brain import (
    DECLARED,
    RHYTHMS,
    SourceActivity,
    _arousal_share,
    draw_body,
    draw_brain,
)
from rtbold.sim.head import read_leadfield, read_rois
from rtbold.sim.settings import (
    ANYWHERE,
    DEMO_SEED,
    FIELD_TEST_SEEDS,
    FIELD_TRAIN_SEEDS,
    FIELD_VALIDATION_SEEDS,
    FOREIGN_DEVELOPMENT_SEEDS,
    FOREIGN_TEST_SEEDS,
    LEVEL_NAMES,
    LEVELS,
    NEUROBOLT_CHANNELS,
    TEST_SEEDS,
    TRAIN_SEEDS,
    VALIDATION_SEEDS,
    TwinSettings,
    varied_parameters,
)
from rtbold.sim.twin import (
    _worn,
    simulate,
    simulate_base,
    source_amplitudes,
    steady_eeg_uv,
)


@cache
def session(level="hard", seed=1000, duration_s=60.0, **options):
    settings = TwinSettings(seed=seed, level=level, duration_s=duration_s, **options)
    return simulate(settings)


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("level", LEVEL_NAMES)
def test_a_session_is_whole(level):
    recording = session(level)
    assert recording.eeg_uv.shape == (26, 60 * 200)
    assert recording.eeg_uv.dtype == np.float32
    assert np.isfinite(recording.eeg_uv).all()
    n_volumes = recording.volume_onsets_s.size
    assert recording.bold.shape == recording.bold_truth.shape == (n_volumes, 64)
    assert np.isfinite(recording.bold).all()
    assert len(recording.roi_names) == 64
    assert [c.label for c in recording.channels] == list(NEUROBOLT_CHANNELS)
    assert recording.t_eeg_s[-1] == pytest.approx(60 - 1 / 200)


def test_the_same_settings_give_the_same_session():
    again = simulate(TwinSettings(seed=1000, level="hard", duration_s=60.0))
    np.testing.assert_array_equal(again.eeg_uv, session().eeg_uv)
    np.testing.assert_array_equal(again.bold, session().bold)


def test_another_seed_is_another_brain():
    a, b = session().drive, session(seed=1001).drive
    assert np.mean([abs(correlation(x, y)) for x, y in zip(a, b, strict=True)]) < 0.5


def test_volumes_begin_where_the_settings_say_and_never_on_a_sample():
    onsets_s = session().volume_onsets_s
    np.testing.assert_allclose(onsets_s, 1.0025 + 2.1 * np.arange(onsets_s.size))
    assert onsets_s[-1] < 60 <= onsets_s[-1] + 2.1
    off_grid = np.abs(onsets_s * 200 - np.round(onsets_s * 200))
    assert off_grid.min() > 0.4


@pytest.mark.parametrize("seed", [1000, 1001, 1002])
def test_amplitude_is_that_of_eeg(seed):
    rms_uv = np.sqrt(np.mean(session("easy", seed).eeg_uv ** 2))
    assert 9.9 < rms_uv < 15.2


def test_bold_follows_its_drive_by_four_to_seven_seconds():
    recording = session("easy", duration_s=300.0)
    lags_s = np.arange(0.0, 12.0, 0.5)
    for roi in (0, 20, 45):
        r = [
            correlation(
                np.interp(
                    recording.volume_onsets_s - lag_s,
                    recording.drive_t_s,
                    recording.drive[roi],
                ),
                recording.bold_truth[:, roi],
            )
            for lag_s in lags_s
        ]
        assert max(r) > 0.85
        assert 4.0 <= lags_s[int(np.argmax(r))] <= 8.0


def test_occipital_alpha_falls_when_visual_drive_rises_at_the_same_moment():
    recording = session("easy", duration_s=300.0)
    sos = butter(4, (8, 12), "band", fs=200, output="sos")
    row = NEUROBOLT_CHANNELS.index("Oz")
    alpha = np.log(np.abs(hilbert(sosfiltfilt(sos, recording.eeg_uv[row]))) + 1e-3)
    alpha = np.convolve(alpha, np.ones(800) / 800, mode="same")[::200]
    roi = recording.roi_names.index("Occipital pole")
    r = {}
    for lag_s in (-20, 0, 20):
        t_s = np.arange(alpha.size) + lag_s
        drive = np.interp(t_s, recording.drive_t_s, recording.drive[roi])
        r[lag_s] = correlation(alpha, drive)
    assert r[0] < -0.4
    assert abs(r[-20]) < 0.3
    assert abs(r[20]) < 0.3


def test_measured_bold_is_the_truth_plus_what_the_level_adds():
    for level, low, high in (("easy", 0.9, 1.0), ("hard", 0.6, 0.95)):
        recording = session(level, duration_s=300.0)
        r = [
            correlation(recording.bold[:, i], recording.bold_truth[:, i])
            for i in range(64)
        ]
        assert low < np.mean(r) < high


def test_on_level_confound_the_eeg_follows_another_brain():
    settings = TwinSettings(seed=1000, level="confound", duration_s=600.0)
    rois = read_rois()
    cause, decoy = (draw_brain(settings, rois, name) for name in ("brain", "decoy"))
    r = [correlation(a, b) for a, b in zip(cause.drive, decoy.drive, strict=True)]
    assert np.mean(np.abs(r)) < 0.35
    # BOLD's cause is what is called the truth.
    short = TwinSettings(seed=1000, level="confound", duration_s=20.0)
    truth = draw_brain(short, rois, "brain").drive
    np.testing.assert_array_equal(simulate(short).drive, truth)


def test_declared_codes_leave_mean_power_alone():
    settings = TwinSettings(seed=1000, level="hard", duration_s=600.0)
    rois = read_rois()
    activity = SourceActivity(settings, draw_brain(settings, rois, "brain"), rois)
    names = [roi.name for roi in rois]
    for code, rhythm in (
        ("bursts", "alpha"),
        ("theta_gamma", "gamma"),
        ("phase_lock", "beta"),
    ):
        for name in DECLARED[code]:
            coded = activity._coded_carrier(rhythm, names.index(name))
            plain = activity._carrier(rhythm, names.index(name))
            assert not np.array_equal(coded, plain)
            assert np.mean(coded**2) == pytest.approx(np.mean(plain**2), rel=0.12)


def test_declared_rois_are_named_and_only_where_there_are_any():
    assert set(session().declared_rois) <= set(session().roi_names)
    assert len(session().declared_rois) == 9
    assert session("easy").declared_rois == ()


def test_artefacts_are_there_on_hard_and_not_on_easy():
    def peak_ratio(recording, freq_hz):
        spectrum = np.abs(np.fft.rfft(recording.eeg_uv[6] * np.hanning(12000)))
        at = round(freq_hz * 60)
        near = np.r_[spectrum[at - 30 : at - 4], spectrum[at + 5 : at + 31]]
        return spectrum[at - 1 : at + 2].max() / np.median(near)

    for freq_hz in (50.0, 38 / 2.1):
        assert peak_ratio(session("hard"), freq_hz) > 4
        assert peak_ratio(session("easy"), freq_hz) < 4


def test_blinks_reach_the_forehead():
    uv = session("hard").eeg_uv
    assert 50 < np.percentile(uv[NEUROBOLT_CHANNELS.index("Fp1")], 99.8) < 200


def test_average_reference_sums_to_nearly_nothing():
    recording = session("easy", reference="average", duration_s=30.0)
    assert np.abs(recording.eeg_uv.mean(axis=0)).max() < 0.5  # amplifier noise alone


def test_ecg_sits_where_it_was_asked_for_and_beats():
    recording = session("hard", channels=("Fz", "ECG", "Cz"), duration_s=60.0)
    assert [c.kind for c in recording.channels] == ["eeg", "ecg", "eeg"]
    ecg = recording.eeg_uv[1]
    beats = np.flatnonzero((ecg[1:] > 500) & (ecg[:-1] <= 500))
    assert 45 <= beats.size <= 85


def test_the_sample_index_is_exact():
    recording = session(
        "easy", rate_hz=1000.0, duration_s=20.0, sample_index_channel=True
    )
    assert recording.channels[-1].label == "SAMPLE_INDEX"
    np.testing.assert_array_equal(recording.eeg_uv[-1], np.arange(20000))


def test_seed_ranges_are_apart():
    sets = [set(TRAIN_SEEDS), set(VALIDATION_SEEDS), set(TEST_SEEDS), {DEMO_SEED}]
    sets += [set(FIELD_TRAIN_SEEDS), set(FIELD_VALIDATION_SEEDS), set(FIELD_TEST_SEEDS)]
    sets += [set(FOREIGN_DEVELOPMENT_SEEDS), set(FOREIGN_TEST_SEEDS)]
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_filtered_target_keeps_slow_and_stops_fast():
    t_s = 2.1 * np.arange(300)
    slow, fast = (np.sin(2 * np.pi * f * t_s)[:, None] for f in (0.05, 0.22))
    np.testing.assert_allclose(
        filtered_target(slow, 2.1)[30:-30], slow[30:-30], atol=0.05
    )
    assert np.abs(filtered_target(fast, 2.1)[30:-30]).max() < 0.05
    line = np.linspace(0, 5, 300)[:, None]
    np.testing.assert_allclose(filtered_target(line, 2.1), 0, atol=1e-9)


def test_too_few_volumes_for_the_filter_are_refused():
    with pytest.raises(ConfigError, match="at least 20"):
        filtered_target(np.zeros((12, 3)), 2.1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"level": "medium"}, "easy, hard, confound"),
        ({"seed": -1}, "seed"),
        ({"tr_s": 2100}, "milliseconds"),
        ({"duration_s": -5}, "duration"),
        ({"rate_hz": 100}, "200"),
        ({"channels": ("ECG",)}, "no EEG channel"),
        ({"channels": ("Fz", "Fz")}, "twice"),
        ({"first_volume_s": 700}, "first volume"),
        (
            {"rate_hz": 5000, "duration_s": 3600, "sample_index_channel": True},
            "float32",
        ),
    ],
)
def test_wrong_settings_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        TwinSettings(**{"seed": 1, **options})


def test_an_electrode_that_is_not_there_is_refused():
    settings = TwinSettings(seed=1, duration_s=10, channels=("Fz", "Q7"))
    with pytest.raises(ConfigError, match="Q7"):
        simulate(settings)


ADDED = {  # fields that came after the first levels were frozen, and what they were
    "tension": 0.5, "tension_follows": True, "network_weight": 0.64,
    "local_weight": 0.64, "arousal_weight": 0.42, "arousal_spread": 0.0,
    "rhythm_arousal": 1.0,
}  # fmt: skip
OF_ONE_PERSON = {  # that `varied` alone has
    "own_arousal_spread": 0.0, "own_sign_sd": 0.0, "gain_sd": 0.0, "cap_shift_m": 0.0,
}  # fmt: skip


def test_the_settings_of_the_first_levels_are_frozen():
    # A change here is a new twin: every figure measured on the old one is void.
    first = {name: asdict(LEVELS[name]) for name in ("easy", "hard", "confound")}
    for fields in first.values():
        added = ADDED | OF_ONE_PERSON
        assert {name: fields.pop(name) for name in added} == added
    text = json.dumps(first, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "c00e5e1f7c28e8a9fc1a9547dfc9b2620a62fd75cbb713501da2e086d01962c3"
    )


def test_the_settings_of_the_later_levels_are_frozen_too():
    later = {name: asdict(LEVELS[name]) for name in ("hard-flat", "field")}
    for fields in later.values():
        assert {n: fields.pop(n) for n in OF_ONE_PERSON} == OF_ONE_PERSON
    text = json.dumps(later, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "6ea88e5b66436bfb40c940977519276718b57ee862bb72305563ed5abb931121"
    )


def test_hard_flat_is_hard_but_for_its_tension():
    assert replace(LEVELS["hard-flat"], tension_follows=True) == LEVELS["hard"]
    hard, flat = session("hard"), session("hard-flat")
    for name in ("bold", "bold_truth", "drive", "arousal", "volume_onsets_s"):
        np.testing.assert_array_equal(getattr(flat, name), getattr(hard, name))
    for a, b in ((hard.body, flat.body),):
        for name in ("heart_rate_hz", "motion_t_s", "motion_size"):
            np.testing.assert_array_equal(getattr(b, name), getattr(a, name))
    apart = hard.eeg_uv - flat.eeg_uv
    power = np.abs(np.fft.rfft(apart[NEUROBOLT_CHANNELS.index("T7")])) ** 2
    hz = np.fft.rfftfreq(apart.shape[1], 1 / 200)
    assert np.sqrt(np.mean(apart[NEUROBOLT_CHANNELS.index("T7")] ** 2)) > 0.1
    assert power[(hz < 29.5) | (hz > 80.5)].sum() < 1e-4 * power.sum()


def test_the_tension_of_hard_flat_is_the_mean_of_that_of_hard():
    rois, field = read_rois(), read_leadfield()
    course = {}
    for level in ("hard", "hard-flat"):
        settings = TwinSettings(seed=1000, level=level, duration_s=60.0)
        brain = draw_brain(settings, rois, "brain")
        body = draw_body(settings, brain.arousal)
        scene = Scene(settings, field.positions_m, body, brain.arousal)
        course[level] = _muscle(scene)[0][1]
    heard = np.abs(course["hard-flat"]) > 1e-3
    ratio = course["hard"][heard] / course["hard-flat"][heard]  # noise cancels
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert ratio.std() > 0.1


def test_field_is_weaker_than_hard_and_more_of_it_is_arousal():
    field, hard = LEVELS["field"], LEVELS["hard"]
    assert field.coupling < hard.coupling
    settings = [TwinSettings(19_500, level, duration_s=600.0) for level in
                ("hard", "field")]  # fmt: skip
    shared = []
    for each in settings:
        brain = draw_brain(each, read_rois(), "brain")
        r = [correlation(row, brain.arousal) for row in brain.drive]
        shared.append(np.mean(np.square(r)))
    assert shared[1] > 1.1 * shared[0]


def test_on_field_regions_of_a_network_have_unlike_arousal_and_networks_like():
    rois = read_rois()
    share = _arousal_share(rois, 0.6)[:, 0]
    network = np.array([roi.network for roi in rois])
    for name in set(network):
        assert share[network == name].mean() == pytest.approx(1)
    assert share.std() > 0.4
    np.testing.assert_array_equal(_arousal_share(rois, 0.0), 1.0)


def test_every_person_of_varied_is_of_a_population_of_its_own():
    seeds = range(31_000, 31_050)
    found = [TwinSettings(seed, "varied").parameters for seed in seeds]
    assert found[0] == TwinSettings(31_000, "varied", duration_s=60.0).parameters
    for name, (low, high) in ANYWHERE.items():
        drawn = np.array([getattr(each, name) for each in found])
        assert ((low <= drawn) & (drawn <= high)).all(), name
        assert drawn.std() > 0.2 * (high - low), name
    follows = [each.tension_follows for each in found]
    assert 10 < sum(follows) < 40
    assert {each.tension > 0 for each in found} == {True, False}


def test_on_varied_arousal_lifts_some_regions_and_lowers_others():
    settings = next(
        TwinSettings(seed, "varied", duration_s=300.0)
        for seed in range(31_000, 31_100)
        if varied_parameters(seed).own_arousal_spread > 1.2
        and varied_parameters(seed).arousal_weight > 0.3
    )
    brain = draw_brain(settings, read_rois(), "brain")
    r = np.array([correlation(row, brain.arousal) for row in brain.drive])
    assert r.min() < -0.1
    assert r.max() > 0.3


def test_an_askew_cap_with_gains_reads_nearly_the_same_potential():
    field, eeg = read_leadfield(), session("hard").eeg_uv
    rows = field.rows(NEUROBOLT_CHANNELS)
    settings = next(
        TwinSettings(seed, "varied")
        for seed in range(31_000, 31_100)
        if 0.08 < varied_parameters(seed).gain_sd
    )
    worn = _worn(eeg, settings, field.positions_m[rows])
    r = [correlation(a, b) for a, b in zip(worn, eeg, strict=True)]
    assert 0.8 < min(r) < 0.9999
    gain = np.log(worn.std(axis=1) / eeg.std(axis=1))
    assert 0.03 < gain.std() < 0.3
    hard = TwinSettings(1000, "hard")
    assert _worn(eeg, hard, field.positions_m[rows]) is eeg


@pytest.mark.parametrize("level", ["hard", "confound"])
def test_what_a_perfect_unmixing_would_read_is_what_the_eeg_is_made_of(level):
    settings = TwinSettings(seed=1000, level=level, duration_s=30.0)
    found, rois = source_amplitudes(settings), read_rois()
    assert found.log_amplitude.shape == (64, len(RHYTHMS), found.t_s.size)
    assert found.rhythms == tuple(RHYTHMS)
    assert [r.name for r, seen in zip(rois, found.in_eeg, strict=True) if not seen] == [
        roi.name for roi in rois if not roi.sources_mni_mm
    ]
    whose = "brain" if level == "hard" else "decoy"
    activity = SourceActivity(settings, draw_brain(settings, rois, whose), rois)
    whole_s = np.arange(0.0, 30.0)
    made = activity._amplitude("alpha", 3)[::200]
    there = found.at(whole_s)[3, found.rhythms.index("alpha")]
    np.testing.assert_allclose(np.exp(there), made, rtol=1e-5)


FROZEN = {  # seed 1000: sd of EEG and BOLD; EEG, BOLD, its neural part at some places
    "easy": (14.1973, 1.0311, (3.425, 6.702, 0.401), (0.0977, 0.7061, 0.2945),
             (0.1712, 0.9312)),
    "hard": (15.1594, 1.2635, (0.951, 36.211, 2.452), (-0.0793, 1.602, 0.97),
             (0.2388, 0.9315)),
    "confound": (16.4980, 1.5954, (0.068, 50.694, 2.999), (0.3833, 1.3212, 1.7414),
                 (0.2247, 0.8574)),
    "hard-flat": (15.1569, 1.2635, (0.980, 36.223, 2.440), (-0.0793, 1.602, 0.97),
                  (0.2388, 0.9315)),
    "field": (15.1515, 1.3211, (1.233, 44.296, 2.429), (-0.2254, 0.924, 0.9511),
              (0.1348, 0.3822)),
    "varied": (16.1149, 1.1973, (1.770, 23.862, 0.885), (-0.6334, 1.6922, 0.6536),
               (-0.3583, 0.9943)),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVEL_NAMES)
def test_what_the_levels_make_is_frozen(level):
    # To a tolerance: linear algebra rounds differently from one machine to the next.
    recording = session(level)
    eeg_sd_uv, bold_sd, eeg_uv, bold, neural = FROZEN[level]
    assert recording.eeg_uv.std() == pytest.approx(eeg_sd_uv, rel=1e-3)
    assert recording.bold.std() == pytest.approx(bold_sd, rel=1e-3)
    seen = recording.eeg_uv[[0, 8, 17], [2000, 5000, 9000]]
    np.testing.assert_allclose(seen, eeg_uv, atol=0.02)
    np.testing.assert_allclose(
        recording.bold[[3, 14, 25], [0, 30, 60]], bold, atol=2e-3
    )
    truth = recording.bold_truth[[3, 14], [0, 30]]
    np.testing.assert_allclose(truth, neural, atol=2e-3)


def test_eeg_of_a_brain_that_stands_still_can_be_looped_and_follows_arousal():
    still = TwinSettings(
        4, level="easy", duration_s=60.0, channels=("O1", "O2", "Cz", "Fz"),
        reference="average",
    )  # fmt: skip
    asleep, awake = (steady_eeg_uv(still, arousal=sd) for sd in (-10.0, 0.0))
    assert awake.shape == (4, 12_000)
    np.testing.assert_allclose(awake.mean(axis=0), 0, atol=1e-4)
    seam = np.abs(awake[:, 0] - awake[:, -1])
    assert (seam < np.abs(np.diff(awake)).max(axis=1)).all()
    spectrum = {name: np.abs(np.fft.rfft(eeg)) ** 2 for name, eeg in
                (("asleep", asleep), ("awake", awake))}  # fmt: skip
    alpha, theta = slice(8 * 60, 13 * 60), slice(4 * 60, 8 * 60)
    for band, more, less in ((alpha, "awake", "asleep"), (theta, "asleep", "awake")):
        assert spectrum[more][:, band].sum() > 1.5 * spectrum[less][:, band].sum()


def test_it_tells_how_much_is_made():
    shares = []
    simulate_base(TwinSettings(seed=1, duration_s=20.0), tell=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 5
    assert 0 < shares[0] < 0.2
    assert 0.9 < shares[-1] <= 1
