"""Weights that simulated data made stay so, whatever way they are imported."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch")

import checkpoint_files as files  # noqa: E402
from bundles import tiny_card  # noqa: E402
from safetensors.torch import load as load_bytes, load_file, save_file  # noqa: E402

from rtbold.bundle.card import Lineage, Origin  # noqa: E402
from rtbold.bundle.gates import check_domain  # noqa: E402
from rtbold.bundle.store import load, write  # noqa: E402
from rtbold.errors import CheckpointError, DomainRefused  # noqa: E402
from rtbold.messages import Channel, StreamDescription  # noqa: E402
from rtbold.models.export.onnx import to_safetensors  # noqa: E402
from rtbold.models.montage import Montage  # noqa: E402
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig  # noqa: E402
from rtbold.models.published import importing  # noqa: E402
from rtbold.models.published.checkpoints import read_checkpoint  # noqa: E402
from rtbold.models.published.importing import (  # noqa: E402
    ImportSettings,
    import_checkpoints,
)
from rtbold.models.published.provenance import provenance  # noqa: E402

REAL = StreamDescription(
    name="amp", type="EEG", rate_hz=200.0, channels=(Channel("CZ"),)
)
SIZES = {"dim": 16, "heads": 2, "spectral_heads": 4, "depth": 1, "spectral_depth": 1}
WEIGHTS = "weights.safetensors"


@pytest.fixture
def network():
    channels = ("FP1", "CZ", "O2")
    made = NeuroBolt(NeuroBoltConfig(channels=channels, n_rois=2, **SIZES))
    made.load_state_dict(files.drawn(made))
    return made


def known(*paths):
    return provenance([read_checkpoint(path) for path in paths])


def bundle_of(network, folder, *, simulated, weights=None):
    """Write the network's bundle, as a calibration would."""
    kind = "simulated" if simulated else "subject"
    card = tiny_card(
        network.config.channels,
        ("left", "right"),
        name="own",
        origin=Origin(kind=kind, simulated_lineage=simulated),
    )
    data = weights or to_safetensors(network, Lineage(), simulated=simulated)
    return write(folder / "own.rtbold", card, {WEIGHTS: data})


@pytest.mark.parametrize("simulated", [True, False])
def test_weights_that_were_taken_out_of_a_bundle_say_so_themselves(
    network, tmp_path, simulated
):
    made = bundle_of(network, tmp_path, simulated=simulated)
    alone = shutil.copy(made.file(WEIGHTS), tmp_path / "renamed.safetensors")
    found = read_checkpoint(tmp_path / alone)
    assert found.simulated is simulated
    assert provenance([found]).simulated is simulated


@pytest.mark.parametrize("simulated", [True, False])
def test_weights_from_before_they_said_so_are_asked_of_the_card_beside(
    network, tmp_path, simulated
):
    bare = to_safetensors(network, Lineage())
    made = bundle_of(network, tmp_path, simulated=simulated, weights=bare)
    assert read_checkpoint(made.file(WEIGHTS)).simulated is None
    assert known(made.file(WEIGHTS)).simulated is simulated
    # The card knows them by their hash, under any name
    (made.path / WEIGHTS).rename(made.path / "mine.safetensors")
    assert known(made.path / "mine.safetensors").simulated is simulated


def test_rtbolds_own_without_a_word_and_without_a_card_count_as_simulated(
    network, tmp_path
):
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(to_safetensors(network, Lineage(complete=True)))
    assert known(alone).simulated


def test_a_foreign_checkpoint_does_not(tmp_path):
    path = files.save(tmp_path / "tiny.pth", files.tiny_neurobolt())
    found = known(path)
    assert not found.simulated
    assert found.lineage == Lineage(scans=(), complete=False)


def test_one_of_several_is_enough(network, tmp_path):
    path = files.save(tmp_path / "tiny.pth", files.tiny_neurobolt())
    own = tmp_path / "own.safetensors"
    own.write_bytes(to_safetensors(network, simulated=True))
    assert known(path, own).simulated


@pytest.mark.parametrize("change", ["another file", "a changed card", "no card"])
def test_a_card_beside_that_does_not_fit_is_not_believed(network, tmp_path, change):
    bare = to_safetensors(network)
    made = bundle_of(network, tmp_path, simulated=True, weights=bare)
    card = made.path / "card.json"
    if change == "another file":
        other = {
            name: value + 1 for name, value in load_file(made.file(WEIGHTS)).items()
        }
        save_file(other, made.path / WEIGHTS)
    elif change == "a changed card":
        text = card.read_text("utf-8")
        card.write_text(text.replace("true", "false"), "utf-8")
    else:
        card.write_text("not a card", "utf-8")
    with pytest.raises(CheckpointError, match=r"beside a card\.json that does not fit"):
        known(made.path / WEIGHTS)


def test_a_file_that_only_lies_beside_a_card_is_none_of_its_bundle(network, tmp_path):
    made = bundle_of(network, tmp_path, simulated=True)
    path = files.save(made.path / "other.pth", files.tiny_neurobolt())
    assert not known(path).simulated


@pytest.mark.parametrize("name", ["demo", "demo-ridge"])
@pytest.mark.parametrize("how", ["copied", "without notes", "pickled", "prefixed"])
def test_the_shipped_weights_are_known_by_their_numbers(tmp_path, name, how):
    shipped = load(name).file(WEIGHTS)
    path = tmp_path / "weights.safetensors"
    state = load_file(shipped)
    if how == "copied":
        shutil.copy(shipped, path)
    elif how == "without notes":
        save_file(state, path)
    else:
        prefix = "module." if how == "prefixed" else ""
        path = tmp_path / "weights.pth"
        torch.save({"model": {prefix + k: v for k, v in state.items()}}, path)
    assert known(path).simulated


def test_what_all_networks_of_a_size_have_is_no_mark_of_the_shipped(tmp_path):
    """Sines over time and the sizes are the shipped network's; nothing learned is."""
    config = NeuroBoltConfig(dim=64, heads=4, spectral_heads=4, depth=1)
    state = files.drawn(NeuroBolt(config))
    path = tmp_path / "same-size.pth"
    torch.save({"model": state}, path)
    shipped = load_file(load("demo").file(WEIGHTS))
    table = "mss_module.positional_encoding.pe"
    torch.testing.assert_close(state[table], shipped[table])
    assert not known(path).simulated


def test_a_word_that_rtbold_does_not_write_is_refused(network, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(network.state_dict(), path, {"rtbold.simulated_lineage": "perhaps"})
    with pytest.raises(CheckpointError, match="'perhaps', expected true or false"):
        read_checkpoint(path)


def test_the_imported_bundle_says_it_and_a_real_stream_is_refused(
    network, tmp_path, monkeypatch
):
    monkeypatch.setattr(importing, "to_onnx", lambda *_: b"graph")
    made = bundle_of(network, tmp_path, simulated=True)
    montage = Montage(trained=network.config.channels)
    settings = ImportSettings(montage=montage, heads=4, reference="average")
    outcome = import_checkpoints(
        [made.file(WEIGHTS)], tmp_path / "again.rtbold", settings
    )
    card = outcome.bundle.card
    assert (card.origin.kind, card.origin.simulated_lineage) == ("simulated", True)
    assert (card.scanner, card.cleaning.mode) == ("simulated", "unknown")
    assert "SIMULATED" in card.note
    with pytest.raises(DomainRefused, match="made from simulated data"):
        check_domain(card, REAL, allow_unvalidated=True)
    # and so does what is imported from that in turn, and its check windows have names
    assert read_checkpoint(outcome.bundle.file(WEIGHTS)).simulated
    fields = json.loads((outcome.bundle.path / "card.json").read_text("utf-8"))
    assert fields["sealed"]


def test_the_same_weights_and_notes_are_the_same_bytes():
    """The library shuffled the notes: a bundle's hash differed every second time."""
    network = torch.nn.Linear(3, 4)
    made = {to_safetensors(network, Lineage(), simulated=True) for _ in range(12)}
    assert len(made) == 1
    found = load_bytes(made.pop())
    assert all(torch.equal(found[k], v) for k, v in network.state_dict().items())
