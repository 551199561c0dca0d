import io
import json

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


def named(card=None, **names):
    card = card or tiny_card()
    return pack(
        windows(), answer, **{"channels": card.channels, "rois": card.rois, **names}
    )


def exchanged(names, i=3, j=2):
    names = list(names)
    names[i], names[j] = names[j], names[i]
    return tuple(names)


def test_names_of_channels_and_rois_come_back():
    assert len(unpack(named(), tiny_card())) == 5


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (
            tiny_card(channels=exchanged(tiny_card().channels)),
            "other channels than its card names: number 3 is 'F7' there and 'F3'",
        ),
        (
            tiny_card(rois=exchanged(tiny_card().rois, 0, 1)),
            'other rois than its card names: number 1 is "Heschl\'s gyrus" there',
        ),
        (tiny_card(channels=(*tiny_card().channels[:18], "OZ")), "'O2' there and 'OZ'"),
        (tiny_card(channels=tiny_card().channels[:18]), "'O2' there and None"),
    ],
)
def test_exchanged_names_are_found_by_the_check_windows(card, words, tmp_path):
    with pytest.raises(BundleError) as caught:
        unpack(named(), card)
    assert words in str(caught.value)


@pytest.mark.parametrize("what", ["channels", "rois"])
def test_exchanged_names_are_found_when_a_bundle_without_a_seal_is_opened(
    tmp_path, what
):
    made = write_tiny(tmp_path)
    contents = {"model.onnx": made.file("model.onnx"), CHECK_NAME: named()}
    bundle.write(tmp_path / "c.rtbold", made.card, contents)
    path = tmp_path / "c.rtbold"
    (path / "card.json.sha256").unlink()
    fields = json.loads((path / "card.json").read_text("utf-8"))
    del fields["sealed"]
    (path / "card.json").write_text(json.dumps(fields), "utf-8")
    assert len(read_check(bundle.load(path))) == 5
    fields[what] = exchanged(fields[what], 0, 1)
    (path / "card.json").write_text(json.dumps(fields), "utf-8")
    with pytest.raises(BundleError, match=f"other {what} than its card names"):
        bundle.load(path)


@pytest.mark.parametrize("what", ["channels", "rois"])
def test_names_of_another_number_are_refused(what):
    with pytest.raises(ConfigError, match="1 names were given"):
        named(**{what: ("CZ",)})
