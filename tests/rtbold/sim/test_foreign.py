import ast
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from rtbold.electrodes import positions
from rtbold.errors import ConfigError
from rtbold.sim.foreign import _Cap, _Head, one_over_f
from rtbold.sim.foreign_bold import simulate_foreign_bold
from rtbold.sim.foreign_brain import band_sizes, draw_body_of, draw_mind, population
from rtbold.sim.head import read_rois
from rtbold.sim.recording import volume_onsets_s
from rtbold.sim.settings import (
    FOREIGN_DEVELOPMENT_SEEDS,
    NEUROBOLT_CHANNELS,
    ForeignSettings,
    TwinSettings,
    refuse_held_out,
    simulation_settings,
)
from rtbold.sim.twin import simulate, simulate_base, source_amplitudes, stream_blocks

SEED = FOREIGN_DEVELOPMENT_SEEDS[0]


@cache
def session(number=1, seed=SEED, duration_s=40.0, **options):
    """Return a session; the same again for whoever asks: do not write."""
    return simulate(
        ForeignSettings(seed, session=number, duration_s=duration_s, **options)
    )


def bold_of(settings):
    mind = draw_mind(settings)
    return simulate_foreign_bold(settings, mind, draw_body_of(settings, mind))


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def test_a_session_is_whole():
    recording = session()
    assert recording.eeg_uv.shape == (26, 40 * 200)
    assert recording.eeg_uv.dtype == np.float32
    n_volumes = recording.volume_onsets_s.size
    assert recording.bold.shape == recording.bold_truth.shape == (n_volumes, 64)
    assert recording.drive.shape == (64, recording.drive_t_s.size)
    assert recording.arousal.shape == recording.drive_t_s.shape
    assert recording.drive_t_s[0] < 0
    assert recording.drive_t_s[-1] > 40
    for array in (recording.eeg_uv, recording.bold, recording.drive):
        assert np.isfinite(array).all()
    assert recording.roi_names == tuple(roi.name for roi in read_rois())
    assert [c.label for c in recording.channels] == list(NEUROBOLT_CHANNELS)
    assert recording.settings.level == "foreign"


def test_the_same_settings_give_the_same_session():
    again = simulate(ForeignSettings(SEED, duration_s=40.0))
    np.testing.assert_array_equal(again.eeg_uv, session().eeg_uv)
    np.testing.assert_array_equal(again.bold, session().bold)


def test_two_subjects_have_nothing_in_common_but_their_kind():
    bold = [
        bold_of(ForeignSettings(seed, duration_s=900.0)).measured
        for seed in FOREIGN_DEVELOPMENT_SEEDS[:4]
    ]
    pairs = [(a, b) for a in range(4) for b in range(a)]
    r = np.array([
        [correlation(bold[a][:, roi], bold[b][:, roi]) for roi in range(64)]
        for a, b in pairs
    ])  # fmt: skip
    assert abs(r.mean()) < 0.06
    assert np.abs(r).mean() < 0.2
    eeg = [session(seed=seed).eeg_uv[20] for seed in FOREIGN_DEVELOPMENT_SEEDS[:2]]
    assert abs(correlation(*eeg)) < 0.1


def test_a_second_session_is_the_same_brain_under_another_cap():
    first, second = (ForeignSettings(SEED, session=n) for n in (1, 2))
    np.testing.assert_array_equal(band_sizes(first), band_sizes(second))
    nominal = positions(NEUROBOLT_CHANNELS)
    heads = [_Head(settings) for settings in (first, second)]
    np.testing.assert_array_equal(heads[0].gains(nominal), heads[1].gains(nominal))
    assert heads[0].exponent == heads[1].exponent
    caps = [_Cap(settings) for settings in (first, second)]
    apart = np.linalg.norm(caps[0].sat - caps[1].sat, axis=1)
    assert 0.005 < apart.mean() < 0.25  # of a head's radius: about 0.5 to 20 mm
    quiet = np.ones((27, 400), np.float32) * np.r_[np.ones(26), 0.0][:, None]
    gain = [cap.amplified(quiet.astype(np.float32)).mean(axis=1) for cap in caps]
    assert 0.01 < np.std(gain[0] / gain[1]) < 0.4
    drives = [draw_mind(settings).drive for settings in (first, second)]
    r = [correlation(a, b) for a, b in zip(*drives, strict=True)]
    assert abs(np.mean(r)) < 0.25  # another day, other thoughts


def test_another_subject_has_another_head():
    a, b = (_Head(ForeignSettings(seed)) for seed in (SEED, SEED + 1))
    nominal = positions(NEUROBOLT_CHANNELS)
    seen = [head.gains(nominal)[:, 0] for head in (a, b)]
    assert abs(correlation(*seen)) < 0.999


def test_an_electrode_sits_where_it_sits_whichever_others_there_are():
    few = _Cap(ForeignSettings(SEED, channels=("Oz", "Cz"), reference="average"))
    many = _Cap(ForeignSettings(SEED))
    at = [NEUROBOLT_CHANNELS.index(label) for label in ("Oz", "Cz")]
    np.testing.assert_array_equal(few.sat, many.sat[at])


def test_bold_follows_its_drive_by_three_to_eight_seconds_and_not_in_a_line():
    settings = ForeignSettings(SEED, duration_s=600.0)
    mind, bold = draw_mind(settings), bold_of(settings)
    onsets_s = volume_onsets_s(settings)
    lags_s = np.arange(0.0, 14.0, 0.5)
    best = []
    for roi in range(0, 64, 7):
        drive = [np.interp(onsets_s - lag, mind.t_s, mind.drive[roi]) for lag in lags_s]
        r = [correlation(course, bold.neural[:, roi]) for course in drive]
        assert max(r) > 0.75
        best.append(lags_s[int(np.argmax(r))])
    assert 3.0 <= min(best) <= max(best) <= 8.5
    assert len(set(best)) > 1  # each region its own response


def test_arousal_lifts_some_regions_and_lowers_others():
    weights = population().arousal
    assert 0.1 < np.mean(weights < 0) < 0.4
    assert weights.std() > 0.3


def test_its_bold_is_as_bold_is():
    bold = [
        bold_of(ForeignSettings(seed, duration_s=600.0)).measured
        for seed in FOREIGN_DEVELOPMENT_SEEDS[:3]
    ]
    kept = [np.mean([correlation(c[1:], c[:-1]) for c in b.T]) for b in bold]
    assert 0.5 < np.mean(kept) < 0.8
    connected = [np.corrcoef(b.T)[np.triu_indices(64, 1)].mean() for b in bold]
    assert 0.1 < np.mean(connected) < 0.45


@pytest.mark.parametrize("exponent", [1.0, 1.5])
def test_the_processes_are_one_over_f_between_the_corners(exponent):
    rows = one_over_f(np.random.default_rng(0), (4, 40_000), exponent)
    assert rows.var() == pytest.approx(1, rel=0.15)
    power = np.abs(np.fft.rfft(rows, axis=1)) ** 2
    hz = np.fft.rfftfreq(40_000, 1 / 200)
    edges = np.geomspace(1.0, 40.0, 13)
    middle = np.sqrt(edges[1:] * edges[:-1])
    level = [
        np.log(power[:, (hz >= low) & (hz < high)].mean())
        for low, high in pairwise(edges)
    ]
    slope = np.polyfit(np.log(middle), level, 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.2)


def test_amplitude_is_that_of_eeg():
    for seed in FOREIGN_DEVELOPMENT_SEEDS[:2]:
        uv = session(seed=seed).eeg_uv
        assert 8 < np.median(np.std(uv, axis=1)) < 40


def test_what_a_perfect_unmixing_would_read_follows_the_drive():
    settings = ForeignSettings(SEED, duration_s=600.0)
    found, mind = source_amplitudes(settings), draw_mind(settings)
    assert found.log_amplitude.shape == (64, 6, mind.t_s.size)
    assert found.in_eeg.sum() == 62
    np.testing.assert_array_equal(found.at(mind.t_s), found.log_amplitude)
    alpha = found.log_amplitude[:, found.rhythms.index("alpha")]
    r = [correlation(a, d) for a, d in zip(alpha, mind.drive, strict=True)]
    assert np.mean(r) < -0.1


def test_blocks_at_a_higher_rate_are_the_session():
    settings = ForeignSettings(
        SEED, duration_s=12.0, rate_hz=500.0, sample_index_channel=True,
        channels=("Fz", "ECG", "Oz"),
    )  # fmt: skip
    whole = simulate(settings)
    blocks = list(stream_blocks(simulate_base(settings)))
    assert len(blocks) > 3
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole.eeg_uv)
    np.testing.assert_array_equal(whole.eeg_uv[-1], np.arange(12 * 500))
    assert [c.kind for c in whole.channels] == ["eeg", "ecg", "eeg", "misc"]


def test_the_ecg_beats():
    ecg = session(channels=("Fz", "ECG", "Cz")).eeg_uv[1]
    beats = np.flatnonzero((ecg[1:] > 500) & (ecg[:-1] <= 500))
    assert 40 * 0.7 < beats.size < 40 * 1.7


def test_it_tells_how_much_is_made():
    shares = []
    simulate_base(ForeignSettings(SEED, duration_s=12.0), tell=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 5
    assert 0.9 < shares[-1] <= 1


def test_no_model_may_be_trained_on_it():
    refuse_held_out([TwinSettings(1000), TwinSettings(1, "field")])
    with pytest.raises(ConfigError, match=f"seed {SEED}.*no model is trained on"):
        refuse_held_out([TwinSettings(1000), ForeignSettings(SEED)])


def test_a_level_is_named_whichever_generator_has_it():
    made = simulation_settings(7, "foreign", session=2, duration_s=30.0)
    assert made == ForeignSettings(7, session=2, duration_s=30.0)
    assert simulation_settings(7, "field", tr_s=1.0) == TwinSettings(
        7, "field", tr_s=1.0
    )
    with pytest.raises(ConfigError, match="one session a seed"):
        simulation_settings(7, "hard", session=2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"session": 0}, "session is 0"),
        ({"seed": -1}, "seed"),
        ({"tr_s": 2100}, "milliseconds"),
        ({"channels": ("ECG",)}, "no EEG channel"),
    ],
)
def test_wrong_settings_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        ForeignSettings(**{"seed": 1, **options})


def test_an_electrode_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="Q7"):
        simulate(ForeignSettings(1, duration_s=10, channels=("Fz", "Q7")))


ALLOWED = {  # of the room: a session's type and settings, names; nothing that makes one
    "recording": None,
    "head": {"Roi", "read_rois"},
    "settings": {"BASE_RATE_HZ", "ECG", "NEUROBOLT_CHANNELS", "ForeignSettings"},
}


@pytest.mark.parametrize(
    "name", ["foreign", "foreign_artefacts", "foreign_bold", "foreign_brain",
             "foreign_head"],
)  # fmt: skip
def test_it_shares_no_generative_code_with_the_twin(name):
    tree = ast.parse((files("rtbold.sim") / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if not node.module.startswith("rtbold.sim"):
            continue
        module = node.module.removeprefix("rtbold.sim.")
        if module.startswith("foreign"):
            continue
        assert module in ALLOWED, node.module
        names = {alias.name for alias in node.names}
        assert ALLOWED[module] is None or names <= ALLOWED[module], names
