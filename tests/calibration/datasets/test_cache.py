import errno
import os
import shutil

import msgspec
import numpy as np
import pytest
from prepared_scans import ROIS, cache_of, prepared_scan, settings

from rtbold.bundle.card import SeenScan
from rtbold.calibration.datasets import whole_files
from rtbold.calibration.datasets.cache import (
    CacheSettings,
    claim_cache,
    data_folder,
    entry_of,
    open_cache,
    read_settings,
    unfinished,
    write_left_out,
    write_scan,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.sim.settings import ForeignSettings, TwinSettings


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_a_scan_comes_back_as_it_was_written(tmp_path):
    twin = TwinSettings(seed=1, channels=("Cz", "Fz", "Pz"))
    made = prepared_scan(twin=twin)
    cache = cache_of(tmp_path, [made])
    (found,) = cache.scans
    for name in ("name", "subject", "session", "rois", "channels", "tr_s", "twin",
                 "simulated", "content_sha256", "scaling", "scaling_gsr",
                 "report"):  # fmt: skip
        assert getattr(found, name) == getattr(made, name), name
    for name in ("eeg_uv", "first", "bold", "onsets_s", "matrices", "matrix_of"):
        np.testing.assert_array_equal(
            getattr(found.scan, name), getattr(made.scan, name)
        )
    np.testing.assert_array_equal(found.bold_gsr, made.bold_gsr)
    np.testing.assert_array_equal(found.volume, made.volume)
    assert list(found.confounds) == ["motion/x y"]
    np.testing.assert_array_equal(
        found.confounds["motion/x y"], made.confounds["motion/x y"]
    )
    np.testing.assert_array_equal(
        found.scan.windows_uv([0, 3]), made.scan.windows_uv([0, 3])
    )
    assert len(found) == 20


def test_whichever_generator_made_a_scan_it_is_known(tmp_path):
    made = prepared_scan(twin=ForeignSettings(seed=3, session=2))
    (found,) = cache_of(tmp_path, [made]).scans
    assert found.twin == made.twin
    assert found.twin.held_out


def test_the_eeg_stays_on_the_disk(tmp_path):
    (found,) = cache_of(tmp_path, [prepared_scan()]).scans
    assert isinstance(found.scan.eeg_uv, np.memmap)
    assert not found.scan.eeg_uv.flags.writeable


def test_marks_of_a_scan_are_kept(tmp_path):
    made = prepared_scan()
    object.__setattr__(made.scan, "seen", SeenScan(eeg="a", bold="b"))
    (found,) = cache_of(tmp_path, [made]).scans
    assert found.scan.seen == SeenScan(eeg="a", bold="b")


def test_a_scan_whose_eeg_is_the_models_has_no_matrices(tmp_path):
    made = prepared_scan(matrices=None, matrix_of=None)
    (found,) = cache_of(tmp_path, [made]).scans
    assert found.scan.matrices is None
    np.testing.assert_array_equal(found.scan.windows_uv(), made.scan.windows_uv())


def test_scans_have_the_rois_that_all_of_them_have(tmp_path):
    whole = prepared_scan("s1")
    cache = cache_of(tmp_path, [whole, prepared_scan("s2", rois=("default", "visual"))])
    assert cache.rois == ("visual", "default")
    first, second = cache.scans
    assert first.rois == second.rois == ("visual", "default")
    np.testing.assert_array_equal(first.scan.bold, whole.scan.bold[:, [0, 2]])
    np.testing.assert_array_equal(first.bold_gsr, whole.bold_gsr[:, [0, 2]])
    assert first.scaling.mean == (0.0, 2.0)
    assert second.scaling.mean == (1.0, 0.0)
    assert cache.card().rois == ("visual", "default")


def test_scans_without_a_roi_in_common_are_refused(tmp_path):
    scans = [prepared_scan("s1", rois=ROIS[:1]), prepared_scan("s2", rois=ROIS[1:])]
    with pytest.raises(DataFileError, match="no ROI in common"):
        cache_of(tmp_path, scans).card()


def test_the_draft_card_says_what_is_simulated(tmp_path):
    card = cache_of(tmp_path / "a", [prepared_scan()]).card()
    assert (card.scanner, card.origin.kind) == ("simulated", "simulated")
    assert card.channels == ("FZ", "CZ", "PZ")
    mixed = [prepared_scan("s1"), prepared_scan("s2", simulated=False)]
    cache = cache_of(tmp_path / "b", mixed)
    assert cache.simulated
    assert cache.card().scanner == "inside_running"
    assert cache.card().origin.simulated_lineage
    real = cache_of(tmp_path / "c", [prepared_scan(simulated=False)])
    assert not real.simulated
    assert not real.card().origin.simulated_lineage


def test_a_scan_that_is_made_again_from_other_files_takes_the_olds_place(tmp_path):
    cache_of(tmp_path, [prepared_scan("s1")])
    other = prepared_scan("s1", subject="somebody", n=30)
    write_scan(tmp_path, other, "b" * 64)
    (found,) = open_cache(tmp_path).scans
    assert (found.subject, len(found)) == ("somebody", 30)
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_a_scan_that_is_made_again_from_the_same_files_mends_damaged_arrays(tmp_path):
    claim_cache(tmp_path, settings())
    made = prepared_scan("s1")
    write_scan(tmp_path, made, "a" * 64)
    (eeg,) = tmp_path.glob("data/*/eeg_uv.npy")
    eeg.write_bytes(b"")
    write_scan(tmp_path, made, "a" * 64)
    (found,) = open_cache(tmp_path).scans
    np.testing.assert_array_equal(found.scan.eeg_uv, made.scan.eeg_uv)
    assert not unfinished(tmp_path)


def test_what_another_process_wrote_meanwhile_stays(tmp_path):
    claim_cache(tmp_path, settings())
    made = prepared_scan("s1")
    write_scan(tmp_path, made, "a" * 64)
    (tmp_path / "scans" / "s1.json").unlink()  # the other has not come so far yet
    (eeg,) = tmp_path.glob("data/*/eeg_uv.npy")
    before = eeg.stat().st_ino
    write_scan(tmp_path, made, "a" * 64)
    assert eeg.stat().st_ino == before
    assert len(open_cache(tmp_path).scans) == 1
    assert not unfinished(tmp_path)


def test_a_scan_that_is_left_out_is_listed_with_its_reason(tmp_path):
    cache_of(tmp_path, [prepared_scan("s1"), prepared_scan("s2")])
    write_left_out(tmp_path, "s2", key="x", reason="no markers")
    cache = open_cache(tmp_path)
    assert [scan.name for scan in cache.scans] == ["s1"]
    assert [(each.name, each.reason) for each in cache.left_out] == [
        ("s2", "no markers")
    ]
    assert len(list((tmp_path / "data").iterdir())) == 1
    write_scan(tmp_path, prepared_scan("s2"), "a" * 64)  # mended
    assert not open_cache(tmp_path).left_out


@pytest.mark.parametrize("name", ["", "../s1", "a/b", ".hidden", "s 1", "x" * 300])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    claim_cache(tmp_path, settings())
    with pytest.raises(ConfigError, match="expected letters, digits"):
        write_scan(tmp_path, prepared_scan(name), "a" * 64)
    assert files(tmp_path) == ["cache.json", "data", "scans"]


# Settings.


def test_a_cache_of_other_settings_is_refused_and_stays(tmp_path):
    claim_cache(tmp_path, settings())
    claim_cache(tmp_path, settings())
    with pytest.raises(ConfigError, match=r"tr_s 2.1 instead of 2.0.*--out"):
        claim_cache(tmp_path, settings(tr_s=2.0))
    with pytest.raises(ConfigError, match="chain live instead of published"):
        claim_cache(tmp_path, settings(chain="published"))
    assert read_settings(tmp_path) == settings()


def test_a_folder_that_is_no_cache_says_how_to_make_one(tmp_path):
    with pytest.raises(DataFileError, match=r"no cache.*rtbold prepare DATASET --out"):
        open_cache(tmp_path)


def test_a_cache_without_scans_is_refused(tmp_path):
    claim_cache(tmp_path, settings())
    with pytest.raises(DataFileError, match="no prepared scan"):
        open_cache(tmp_path)
    write_left_out(tmp_path, "s1", key="x", reason="no markers")
    with pytest.raises(DataFileError, match="all 1 scans are left out"):
        open_cache(tmp_path)


def test_a_cache_of_another_version_is_refused(tmp_path):
    cache_of(tmp_path, [prepared_scan()])
    for path in (tmp_path / "scans" / "s1.json", tmp_path / "cache.json"):
        newer = msgspec.json.decode(path.read_bytes()) | {"format": 99, "new": 1}
        path.write_bytes(msgspec.json.encode(newer))
        with pytest.raises(DataFileError, match="format 99, expected 1"):
            open_cache(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_a_damaged_file_of_json_is_named(tmp_path, text):
    cache_of(tmp_path, [prepared_scan()])
    for name in ("scans/s1.json", "cache.json"):
        (tmp_path / name).write_bytes(text)
        with pytest.raises(DataFileError, match=r"\.json cannot be read"):
            open_cache(tmp_path)


def test_settings_that_cannot_be_are_refused(tmp_path):
    claim_cache(tmp_path, settings())
    path = tmp_path / "cache.json"
    path.write_text(path.read_text().replace('"drift_degree": 0', '"drift_degree": 9'))
    with pytest.raises(DataFileError, match="drift_degree is 9"):
        read_settings(tmp_path)


# Damage.


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("name", ["eeg_uv.npy", "arrays.npz"])
@pytest.mark.parametrize("harm", [cut_short, emptied, os.remove])
def test_damaged_arrays_are_named_with_the_way_out(tmp_path, name, harm):
    cache = cache_of(tmp_path, [prepared_scan()])
    harm(data_folder(tmp_path, cache.entries[0]) / name)
    with pytest.raises(DataFileError, match=r"damaged.*s1\.json and prepare it again"):
        _ = open_cache(tmp_path).scans


def test_arrays_that_do_not_fit_each_other_are_named(tmp_path):
    cache = cache_of(tmp_path, [prepared_scan("s1"), prepared_scan("s2", n=30)])
    one, other = (data_folder(tmp_path, entry) for entry in cache.entries)
    shutil.copy(other / "arrays.npz", one / "arrays.npz")
    with pytest.raises(DataFileError, match="window reaches beyond the EEG"):
        _ = open_cache(tmp_path).scans


def test_a_scan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        DataFileError, match="no prepared scan 's9', expected one of s1"
    ):
        cache_of(tmp_path, [prepared_scan("s1")]).read("s9")


# A disk that fills.


@pytest.mark.parametrize("failing", ["_write", "write_through", "_draft"])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    tmp_path, monkeypatch, failing
):
    cache_of(tmp_path, [prepared_scan("s1")])

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(whole_files, failing, full)
        with pytest.raises(DataFileError, match=r"disk of .* is full.*Make room"):
            write_scan(tmp_path, prepared_scan("s2"), "a" * 64)
    assert entry_of(tmp_path, "s2") is None
    assert [scan.name for scan in open_cache(tmp_path).scans] == ["s1"]
    assert not unfinished(tmp_path)
    write_scan(tmp_path, prepared_scan("s2"), "a" * 64)
    assert len(open_cache(tmp_path).scans) == 2


def test_a_folder_that_refuses_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFileError, match="cannot be written"):
        claim_cache(tmp_path / "file" / "cache", settings())


def test_settings_default_to_the_live_loops():
    made = CacheSettings(data_set="x", channels=("CZ",), rois=("a",), tr_s=2.0)
    assert (made.chain, made.conditioning.source, made.reference) == (
        "live",
        "live",
        "average",
    )
