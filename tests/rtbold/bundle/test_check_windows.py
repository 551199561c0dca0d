import io

import msgspec
import numpy as np
import pytest
from bundles import tiny_card, write_tiny

from rtbold.bundle import check_windows as check_file, store as bundle
from rtbold.bundle.check_windows import CHECK_NAME, STEP_UV, pack, read_check, unpack
from rtbold.errors import BundleError, ConfigError


def windows(n=5, uv=10.0, seed=0):
    noise = np.random.default_rng(seed).standard_normal((n, 19, 3200))
    return (uv * noise).astype(np.float32)


def answer(window):
    return window[:, :3].mean(axis=2)


def test_comes_back_within_half_a_step_and_answers_belong_to_what_comes_back():
    x = windows()
    found = unpack(pack(x, answer), tiny_card())
    assert len(found) == 5
    assert found.eeg_uv.dtype == np.float32
    assert np.abs(found.eeg_uv - x).max() <= STEP_UV / 2 * 1.001
    for window, bold in zip(found.eeg_uv, found.bold, strict=True):
        np.testing.assert_array_equal(answer(window[None])[0], bold)


def test_millivolts_fit_too_with_a_coarser_step():
    x = windows(uv=10.0)
    x[2, 4, 100] = 30_000.0
    found = unpack(pack(x, answer), tiny_card())
    assert abs(found.eeg_uv[2, 4, 100] - 30_000) < 1
    assert np.abs(found.eeg_uv[1] - x[1]).max() <= STEP_UV / 2 * 1.001


def test_the_same_windows_give_the_same_file():
    assert pack(windows(), answer) == pack(windows(), answer)


def test_some_are_spread_over_all():
    found = unpack(pack(windows(9), answer), tiny_card())
    few = found.some(3)
    np.testing.assert_array_equal(few.bold, found.bold[[0, 4, 8]])
    np.testing.assert_array_equal(few.eeg_uv, found.eeg_uv[[0, 4, 8]])
    assert found.some(20) is found


def test_a_bundle_without_has_none(tmp_path):
    assert read_check(write_tiny(tmp_path)) is None


def test_read_from_a_bundle(tmp_path):
    made = write_tiny(tmp_path)
    contents = {
        "model.onnx": made.file("model.onnx"),
        CHECK_NAME: pack(windows(), answer),
    }
    with_check = bundle.write(tmp_path / "c.rtbold", made.card, contents)
    assert len(read_check(with_check)) == 5


@pytest.mark.parametrize(
    "bad",
    [
        windows(1),
        windows()[:, :, :3199],
        windows()[0],
        np.full((3, 19, 3200), np.nan, np.float32),
    ],
)
def test_windows_that_cannot_be_stored(bad):
    with pytest.raises(ConfigError, match="check windows"):
        pack(bad, answer)


def archive(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


COUNTS = np.zeros((2, 19, 3200), np.int16)
STEPS = np.full(2, 0.01, np.float32)
BOLD = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no archive", "cannot be used"),
        (pack(windows(), answer)[:-200], "cannot be used"),
        (archive(counts=COUNTS, bold=BOLD), "step_uv"),
        (archive(counts=COUNTS[:, :4], step_uv=STEPS, bold=BOLD), "counts is int16"),
        (archive(counts=COUNTS, step_uv=STEPS, bold=BOLD[:, :2]), "bold is"),
        (archive(counts=COUNTS[:1], step_uv=STEPS[:1], bold=BOLD[:1]), "two or more"),
        (archive(counts=COUNTS * 1.0, step_uv=STEPS, bold=BOLD), "float64"),
        (archive(counts=COUNTS, step_uv=STEPS, bold=BOLD * np.nan), "not finite"),
        (archive(counts=np.array({}), step_uv=STEPS, bold=BOLD), "cannot be used"),
    ],
)
def test_a_file_that_is_none(data, words):
    with pytest.raises(BundleError, match=words):
        unpack(data, tiny_card())


def test_an_archive_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(check_file, "MOST_BYTES", 10_000)
    with pytest.raises(BundleError, match="unpacked, at most 10000"):
        unpack(pack(windows(), answer), tiny_card())


def test_cards_without_the_new_fields_still_load():
    card = tiny_card()
    old = msgspec.json.decode(msgspec.json.encode(card))
    for key in ("check", "reduced_tolerance"):
        del old[key]
    found = bundle.parse_card(msgspec.json.encode(old))
    assert (found.check.windows, found.check.n) == ("none", 0)
    assert found.reduced_tolerance == 0.1
