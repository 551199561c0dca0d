import json
import shutil

import jsonschema
import msgspec
import pytest
from verdicts import make_verdict

from rtbold.bundle import store as bundle
from rtbold.bundle.card import Card, Conditioning, Lineage, Origin, SeenScan
from rtbold.bundle.gates import check_domain
from rtbold.bundle.store import card_schema, load, move_into_place, parse_card, write
from rtbold.errors import BundleError, DomainRefused
from rtbold.messages import Channel, StreamDescription


def stream(*, simulated):
    return StreamDescription(
        name="amp",
        type="EEG",
        rate_hz=200.0,
        channels=(Channel("CZ"),),
        simulated=simulated,
    )


def test_round_trip(tiny_bundle):
    again = load(tiny_bundle.path)
    assert again == tiny_bundle
    assert again.file("model.onnx").is_file()
    assert len(again.sha256) == 64
    assert again.card.rois[0] == "Heschl's gyrus"


def test_card_follows_its_schema(tiny_bundle):
    card = json.loads((tiny_bundle.path / "card.json").read_text())
    jsonschema.validate(card, card_schema())


def test_a_card_from_before_lineages_opens(tiny_bundle):
    card = json.loads((tiny_bundle.path / "card.json").read_text())
    del card["lineage"]
    jsonschema.validate(card, card_schema())
    assert parse_card(json.dumps(card).encode()).lineage is None


def test_a_lineage_comes_back_as_it_was_written(make_bundle):
    lineage = Lineage(scans=(SeenScan(eeg="AAAAAAAA", bold=""),), complete=True)
    made = make_bundle(name="one", lineage=lineage)
    assert load(made.path).card.lineage == lineage
    card = json.loads((made.path / "card.json").read_text())
    jsonschema.validate(card, card_schema())


def test_hash_names_the_whole_bundle(make_bundle):
    one, other = make_bundle(name="one"), make_bundle(name="other", rois=("Cuneus",))
    assert one.sha256 != other.sha256


def test_lookup_order_path_subject_shipped(make_bundle, tmp_path, monkeypatch):
    shipped, subject = tmp_path / "shipped", tmp_path / "subject"
    made = make_bundle(note="made")
    for root, note in ((shipped, "shipped"), (subject, "subject")):
        card = msgspec.structs.replace(made.card, note=note)
        write(root / "tiny.rtbold", card, {"model.onnx": made.file("model.onnx")})
    monkeypatch.setattr(bundle, "shipped_root", lambda: shipped)
    assert load("tiny").card.note == "shipped"
    assert load("tiny", subject_root=subject).card.note == "subject"
    assert load(made.path, subject_root=subject).card.note == "made"
    places = [entry.place for entry in bundle.available(subject_root=subject)]
    assert places == ["subject", "shipped"]


def test_unknown_name_lists_what_there_is(make_bundle, tmp_path):
    make_bundle(name="mine")
    with pytest.raises(BundleError, match=r"no bundle 'nope'.*mine"):
        load("nope", subject_root=tmp_path)


@pytest.mark.parametrize("how", ["changed", "truncated", "missing"])
def test_damaged_file_is_refused(tiny_bundle, how):
    file = tiny_bundle.path / "model.onnx"
    data = file.read_bytes()
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(data[:-9] if how == "truncated" else data[:-1] + b"\0\0")
    with pytest.raises(BundleError, match=r"model\.onnx.*Copy it again"):
        load(tiny_bundle.path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b'{"name": "x"}'])
def test_foreign_card_is_refused(tiny_bundle, text):
    (tiny_bundle.path / "card.json").write_bytes(text)
    with pytest.raises(BundleError, match="no bundle card"):
        load(tiny_bundle.path)


def test_unknown_key_is_refused(tiny_bundle):
    card = json.loads((tiny_bundle.path / "card.json").read_text())
    with pytest.raises(BundleError, match="schema"):
        parse_card(json.dumps({**card, "gain": 2}).encode())


def test_newer_format_is_refused(tiny_bundle):
    card = json.loads((tiny_bundle.path / "card.json").read_text())
    with pytest.raises(BundleError, match="format 2"):
        parse_card(json.dumps({**card, "format": 2}).encode())


def test_unlisted_file_is_refused_but_compiled_caches_are_not(tiny_bundle):
    (tiny_bundle.path / "engines").mkdir()
    (tiny_bundle.path / "engines" / "cpu.blob").write_bytes(b"x")
    load(tiny_bundle.path)
    (tiny_bundle.path / "extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.bin"):
        load(tiny_bundle.path)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "card.json", ".x"])
def test_file_names_stay_inside_the_bundle(tiny_bundle, tmp_path, name):
    with pytest.raises(BundleError, match="plain name"):
        write(tmp_path / "evil.rtbold", tiny_bundle.card, {name: b"x"})
    assert not (tmp_path / "evil.rtbold").exists()
    text = (tiny_bundle.path / "card.json").read_text()
    (tiny_bundle.path / "card.json").write_text(text.replace("model.onnx", name))
    with pytest.raises(BundleError, match="plain name"):
        load(tiny_bundle.path)


def test_a_file_and_an_empty_folder_are_no_bundles(tmp_path):
    (tmp_path / "x.rtbold").write_bytes(b"x")
    with pytest.raises(BundleError, match="is a file"):
        load(tmp_path / "x.rtbold")
    (tmp_path / "y.rtbold").mkdir()
    with pytest.raises(BundleError, match="is no bundle"):
        load(tmp_path / "y.rtbold")


def test_failed_write_leaves_nothing(tiny_bundle, tmp_path):
    contents = {"model.onnx": b"x", "weights.safetensors": tmp_path / "missing"}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "half.rtbold", tiny_bundle.card, contents)
    assert sorted(tmp_path.iterdir()) == before


def test_existing_bundle_is_replaced_only_when_told(tiny_bundle):
    with pytest.raises(BundleError, match="exists already"):
        write(tiny_bundle.path, tiny_bundle.card, {})
    changed = msgspec.structs.replace(tiny_bundle.card, note="new")
    contents = {"model.onnx": tiny_bundle.file("model.onnx").read_bytes()}
    assert write(tiny_bundle.path, changed, contents, replace=True).card.note == "new"
    assert [p.name for p in tiny_bundle.path.parent.iterdir()] == ["tiny.rtbold"]


def test_what_another_process_wrote_meanwhile_is_not_replaced(tiny_bundle, tmp_path):
    draft = tmp_path / "draft"
    draft.mkdir()
    (draft / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="exists already"):
        move_into_place(draft, tiny_bundle.path, replace=False)
    assert load(tiny_bundle.path).sha256 == tiny_bundle.sha256
    assert [path.name for path in draft.iterdir()] == ["model.onnx"]


def test_moved_bundle_still_loads(tiny_bundle, tmp_path):
    target = tmp_path / "elsewhere" / "renamed.rtbold"
    shutil.copytree(tiny_bundle.path, target)
    assert load(target).sha256 == tiny_bundle.sha256


def test_simulated_model_runs_on_simulated_streams_only(tiny_bundle):
    card = tiny_bundle.card
    assert check_domain(card, stream(simulated=True)) == ()
    with pytest.raises(DomainRefused, match="--allow-simulated-model"):
        check_domain(card, stream(simulated=False))
    reasons = check_domain(card, stream(simulated=False), allow_simulated_model=True)
    assert reasons == ("simulated_model",)


def card_of(tiny: Card, *, verdict: bool, source: str = "live") -> Card:
    origin = Origin(
        kind="subject", simulated_lineage=True, verdict_on_real_data=verdict
    )
    return msgspec.structs.replace(
        tiny, origin=origin, conditioning=Conditioning(source=source)
    )


def test_a_verdict_on_real_data_opens_real_streams(tiny_bundle):
    card = card_of(tiny_bundle.card, verdict=True)
    assert check_domain(card, stream(simulated=False)) == ()


def test_weights_of_another_chain_are_unvalidated(tiny_bundle):
    card = card_of(tiny_bundle.card, verdict=True, source="published")
    with pytest.raises(DomainRefused, match="--allow-unvalidated"):
        check_domain(card, stream(simulated=False))
    reasons = check_domain(card, stream(simulated=False), allow_unvalidated=True)
    assert reasons == ("unvalidated",)


def test_weights_of_another_chain_are_unvalidated_on_simulated_streams_too(tiny_bundle):
    card = card_of(tiny_bundle.card, verdict=True, source="published")
    with pytest.raises(DomainRefused, match="--allow-unvalidated"):
        check_domain(card, stream(simulated=True))
    reasons = check_domain(card, stream(simulated=True), allow_unvalidated=True)
    assert reasons == ("unvalidated",)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_start_for_training_runs_nowhere(tiny_bundle, simulated):
    origin = Origin(kind="start", simulated_lineage=False)
    card = msgspec.structs.replace(tiny_bundle.card, origin=origin)
    with pytest.raises(DomainRefused, match="start for training"):
        check_domain(
            card,
            stream(simulated=simulated),
            allow_simulated_model=True,
            allow_unvalidated=True,
        )


def judged(tiny: Card, **verdict) -> Card:
    return msgspec.structs.replace(
        tiny, target="Putamen", verdict=make_verdict(**verdict)
    )


@pytest.mark.parametrize(
    "label", ["global or vigilance", "explained by artefact", "undecided", "no signal"]
)
def test_only_a_specific_target_is_fit_for_feedback(tiny_bundle, label):
    card = judged(tiny_bundle.card, label=label)
    with pytest.raises(DomainRefused, match=rf"'Putamen'.*'{label}': as the test"):
        check_domain(card, stream(simulated=True))
    allowed = check_domain(card, stream(simulated=True), allow_unvalidated=True)
    assert allowed == ("unvalidated",)


def test_a_specific_target_needs_no_override_but_another_roi_may(tiny_bundle):
    others = {"Cuneus": "specific", "Heschl's gyrus": "undecided"}
    card = judged(tiny_bundle.card, rois=others)
    assert check_domain(card, stream(simulated=True)) == ()
    assert check_domain(card, stream(simulated=True), target="Cuneus") == ()
    with pytest.raises(DomainRefused, match=r"Heschl.*'undecided' over all"):
        check_domain(card, stream(simulated=True), target="Heschl's gyrus")


def test_both_reasons_for_unvalidated_are_one(tiny_bundle):
    card = card_of(tiny_bundle.card, verdict=True, source="published")
    card = judged(card, label="no signal")
    allowed = check_domain(card, stream(simulated=True), allow_unvalidated=True)
    assert allowed == ("unvalidated",)
