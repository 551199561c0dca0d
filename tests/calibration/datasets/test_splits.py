import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings as budget, strategies as st
from prepared_scans import cache_of, prepared_scan

from rtbold.calibration.datasets.cache import Cache
from rtbold.calibration.datasets.splits import (
    RULES,
    Sealed,
    fold_names,
    split_of,
)
from rtbold.calibration.lineage import scan_marks
from rtbold.errors import ConfigError, DataFileError, RtboldError

SUBJECTS = [f"sub-{k:02d}" for k in range(1, 8)]


class Held(Cache):
    """A cache that was never on a disk."""

    def __init__(self, folder, scans, left_out=()):
        self.folder = folder
        self.left_out = tuple(left_out)
        self.__dict__["scans"] = tuple(sorted(scans, key=lambda scan: scan.name))

    @property
    def subjects(self):
        return tuple(sorted({scan.subject for scan in self.scans}))


def many(n=220, subjects=SUBJECTS, sessions=("1", "2"), n_samples=3200):
    return [
        prepared_scan(f"{subject}_ses-{session}", subject=subject, session=session,
                      n=n, n_samples=n_samples)
        for subject in subjects
        for session in sessions
    ]  # fmt: skip


@pytest.fixture
def cache(tmp_path):
    return Held(tmp_path, many())


def subjects_of(cache, rows):
    return {scan.subject for scan in cache.scans if len(rows.get(scan.name, ()))}


# The seal.


def test_the_test_part_opens_once(cache):
    split = split_of(cache, "published-across")
    assert split.test.opened_for is None
    rows = split.test.open("the final score")
    assert rows
    assert split.test.opened_for == "the final score"
    with pytest.raises(RtboldError, match=r"opened before, for 'the final score'"):
        split.test.open("one more look")


def test_the_seal_wants_a_reason(cache):
    sealed = split_of(cache, "published-across").test
    with pytest.raises(ConfigError, match="without a reason"):
        sealed.open("  ")
    assert sealed.opened_for is None


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_seal_cannot_be_copied(how):
    sealed = Sealed({"s1": np.arange(3)})
    with pytest.raises(TypeError, match="cannot be copied"):
        how(sealed)


def test_a_sealed_part_tells_its_size_and_no_more(cache):
    sealed = split_of(cache, "published-across").test
    assert len(sealed) == 2 * 220 * 2  # subjects, windows, sessions
    assert "sub-" not in repr(sealed)
    assert not hasattr(sealed, "__dict__")


def test_rows_cannot_be_changed(cache):
    split = split_of(cache, "published-within")
    (rows,) = split.train.values()
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 5
    with pytest.raises(TypeError):
        split.train["other"] = rows


# Within scans.


def test_published_within_is_8_1_1_of_one_scan(cache):
    split = split_of(cache, "published-within", fold=3)
    name = cache.scans[3].name
    assert list(split.train) == list(split.validation) == [name]
    train, stop = split.train[name], split.validation[name]
    test = split.test.open("test")[name]
    assert len(train) == 176
    assert (train[0], stop[-1], test[-1]) == (0, 197, 219)
    assert stop[0] - train[-1] == test[0] - stop[-1] == 10
    assert len(split.folds) == 14


def test_strict_within_tiles_each_scan_with_test_parts(cache):
    splits = [split_of(cache, "strict-within", fold=k) for k in range(5)]
    name = cache.scans[0].name
    tested = [split.test.open("test")[name] for split in splits]
    np.testing.assert_array_equal(np.concatenate(tested), np.arange(220))
    assert list(split_of(cache, "strict-within", fold=5).train) == [cache.scans[1].name]
    assert len(splits[0].folds) == 5 * 14


def samples_s(onsets_s):
    """When the samples of these windows and their volumes were measured."""
    eeg_s = onsets_s[:, None] - np.linspace(16.0, 0.005, 33)
    return np.concatenate([eeg_s.ravel(), onsets_s])


def nearest_s(one_s, other_s):
    """How near any of these times comes to any of those."""
    other_s = np.concatenate([[-np.inf], np.sort(other_s), [np.inf]])
    after = np.searchsorted(other_s, one_s)
    return np.minimum(other_s[after] - one_s, one_s - other_s[after - 1]).min()


def split_or_too_short(scan, rule, fold=0):
    try:
        return split_of(Held("x", [scan]), rule, fold=fold)
    except DataFileError as error:
        if "scan longer" not in str(error):
            raise
        assume(False)


timings = {
    "tr_s": st.sampled_from([0.8, 1.0, 1.2, 2.0, 2.1, 2.16, 3.0]),
    "minutes": st.floats(13, 25),
    "holes": st.lists(st.floats(0, 1), max_size=30),
    "burst": st.tuples(st.floats(0, 1), st.integers(0, 20)),
}


def scan_with(tr_s, minutes, holes, burst):
    n = int(60 * minutes / tr_s)
    gone = {int(share * (n - 1)) for share in holes}
    gone |= set(range(int(burst[0] * n), int(burst[0] * n) + burst[1]))
    volume = np.array([v for v in range(n) if v not in gone])
    return prepared_scan("s1", volume=volume, tr_s=tr_s, n_samples=3200)


@budget(max_examples=80, deadline=None)
@given(fold=st.integers(0, 4), **timings)
def test_strict_parts_share_nothing_within_20_s(fold, tr_s, minutes, holes, burst):
    """No EEG sample and no volume of one part is within 20 s of one of another."""
    scan = scan_with(tr_s, minutes, holes, burst)
    split = split_or_too_short(scan, "strict-within", fold)
    parts = [rows["s1"] for rows in (split.train, split.validation)]
    parts.append(split.test.open("test")["s1"])
    for k, one in enumerate(parts):
        for other in parts[k + 1 :]:
            one_s, other_s = scan.scan.onsets_s[one], scan.scan.onsets_s[other]
            assert nearest_s(one_s, other_s) >= 36.0 - 1e-6
            gap_s = nearest_s(samples_s(one_s), samples_s(other_s))
            assert gap_s >= 20.0 - 1e-6


@budget(max_examples=80, deadline=None)
@given(**timings)
def test_published_parts_are_20_s_of_bold_apart_and_share_no_sample(
    tr_s, minutes, holes, burst
):
    scan = scan_with(tr_s, minutes, holes, burst)
    split = split_or_too_short(scan, "published-within")
    parts = [rows["s1"] for rows in (split.train, split.validation)]
    parts.append(split.test.open("test")["s1"])
    for k, one in enumerate(parts):
        for other in parts[k + 1 :]:
            one_s, other_s = scan.scan.onsets_s[one], scan.scan.onsets_s[other]
            assert nearest_s(one_s, other_s) >= 20.0 - 1e-6
            gap_s = nearest_s(samples_s(one_s), samples_s(other_s))
            assert gap_s >= 4.0 - 1e-6


@pytest.mark.parametrize("rule", ["published-within", "strict-within"])
def test_a_scan_that_is_too_short_is_named(tmp_path, rule):
    cache = Held(tmp_path, [prepared_scan("short", n=40)])
    with pytest.raises(DataFileError, match=r"scan short: 40 volumes.*at least"):
        split_of(cache, rule)


# Over subjects.


@budget(max_examples=40, deadline=None)
@given(
    n_subjects=st.integers(5, 12),
    n_sessions=st.integers(1, 3),
    seed=st.integers(0, 99),
    rule=st.sampled_from(["published-across", "leave-one-subject-out"]),
    data=st.data(),
)
def test_all_scans_of_a_subject_are_on_one_side(
    n_subjects, n_sessions, seed, rule, data
):
    subjects = [f"s{k}" for k in range(n_subjects)]
    scans = many(12, subjects, [str(k) for k in range(n_sessions)])
    cache = Held("x", scans)
    n_folds = len(fold_names(cache, rule, seed=seed))
    fold = data.draw(st.integers(0, n_folds - 1))
    split = split_of(cache, rule, fold=fold, seed=seed)
    test = split.test.open("test")
    sides = [subjects_of(cache, rows) for rows in (split.train, split.validation, test)]
    assert all(sides)
    assert set().union(*sides) == set(subjects)
    assert sum(map(len, sides)) == n_subjects
    whole = {**split.train, **split.validation, **test}
    assert all(len(whole[scan.name]) == len(scan) for scan in scans)


def test_published_across_is_3_1_1_and_tests_everybody_once(tmp_path):
    subjects = [f"s{k}" for k in range(10)]
    cache = Held(tmp_path, many(12, subjects, "1"))
    tested = []
    for fold in range(5):
        split = split_of(cache, "published-across", fold=fold, seed=3)
        assert (len(split.train), len(split.validation)) == (6, 2)
        tested += subjects_of(cache, split.test.open("test"))
    assert sorted(tested) == subjects


def test_the_draw_follows_the_seed(cache):
    splits = [split_of(cache, "published-across", seed=seed) for seed in (0, 0, 1)]
    names = [sorted(split.train) for split in splits]
    assert names[0] == names[1] != names[2]


def test_leaving_out_one_subject_tests_each(cache):
    assert fold_names(cache, "leave-one-subject-out") == tuple(SUBJECTS)
    split = split_of(cache, "leave-one-subject-out", fold=2)
    assert subjects_of(cache, split.test.open("test")) == {"sub-03"}
    assert len(subjects_of(cache, split.validation)) == 2


def test_leaving_out_one_session_learns_from_the_others_of_that_subject(tmp_path):
    scans = [*many(sessions=("1", "2")), *many(subjects=["once"], sessions=("1",))]
    cache = Held(tmp_path, scans)
    names = fold_names(cache, "leave-one-session-out")
    assert len(names) == 14
    assert names[1] == "sub-01 session 2"
    split = split_of(cache, "leave-one-session-out", fold=1)
    assert list(split.test.open("test")) == ["sub-01_ses-2"]
    assert list(split.train) == list(split.validation) == ["sub-01_ses-1"]
    scan = cache.scans[[s.name for s in cache.scans].index("sub-01_ses-1")]
    onsets_s = scan.scan.onsets_s
    (train,), (stop,) = split.train.values(), split.validation.values()
    assert onsets_s[stop[0]] - onsets_s[train[-1]] >= 36.0 - 1e-6


def test_too_few_subjects_or_sessions_are_told(tmp_path):
    cache = Held(tmp_path, many(12, SUBJECTS[:2], "1"))
    with pytest.raises(ConfigError, match=r"2 subjects, expected at least 5"):
        split_of(cache, "published-across")
    with pytest.raises(ConfigError, match=r"2 subjects, expected at least 3"):
        split_of(cache, "leave-one-subject-out")
    with pytest.raises(ConfigError, match=r"no subject .* has two sessions"):
        split_of(cache, "leave-one-session-out")


@pytest.mark.parametrize("rule", RULES)
def test_a_fold_that_is_not_there_is_refused(cache, rule):
    n = len(fold_names(cache, rule))
    split_of(cache, rule, fold=n - 1)
    for fold in (-1, n):
        with pytest.raises(
            ConfigError, match=rf"fold is {fold}, expected 0 to {n - 1}"
        ):
            split_of(cache, rule, fold=fold)


def test_a_rule_that_is_not_there_is_refused(cache):
    with pytest.raises(ConfigError, match=r"no split 'strict'.*Did you mean"):
        split_of(cache, "strict")


def test_the_same_recording_on_two_sides_is_refused(tmp_path):
    scans = many(12, SUBJECTS[:5], "1")
    twice = prepared_scan("copy", subject="x", n=12,
                          content_sha256=scans[0].content_sha256)  # fmt: skip
    cache = Held(tmp_path, [*scans, twice])
    with pytest.raises(DataFileError, match=r"copy.*hold the same samples"):
        split_of(cache, "leave-one-subject-out", fold=0)


def test_the_same_eeg_under_another_name_is_known_by_its_marks(tmp_path):
    """As calibrate knows a scan again: units, rounding and files do not matter."""
    rng = np.random.default_rng(0)
    power, bold = rng.standard_normal((2, 200, 4))
    scans = many(12, SUBJECTS[:5], "1")
    own = [scan_marks(power, bold), scan_marks(power * 3 + 1, bold[::-1])]
    for scan, marks in zip((scans[0], scans[3]), own, strict=True):
        object.__setattr__(scan.scan, "seen", marks.on_card())
    cache = Held(tmp_path, scans)
    with pytest.raises(DataFileError, match=r"same EEG on two sides: .*sub-0[14]"):
        split_of(cache, "leave-one-subject-out", fold=0)


# A sheet.


def sheet(folder, rows, name="split.csv"):
    path = folder / name
    lines = ["scan_name,train,val,test"]
    columns = {"train": "1,0,0", "val": "0,1,0", "test": "0,0,1"}
    lines += [f"{scan},{columns[part]}" for scan, part in rows.items()]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def parts_of(cache):
    """Every scan of a subject in one part, by the sheet."""
    by_subject = dict(
        zip(SUBJECTS, ["train"] * 4 + ["val"] + ["test"] * 2, strict=True)
    )
    return {scan.name: by_subject[scan.subject] for scan in cache.scans}


def test_a_sheet_says_which_scan_is_for_what(cache, tmp_path):
    split = split_of(cache, sheet(tmp_path, parts_of(cache)))
    assert subjects_of(cache, split.train) == set(SUBJECTS[:4])
    assert subjects_of(cache, split.validation) == {"sub-05"}
    assert subjects_of(cache, split.test.open("test")) == {"sub-06", "sub-07"}
    assert len(split.folds) == 1


@pytest.mark.parametrize("other", ["train", "val", "test"])
def test_a_sheet_with_a_subject_on_two_sides_is_refused(cache, tmp_path, other):
    for subject in SUBJECTS:
        rows = parts_of(cache)
        if rows[f"{subject}_ses-2"] == other:
            continue
        rows[f"{subject}_ses-2"] = other
        with pytest.raises(ConfigError, match=rf"{subject} on more than one side"):
            split_of(cache, sheet(tmp_path, rows))


def test_a_sheet_that_names_other_scans_is_refused(cache, tmp_path):
    rows = parts_of(cache) | {"sub-99": "train"}
    with pytest.raises(
        ConfigError, match=r"not in .*: sub-99\. Expected names such as"
    ):
        split_of(cache, sheet(tmp_path, rows))


def test_a_sheet_may_name_scans_that_are_left_out(tmp_path):
    from rtbold.calibration.datasets.cache import LeftOut

    scans = many()
    cache = Held(tmp_path, scans[1:], [LeftOut(scans[0].name, "no markers")])
    rows = parts_of(Held(tmp_path, scans))
    split = split_of(cache, sheet(tmp_path, rows))
    assert scans[0].name not in split.train


def test_a_part_without_scans_is_refused(cache, tmp_path):
    rows = {name: part for name, part in parts_of(cache).items() if part != "val"}
    with pytest.raises(ConfigError, match=r"validation part of .* has no window"):
        split_of(cache, sheet(tmp_path, rows))


def test_a_cache_on_disk_is_split_as_one_in_memory(tmp_path):
    scans = many(12, SUBJECTS[:5], "1", 9000)
    on_disk = cache_of(tmp_path / "cache", scans)
    for fold in range(5):
        one = split_of(on_disk, "published-across", fold=fold)
        other = split_of(Held(tmp_path, scans), "published-across", fold=fold)
        assert sorted(one.train) == sorted(other.train)
