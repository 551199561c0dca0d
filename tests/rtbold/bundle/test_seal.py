"""One changed bit of a card is found; what was written before seals still opens."""

import hashlib
import json
import logging
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import write_tiny
from hypothesis import given, strategies as st

from rtbold.bundle import store
from rtbold.bundle.card import Check
from rtbold.bundle.seal import SEAL_NAME, seal_text
from rtbold.bundle.store import load, seal_bundle
from rtbold.errors import BundleError


def changed(folder: Path, *swaps: tuple[str, str], sealed: bool = True) -> None:
    """Exchange words of a card; without a seal it is one of an earlier version."""
    card = folder / "card.json"
    text = card.read_text(encoding="utf-8")
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    if not sealed:
        (folder / SEAL_NAME).unlink()
        text = text.replace('"sealed": true', '"sealed": false')
    card.write_bytes(text.encode())


def as_before_seals(folder: Path) -> None:
    """Make a bundle what earlier versions wrote: no seal, and no word of one."""
    fields = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    del fields["sealed"]
    (folder / "card.json").write_bytes(json.dumps(fields, indent=1).encode())
    (folder / SEAL_NAME).unlink()


def test_a_bundle_is_written_with_a_seal_that_sha256sum_reads(tiny_bundle):
    text = (tiny_bundle.path / "card.json").read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    seal = (tiny_bundle.path / SEAL_NAME).read_bytes()
    assert seal == f"{digest}  card.json\n".encode()
    assert tiny_bundle.sha256 == digest  # what goes on the wire is what it was
    assert load(tiny_bundle.path).sealed


def test_the_case_that_was_handed_in(tiny_bundle):
    changed(tiny_bundle.path, ('"F3"', '"F5"'))  # one bit, another electrode
    with pytest.raises(BundleError, match=r"is damaged: card\.json.*Copy the bundle"):
        load(tiny_bundle.path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = write_tiny(tmp_path_factory.mktemp("sealed"))
    return made, (made.path / "card.json").read_bytes()


@given(data=st.data())
def test_every_flipped_bit_is_found(whole, data):
    made, text = whole
    bit = data.draw(st.integers(0, 8 * len(text) - 1))
    flipped = bytearray(text)
    flipped[bit // 8] ^= 1 << bit % 8
    refused(made, bytes(flipped))


@given(data=st.data())
def test_every_cut_and_every_lost_or_doubled_piece_is_found(whole, data):
    made, text = whole
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    for other in (text[:start], text[:start] + text[end:], text[:end] + text[start:]):
        refused(made, other)


@given(bit=st.integers(0, 8 * len(seal_text(b"")) - 1))
def test_every_flipped_bit_of_the_seal_is_found(whole, bit):
    made, text = whole
    flipped = bytearray(seal_text(text))
    flipped[bit // 8] ^= 1 << bit % 8
    (made.path / SEAL_NAME).write_bytes(flipped)
    try:
        refused(made, text)
    finally:
        (made.path / SEAL_NAME).write_bytes(seal_text(text))


def refused(made, text: bytes) -> None:
    """The bundle with this card is refused in words that say what to do."""
    (made.path / "card.json").write_bytes(text)
    try:
        with pytest.raises(BundleError, match=r"[Cc]opy|use the rtbold version"):
            load(made.path)
    finally:
        (made.path / "card.json").write_bytes(whole_text(made))


def whole_text(made) -> bytes:
    from rtbold.bundle.card_text import format_card

    return format_card(made.card)


@pytest.mark.parametrize("which", ["card.json", SEAL_NAME, "both"])
def test_line_ends_that_git_changed_are_told_as_that(tiny_bundle, which):
    for name in ("card.json", SEAL_NAME):
        if which in (name, "both"):
            file = tiny_bundle.path / name
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(BundleError, match=r"other line ends.*\.gitattributes"):
        load(tiny_bundle.path)


def test_a_byte_order_mark_is_told_as_that(tiny_bundle):
    card = tiny_bundle.path / "card.json"
    card.write_bytes(b"\xef\xbb\xbf" + card.read_bytes())
    with pytest.raises(BundleError, match="byte order mark"):
        load(tiny_bundle.path)


def test_a_seal_that_was_lost_is_missed(tiny_bundle):
    (tiny_bundle.path / SEAL_NAME).unlink()
    with pytest.raises(BundleError, match="has lost its seal"):
        load(tiny_bundle.path)
    with pytest.raises(BundleError, match="has lost its seal"):
        seal_bundle(tiny_bundle.path)


def test_a_bundle_from_before_seals_opens_with_a_warning(tiny_bundle, caplog):
    as_before_seals(tiny_bundle.path)
    with caplog.at_level(logging.WARNING):
        found = load(tiny_bundle.path)
    assert not found.sealed
    assert found.card.rois == tiny_bundle.card.rois
    assert "has no seal" in caplog.text
    assert "rtbold models seal" in caplog.text


def test_it_can_be_sealed_and_keeps_its_name_on_the_wire(tiny_bundle, caplog):
    as_before_seals(tiny_bundle.path)
    before = load(tiny_bundle.path)
    text = (tiny_bundle.path / "card.json").read_bytes()
    after = seal_bundle(tiny_bundle.path)
    assert after.sealed
    assert after.sha256 == before.sha256
    assert (tiny_bundle.path / "card.json").read_bytes() == text
    caplog.clear()
    load(tiny_bundle.path)
    assert caplog.text == ""
    with pytest.raises(BundleError, match="sealed already"):
        seal_bundle(tiny_bundle.path)
    changed(tiny_bundle.path, ('"F3"', '"F5"'))
    with pytest.raises(BundleError, match="is damaged"):
        load(tiny_bundle.path)


def test_a_seal_that_could_not_be_written_whole_leaves_nothing(
    tiny_bundle, monkeypatch
):
    as_before_seals(tiny_bundle.path)

    def full(target, data):
        target.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_file", full)
    with pytest.raises(BundleError, match="No space left"):
        seal_bundle(tiny_bundle.path)
    assert not load(tiny_bundle.path).sealed


def test_what_cannot_be_is_not_sealed(tiny_bundle):
    as_before_seals(tiny_bundle.path)
    changed(tiny_bundle.path, ('"F3"', '"F7"'))
    with pytest.raises(BundleError, match="channel 'F7' stands there twice"):
        seal_bundle(tiny_bundle.path)
    assert not (tiny_bundle.path / SEAL_NAME).exists()


def test_the_seal_is_no_name_of_a_bundles_file(tiny_bundle, tmp_path):
    contents = {SEAL_NAME: b"x", "model.onnx": tiny_bundle.file("model.onnx")}
    with pytest.raises(BundleError, match="plain name"):
        store.write(tmp_path / "evil.rtbold", tiny_bundle.card, contents)


@pytest.mark.parametrize("name", ["demo", "demo-ridge"])
def test_what_rtbold_ships_is_sealed_and_its_name_on_the_wire_is_as_ever(name):
    begins = {"demo": "e30b9b5306722ba7", "demo-ridge": "3aab79c8773badaa"}
    found = load(name)
    assert found.sealed
    assert found.sha256.startswith(begins[name])


def test_a_shipped_bundle_that_lost_its_seal_is_refused(tmp_path, monkeypatch):
    made = write_tiny(tmp_path / "shipped")
    as_before_seals(made.path)
    load(made.path)  # anywhere else it would be one of an earlier version
    monkeypatch.setattr(store, "shipped_root", lambda: tmp_path / "shipped")
    with pytest.raises(BundleError, match="has lost its seal"):
        load("tiny")


@pytest.fixture
def copy(tmp_path):
    found = tmp_path / "mine.rtbold"
    ignored = shutil.ignore_patterns(SEAL_NAME, "engines")
    shutil.copytree(store.shipped_root() / "demo.rtbold", found, ignore=ignored)
    return found


def exchange(folder: Path, what: str) -> None:
    """Exchange the first two names, and whatever else says in which order they are."""
    card = folder / "card.json"
    fields = json.loads(card.read_text(encoding="utf-8"))
    for table in (fields[what], fields["scores"]["per_roi"] if what == "rois" else []):
        table[:2] = table[1::-1]
    card.write_bytes(json.dumps(fields, indent=1).encode())


def test_a_copy_of_a_shipped_bundle_is_known_without_its_seal(copy):
    assert not load(copy).sealed
    changed(copy, ('"rest"', '"resu"'))
    with pytest.raises(
        BundleError, match=r"rtbold's own 'demo\.rtbold', but not its c"
    ):
        load(copy)


@pytest.mark.parametrize("what", ["channels", "rois"])
def test_the_names_of_a_shipped_model_are_its_own_whatever_seal_there_is(copy, what):
    """Its check windows are from before there were names in them."""
    exchange(copy, what)
    (copy / SEAL_NAME).write_bytes(seal_text((copy / "card.json").read_bytes()))
    with pytest.raises(BundleError, match="not its names of channels and ROIs"):
        load(copy)


def test_a_shipped_bundle_that_is_damaged_blocks_no_other(tmp_path, monkeypatch):
    made, root = write_tiny(tmp_path / "mine"), tmp_path / "shipped"
    (write_tiny(root).path / "card.json").write_bytes(b"{")
    monkeypatch.setattr(store, "shipped_root", lambda: root)
    assert load(made.path).sealed


def test_git_leaves_the_line_ends_of_bundles_alone():
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        pytest.skip("no checkout")
    asked = ["git", "check-attr", "text", "models/demo.rtbold/card.json"]
    try:
        said = subprocess.run(
            asked, cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git cannot be asked here")
    assert said.stdout.strip().endswith("text: unset")


def test_a_card_that_promises_check_windows_needs_their_file(tmp_path):
    with pytest.raises(BundleError, match=r"but no check\.npz"):
        write_tiny(tmp_path, check=Check(windows="recorded", n=16))
