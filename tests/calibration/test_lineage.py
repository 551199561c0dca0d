import functools
import itertools

import numpy as np
import pytest
from scipy import signal
from twin_scans import write_scan

from rtbold.bundle.card import Card, Lineage, Origin, SeenScan
from rtbold.calibration.inputs.alignment import align
from rtbold.calibration.inputs.bold import read_bold
from rtbold.calibration.inputs.eeg import read_eeg
from rtbold.calibration.lineage import (
    EEG_CHANGES_N,
    MOST_N,
    SEEN_N,
    TRAINING_N,
    ScanMarks,
    lineage_after,
    lineage_of_training,
    marks_of,
    marks_of_scan,
    not_checked,
    refuse_same_data,
    refuse_seen,
    refuse_seen_among,
    scan_marks,
    volume_power,
)
from rtbold.errors import ConfigError
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import simulate, write_session

pytestmark = pytest.mark.heavy
TR_S = 2.0
RATE_HZ = 100.0
N_VOLUMES = 120
TREND = np.linspace(0, 5, N_VOLUMES)[:, None]


@functools.cache
def recorded(seed, n_channels=4, n_rois=6):
    """Return EEG whose power varies, volume onsets, and BOLD as a scanner sends it."""
    rng = np.random.default_rng(seed)
    onsets_s = 1.0 + TR_S * np.arange(N_VOLUMES)
    n = round((onsets_s[-1] + TR_S + 1) * RATE_HZ)
    knots_s = np.arange(0, n / RATE_HZ + 1, 1.0)
    size = np.exp(0.4 * rng.standard_normal((n_channels, len(knots_s))))
    t_s = np.arange(n) / RATE_HZ
    gain = np.stack([np.interp(t_s, knots_s, row) for row in size])
    eeg_uv = 10 * gain * rng.standard_normal((n_channels, n))
    noise = rng.standard_normal((N_VOLUMES, n_rois))
    smooth = signal.lfilter([1.0], [1.0, -0.7], noise, axis=0)
    return eeg_uv.astype(np.float32), onsets_s, 900 + 8 * smooth


def marked(eeg_uv, onsets_s, bold, rate_hz=RATE_HZ):
    first = np.ceil(onsets_s * rate_hz - 1e-6).astype(int)
    return scan_marks(volume_power(eeg_uv, first, rate_hz, tr_s=TR_S), bold)


def card(lineage=None, *, kind="subject", sha256=""):
    return Card(
        name="early", architecture="none", channels=("CZ",), reference="average",
        tr_s=TR_S, rois=("a",), scanner="unknown", lineage=lineage,
        origin=Origin(kind=kind, simulated_lineage=kind == "simulated"),
        training_data_sha256=sha256,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scan():
    return recorded(1)


@pytest.fixture(scope="module")
def seen(scan):
    return marked(*scan).on_card()


def test_a_scan_has_all_marks_of_itself(scan, seen):
    shared = marked(*scan).shared_with(seen)
    assert shared == (32, 32, 48, 48)
    assert shared.seen == ("EEG", "BOLD")


def test_scans_that_differ_share_no_mark():
    kept = [marked(*recorded(seed)) for seed in range(10, 18)]
    for one, other in itertools.combinations(kept, 2):
        shared = one.shared_with(other.on_card())
        assert (shared.eeg, shared.bold) == (0, 0)
        assert shared.seen == ()


@pytest.mark.parametrize(
    ("changed", "least"),
    [
        (lambda bold: bold.astype(np.float32), 0.9),
        (lambda bold: np.vectorize(lambda v: float(f"{v:.6g}"))(bold), 0.9),
        (lambda bold: bold.round(2), 0.4),
        (lambda bold: 100 * (bold / bold.mean(axis=0) - 1), 0.9),
        (lambda bold: (bold - bold.mean(axis=0)) / bold.std(axis=0), 0.9),
        (lambda bold: bold + TREND, 0.9),
        (lambda bold: bold[:, ::-1], 1.0),
        (lambda bold: bold[7:], 0.6),
        (lambda bold: bold[: N_VOLUMES // 2], 0.2),
        (lambda bold: np.r_[bold, 900 + TREND[::-1] * bold[:1]], 1.0),
        (lambda bold: bold[:, :1], 8 / 48),
    ],
    ids=["float32", "6 digits", "2 decimals", "percent", "z", "trend", "order", "cut",
         "half", "longer", "one ROI"],
)  # fmt: skip
def test_bold_is_known_again(scan, seen, changed, least):
    shared = scan_marks(np.empty((0, 0)), changed(scan[2])).shared_with(seen)
    assert shared.bold >= least * shared.n_bold
    assert shared.seen == ("BOLD",)


@pytest.mark.parametrize(
    "changed",
    [
        lambda eeg, at: (eeg * 1e-6, at, RATE_HZ),
        lambda eeg, at: (np.round(eeg * 10) / 10, at, RATE_HZ),
        lambda eeg, at: (eeg + 300, at, RATE_HZ),
        lambda eeg, at: (eeg[[2, 0]], at, RATE_HZ),
        lambda eeg, at: (eeg, at[9:], RATE_HZ),
        lambda eeg, at: (eeg[:, 200:], at[1:] - 2, RATE_HZ),
        lambda eeg, at: (signal.resample_poly(eeg, 2, 1, axis=1), at, 2 * RATE_HZ),
    ],
    ids=["volt", "0.1 uV", "offset", "channels", "volumes", "samples", "rate"],
)
def test_eeg_is_known_again(scan, seen, changed):
    eeg_uv, onsets_s, rate_hz = changed(*scan[:2])
    shared = marked(eeg_uv, onsets_s, np.empty((0, 0)), rate_hz).shared_with(seen)
    assert shared.eeg > 3 * SEEN_N
    assert shared.seen == ("EEG",)


def test_a_scan_is_known_again_in_another_format(tmp_path):
    """BrainVision marks volumes by sample; XDF has stamps of a recorder's clock."""
    settings = TwinSettings(seed=2992, duration_s=120.0, level="easy")
    folder = write_session(settings, tmp_path / "scan")
    paths = [
        (folder / "eeg.vhdr", folder / "bold.tsv"),
        write_scan(tmp_path, simulate(settings)),
    ]
    vision, xdf = (_read(eeg, bold) for eeg, bold in paths)
    shared = xdf.shared_with(vision.on_card())
    assert shared.eeg > 0.2 * shared.n_eeg
    assert shared.bold > 0.9 * shared.n_bold
    assert shared.seen == ("EEG", "BOLD")


def _read(eeg_path, bold_path):
    eeg = read_eeg(eeg_path)
    return marks_of_scan(eeg, align(eeg, read_bold(str(bold_path))))


@pytest.mark.parametrize(
    "column",
    [
        np.zeros(N_VOLUMES),
        np.full(N_VOLUMES, np.nan),
        np.full(N_VOLUMES, -np.inf),
        np.arange(N_VOLUMES) ** 2.0,
        np.sin(np.arange(N_VOLUMES) / 20),
        np.repeat([0.0, 1.0, 0.0], N_VOLUMES // 3),
        np.arange(EEG_CHANGES_N),
    ],
    ids=["dead", "unknown", "no power", "ramp", "slow wave", "blocks", "short"],
)
def test_what_many_scans_could_share_is_no_mark(column):
    assert marks_of(column[:, None], EEG_CHANGES_N) == ((),)


def test_an_unknown_volume_costs_only_the_marks_across_it(scan):
    holed = scan[2].copy()
    holed[60] = np.nan
    whole, left = (scan_marks(np.empty((0, 0)), bold).bold for bold in (scan[2], holed))
    for before, after in zip(whole, left, strict=True):
        assert set(after) < set(before)
        assert len(before) - len(after) <= 25


def test_a_card_keeps_a_bounded_number_of_marks(scan):
    many = recorded(2, n_channels=1, n_rois=300)[2]
    kept = scan_marks(np.empty((0, 0)), many).on_card()
    assert len(kept.bold) == 8 * MOST_N
    few = marked(*scan).on_card(most_n=TRAINING_N)
    assert marked(*scan).shared_with(few).n_bold == 48


def test_a_volume_without_eeg_has_no_power(scan):
    first = np.array([-1, 200, scan[0].shape[1] - 10])
    power = volume_power(scan[0], first, RATE_HZ, tr_s=TR_S)
    assert np.isfinite(power).all(axis=1).tolist() == [False, True, False]


def test_a_sample_that_is_missing_costs_one_channel_of_a_volume(scan):
    holed = scan[0].copy()
    holed[1, 250] = np.nan
    first = np.array([200, 400])
    power, whole = (
        volume_power(eeg_uv, first, RATE_HZ, tr_s=TR_S) for eeg_uv in (holed, scan[0])
    )
    assert np.argwhere(np.isnan(power)).tolist() == [[0, 1]]
    np.testing.assert_array_equal(power[1], whole[1])
    picked = volume_power(holed, first, RATE_HZ, tr_s=TR_S, rows=[3, 0])
    np.testing.assert_allclose(picked, whole[:, [3, 0]])


@pytest.mark.parametrize(
    ("eeg_of", "bold_of", "what"),
    [(1, 1, "EEG and BOLD"), (1, 2, "EEG"), (2, 1, "BOLD")],
)
def test_a_base_that_has_seen_either_is_refused(eeg_of, bold_of, what):
    base = card(lineage_after(None, marked(*recorded(1)).on_card()))
    mixed = marked(*recorded(eeg_of)[:2], recorded(bold_of)[2])
    with pytest.raises(
        ConfigError,
        match=rf"base 'early' has learned from the {what} of this scan already.*look "
        r"like a signal.*--base nothing",
    ):
        refuse_seen(base, mixed)


def test_one_mark_in_common_may_be_chance(scan):
    all_marks = marked(*scan)
    one = ScanMarks(eeg=((all_marks.eeg[0][0],),)).on_card()
    assert all_marks.shared_with(one).eeg == 1
    refuse_seen(card(Lineage(scans=(one,))), all_marks)
    two = ScanMarks(eeg=(all_marks.eeg[0][:2],)).on_card()
    with pytest.raises(ConfigError, match="2 of 2 marks of an earlier EEG"):
        refuse_seen(card(Lineage(scans=(two,))), all_marks)


@pytest.mark.parametrize("base", [None, card(), card(Lineage(complete=True))])
def test_a_base_that_lists_no_scan_is_not_refused(scan, base):
    refuse_seen(base, marked(*scan))


def test_a_scan_is_refused_through_every_base_before(scan, seen):
    lineage = lineage_after(None, seen)
    for seed in (2, 3):
        lineage = lineage_after(card(lineage), marked(*recorded(seed)).on_card())
    assert len(lineage.scans) == 3
    assert lineage.complete
    with pytest.raises(ConfigError, match="EEG and BOLD"):
        refuse_seen(card(lineage), marked(*scan))


def test_a_scan_stands_in_a_lineage_once(seen):
    again = lineage_after(card(lineage_after(None, seen)), seen)
    assert again.scans == (seen,)


def test_an_older_base_is_refused_on_exactly_its_data_alone():
    refuse_same_data(None, "ab")
    refuse_same_data(card(sha256="cd"), "ab")
    with pytest.raises(ConfigError, match="training data of hash abcd"):
        refuse_same_data(card(sha256="abcd"), "abcd")


@pytest.mark.parametrize(
    ("base", "simulated", "said"),
    [
        (None, False, ""),
        (card(Lineage(complete=True)), False, ""),
        (card(), False, "does not list the scans"),
        (card(Lineage(scans=(SeenScan(eeg="AAAAAAAA"),))), True, "only a part"),
        (card(kind="simulated"), True, "does not list the scans"),
        (card(kind="simulated"), False, ""),  # a real scan was never simulated
    ],
)
def test_what_cannot_be_checked_is_said(base, simulated, said):
    told = not_checked(base, simulated=simulated)
    assert said in told
    assert bool(told) == bool(said)
    assert not told or "cannot be checked" in told


@pytest.mark.parametrize("before", [None, Lineage()])
def test_weights_of_unknown_lineage_never_become_complete(seen, before):
    lineage = lineage_after(card(before), seen)
    assert lineage == Lineage(scans=(seen,), complete=False)


def test_a_scan_without_marks_leaves_a_lineage_incomplete(seen):
    assert not lineage_after(None, SeenScan(eeg=seen.eeg)).complete


def test_training_lists_every_scan(seen):
    other = marked(*recorded(2)).on_card(TRAINING_N)
    assert lineage_of_training([seen, other]) == Lineage(
        scans=(seen, other), complete=True
    )
    assert lineage_of_training([seen, None]) == Lineage(scans=(seen,), complete=False)


def test_training_keeps_what_its_base_has_seen(seen):
    other = marked(*recorded(2)).on_card(TRAINING_N)
    base = card(lineage_after(None, seen))
    assert lineage_of_training([other], base).scans == (seen, other)
    assert lineage_of_training([other], base).complete
    assert not lineage_of_training([other], card()).complete


@pytest.mark.parametrize("most_n", [MOST_N, TRAINING_N])
@pytest.mark.parametrize("half", [slice(0, None), slice(0, 70), slice(50, None)])
def test_a_base_that_has_seen_a_scan_that_scores_is_refused(most_n, half):
    """Whatever its card keeps of it, and also a part of it."""
    eeg_uv, onsets_s, bold = recorded(1)
    base = card(lineage_after(None, marked(eeg_uv, onsets_s, bold).on_card(most_n)))
    part = marked(eeg_uv, onsets_s[half], bold[half]).on_card(TRAINING_N)
    other = marked(*recorded(2)).on_card(TRAINING_N)
    refuse_seen_among(base, {"other": other, "older": None})
    refuse_seen_among(None, {"part": part})
    refuse_seen_among(card(), {"part": part})
    with pytest.raises(
        ConfigError, match=r"'early' has learned from the .*BOLD of part already"
    ):
        refuse_seen_among(base, {"other": other, "part": part})
