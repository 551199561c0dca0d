import gc
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest

from rtbold.calibration.datasets import prepare as module
from rtbold.calibration.datasets.cache import entry_of, open_cache, read_settings
from rtbold.calibration.datasets.prepare import (
    PrepareSettings,
    named_columns,
    prepare,
    scan_states,
    target_settings,
)
from rtbold.calibration.datasets.sources import ScanSource, load_scan
from rtbold.calibration.datasets.targets import MeasuredBold, scan_targets
from rtbold.calibration.fit.target import TargetSettings
from rtbold.errors import ConfigError, DataFileError, RtboldError, StreamMismatch
from rtbold.sim.settings import TwinSettings

pytestmark = pytest.mark.heavy

CHANNELS = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "Cz", "ECG")
NAMES = tuple(name.upper() for name in CHANNELS[:-1])


def source(number=0, **changes):
    known = {"level": "easy", "duration_s": 50.0, "channels": CHANNELS}
    twin = TwinSettings(seed=2990 + number, **(known | changes))
    return ScanSource(name=f"scan-{number}", subject=f"s{number}", twin=twin)


def bad(tmp_path):
    return ScanSource(name="bad", subject="b", eeg=tmp_path / "no.vhdr",
                      bold=tmp_path / "no.tsv")  # fmt: skip


def run(sources, folder, *, chosen=(), **changes):
    settings = PrepareSettings(out=folder, **changes)
    return list(prepare("study", sources, settings, chosen=chosen))


def states(outcomes):
    return {outcome.name: outcome.state for outcome in outcomes}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache of two scans."""
    folder = tmp_path_factory.mktemp("cache")
    run([source(0), source(1)], folder)
    return folder


def test_scans_are_conditioned_and_have_targets(made):
    cache = open_cache(made)
    assert cache.settings.channels == NAMES
    assert cache.simulated
    first, second = cache.scans
    assert (first.name, first.subject, first.twin) == ("scan-0", "s0", source(0).twin)
    loaded = load_scan(source(0))
    assert set(first.confounds) == set(loaded.confounds)
    for name, column in first.confounds.items():
        np.testing.assert_array_equal(column, loaded.confounds[name][first.volume])
    np.testing.assert_allclose(
        first.scan.onsets_s, loaded.alignment.onsets_s[first.volume], atol=1e-9
    )
    assert first.scan.bold.shape == first.bold_gsr.shape == (len(first), 64)
    assert np.isfinite(first.scan.bold).all()
    assert not np.array_equal(first.scan.bold, second.scan.bold)
    assert first.scan.seen is not None
    assert first.report.n_volumes == first.report.n_markers == 24


def test_targets_lie_beside_the_window_of_their_volume(made):
    first, _ = open_cache(made).scans
    loaded = load_scan(source(0))
    measured = MeasuredBold(
        loaded.alignment.bold, loaded.rois, 2.1, loaded.confounds, None
    )
    whole = scan_targets(measured, TargetSettings(drift_degree=0))
    np.testing.assert_array_equal(first.scan.bold, whole.bold[first.volume])
    np.testing.assert_array_equal(first.bold_gsr, whole.bold_gsr[first.volume])
    last_s = (first.scan.first + 3200) / 200
    assert (last_s <= first.scan.onsets_s + 1 / 200).all()
    assert (last_s > first.scan.onsets_s - 0.02).all()


def test_what_is_there_is_left_as_it_is(made, monkeypatch):
    monkeypatch.setattr(module, "load_scan", None)  # not called
    assert states(run([source(0), source(1)], made)) == {
        "scan-0": "unchanged",
        "scan-1": "unchanged",
    }


def test_the_result_does_not_depend_on_the_run(made, tmp_path):
    run([source(0), source(1)], tmp_path, chosen=["scan-1"])
    again = open_cache(tmp_path).scans[0]
    before = open_cache(made).scans[1]
    np.testing.assert_array_equal(again.scan.eeg_uv, before.scan.eeg_uv)
    np.testing.assert_array_equal(again.scan.bold, before.scan.bold)
    assert entry_of(tmp_path, "scan-1") == entry_of(made, "scan-1")


def test_a_scan_that_changed_is_prepared_again(tmp_path):
    run([source(0)], tmp_path)
    changed = replace(source(0), twin=source(5).twin)
    assert states(run([changed], tmp_path)) == {"scan-0": "prepared"}
    (scan,) = open_cache(tmp_path).scans
    assert scan.twin.seed == 2995


def test_a_scan_whose_arrays_are_gone_is_prepared_again(tmp_path):
    run([source(0)], tmp_path)
    (folder,) = (tmp_path / "data").iterdir()
    shutil.rmtree(folder)
    assert states(run([source(0)], tmp_path)) == {"scan-0": "prepared"}


def test_one_scan_at_a_time_is_in_memory(tmp_path, monkeypatch):
    alive = []

    def loading(each):
        gc.collect()
        assert not [r for r in alive if r() is not None]
        scan = load_scan(each)
        alive.append(weakref.ref(scan.eeg.recording.data_uv))
        return scan

    monkeypatch.setattr(module, "load_scan", loading)
    run([source(k) for k in range(3)], tmp_path)
    assert len(alive) == 3  # the first was read once


# Settings of the cache.


def test_other_settings_are_refused(made):
    with pytest.raises(ConfigError, match="chain live instead of published"):
        run([source(0)], made, chain="published")
    with pytest.raises(ConfigError, match="channels"):
        run([source(0)], made, channels=("Cz", "O1"))
    with pytest.raises(ConfigError, match="confounds None instead of"):
        run([source(0)], made, confounds=())


def test_channels_that_are_named_are_taken(tmp_path):
    run([source(0)], tmp_path, channels=("cz", "O1", "C3", "C4"))
    (scan,) = open_cache(tmp_path).scans
    assert scan.channels == ("CZ", "O1", "C3", "C4")
    assert scan.scan.windows_uv([0]).shape == (1, 4, 3200)


def test_published_windows_keep_the_recordings_reference(tmp_path):
    run([source(0)], tmp_path, chain="published",
        targets=target_settings("published"))  # fmt: skip
    cache = open_cache(tmp_path)
    assert cache.settings.reference == cache.card().reference == "FCZ"
    assert cache.card().conditioning.source == "published"
    assert cache.card().normalisation.method == "p95"


def test_the_first_scan_that_can_be_read_says_what_the_cache_is(tmp_path):
    outcomes = run([bad(tmp_path), source(0)], tmp_path / "c", chosen=["scan-0"])
    assert states(outcomes) == {"scan-0": "prepared"}


def test_a_data_set_without_one_readable_scan_is_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"not one of the 1 scans of study"):
        run([bad(tmp_path)], tmp_path / "c")


# Bad scans.


def test_a_bad_scan_ends_the_run_and_says_how_to_go_on(tmp_path):
    with pytest.raises(DataFileError, match=r"scan 'bad'.*--skip-bad"):
        run([source(0), bad(tmp_path)], tmp_path / "c")
    assert [scan.name for scan in open_cache(tmp_path / "c").scans] == ["scan-0"]


def test_a_bad_scan_can_be_left_out_and_is_listed(tmp_path):
    sources = [bad(tmp_path), source(0)]
    outcomes = run(sources, tmp_path / "c", skip_bad=True)
    assert states(outcomes) == {"bad": "left out", "scan-0": "prepared"}
    assert "no.vhdr" in outcomes[0].reason or "no.tsv" in outcomes[0].reason
    (left,) = open_cache(tmp_path / "c").left_out
    assert (left.name, left.reason) == ("bad", outcomes[0].reason)
    listed = [known and known.state for _, known in scan_states(
        [*sources, source(1)], tmp_path / "c")]  # fmt: skip
    assert listed == ["left out", "prepared", None]


def test_a_bad_scan_that_was_mended_is_prepared(tmp_path):
    broken = replace(bad(tmp_path), name="scan-1")
    run([source(0), broken], tmp_path / "c", skip_bad=True)
    run([source(0), source(1)], tmp_path / "c", skip_bad=True)
    cache = open_cache(tmp_path / "c")
    assert [scan.name for scan in cache.scans] == ["scan-0", "scan-1"]
    assert not cache.left_out


def test_a_scan_of_another_tr_is_bad(tmp_path):
    sources = [source(0), source(1, tr_s=1.5)]
    with pytest.raises(DataFileError, match=r"TR of 1\.5 s.*cache, 2\.1 s"):
        run(sources, tmp_path)


def test_a_scan_of_another_atlas_is_bad(tmp_path, monkeypatch):
    def renamed(each):
        scan = load_scan(each)
        if each.name == "scan-0":
            return scan
        names = tuple(f"other {k}" for k in range(64))
        return replace(scan, alignment=replace(scan.alignment, rois=names))

    monkeypatch.setattr(module, "load_scan", renamed)
    with pytest.raises(DataFileError, match=r"none of the cache's 64 ROIs"):
        run([source(0), source(1)], tmp_path)


def test_a_roi_that_one_scan_lacks_is_dropped_there_and_named(tmp_path, monkeypatch):
    def flat(each):
        scan = load_scan(each)
        if each.name == "scan-0":
            return scan
        bold = scan.alignment.bold.copy()
        bold[:, 3] = 7.0
        return replace(scan, alignment=replace(scan.alignment, bold=bold))

    monkeypatch.setattr(module, "load_scan", flat)
    outcomes = run([source(0), source(1)], tmp_path)
    (dropped,) = outcomes[1].report.dropped_rois.values()
    assert dropped == "constant"
    cache = open_cache(tmp_path)
    assert len(cache.settings.rois) == 64
    assert [len(scan.rois) for scan in cache.scans] == [63, 63]


def test_a_scan_without_the_channels_of_the_cache_is_bad(tmp_path):
    sources = [source(0), source(1, channels=CHANNELS[1:])]
    with pytest.raises(StreamMismatch, match=r"FP1.*--skip-bad"):
        run(sources, tmp_path)
    assert states(run(sources, tmp_path, skip_bad=True))["scan-1"] == "left out"


def test_a_full_disk_is_not_the_scans_fault(tmp_path, monkeypatch):
    def full(*_):
        raise DataFileError("the disk is full")

    monkeypatch.setattr(module, "write_scan", full)
    with pytest.raises(DataFileError, match=r"^the disk is full$"):
        run([source(0)], tmp_path, skip_bad=True)
    assert entry_of(tmp_path, "scan-0") is None


def test_what_this_machine_lacks_is_not_the_scans_fault(tmp_path, monkeypatch):
    run([source(0)], tmp_path)

    def lacking(each):
        raise RtboldError("reading images needs nilearn. Install it.")

    monkeypatch.setattr(module, "load_scan", lacking)
    with pytest.raises(RtboldError, match=r"needs nilearn\. Install it\.$"):
        run([source(0), source(1)], tmp_path, skip_bad=True)
    assert entry_of(tmp_path, "scan-1") is None


def test_the_published_chain_says_what_it_lacks_before_it_begins(tmp_path, monkeypatch):
    def refuse(*names, extra, purpose):
        raise RtboldError(f"{purpose} needs {names[0]}")

    monkeypatch.setattr(module, "need", refuse)
    with pytest.raises(RtboldError, match="--conditioning published needs mne"):
        run([source(0)], tmp_path / "c", chain="published")
    assert read_settings(tmp_path / "c") is None


def test_a_scan_that_is_not_there_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"no scan scan-7.*Did you mean 'scan-0'"):
        run([source(0)], tmp_path / "c", chosen=["scan-7"])
    assert read_settings(tmp_path / "c") is None


# What the command line says.


def test_targets_follow_the_chain_unless_told():
    assert target_settings("live").method == "zscore"
    assert target_settings("published").method == "p95"
    assert target_settings("published", scale="zscore").method == "zscore"
    assert target_settings("live", lowpass_hz=0.0).lowpass_hz is None
    assert target_settings("live", detrend=2) == TargetSettings(drift_degree=2)
    with pytest.raises(ConfigError, match="'p99', expected one of zscore, p95"):
        target_settings("live", scale="p99")
    with pytest.raises(ConfigError, match="drift_degree is 7"):
        target_settings("live", detrend=7)


def test_names_in_one_option():
    assert named_columns(None) is None
    assert named_columns("none") == ()
    assert named_columns("trans_*, rot_x ,") == ("trans_*", "rot_x")
