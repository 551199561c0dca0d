"""Files of weights from elsewhere: what is read, and that nothing in them is run."""

import argparse
import io
import os
import pickle
import zipfile

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from rtbold.errors import CheckpointError  # noqa: E402
from rtbold.models.published import checkpoints  # noqa: E402
from rtbold.models.published.checkpoints import read_checkpoint  # noqa: E402

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def saved(tmp_path, content, *, legacy=False, name="x.pth"):
    path = tmp_path / name
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def assert_is_state(found):
    assert set(found.state) == set(STATE)
    for name, value in STATE.items():
        torch.testing.assert_close(found.state[name], value)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_a_training_loop_writes(tmp_path, legacy):
    args = argparse.Namespace(lr=1e-3, device="cuda", nested=argparse.Namespace(x=1))
    content = {"model": STATE, "optimizer": {"state": {}}, "epoch": 3, "args": args}
    found = read_checkpoint(saved(tmp_path, content, legacy=legacy))
    assert_is_state(found)
    assert found.left == ("optimizer", "epoch", "args")
    assert len(found.sha256) == 64


def test_bare_weights_lightning_and_safetensors(tmp_path):
    assert_is_state(read_checkpoint(saved(tmp_path, STATE)))
    found = read_checkpoint(saved(tmp_path, {"state_dict": STATE, "epoch": 1}))
    assert_is_state(found)
    assert found.left == ("epoch",)
    path = tmp_path / "x.safetensors"
    save_file(STATE, path)
    assert_is_state(read_checkpoint(path))


def test_prefixes_are_taken_off(tmp_path):
    parallel = {f"module.{name}": value for name, value in STATE.items()}
    assert_is_state(read_checkpoint(saved(tmp_path, parallel)))
    pretrained = {f"student.{name}": value for name, value in STATE.items()}
    decoder = {"lm_head.weight": torch.ones(3), "logit_scale": torch.ones(())}
    found = read_checkpoint(saved(tmp_path, {"model": {**pretrained, **decoder}}))
    assert_is_state(found)
    assert found.left == ("lm_head.weight", "logit_scale")


def test_half_and_double_precision_become_float32(tmp_path):
    mixed = {
        "half": torch.ones(2).half(),
        "brain": torch.ones(2).bfloat16(),
        "double": torch.ones(2).double(),
        "index": torch.arange(3),
    }
    found = read_checkpoint(saved(tmp_path, mixed)).state
    assert {str(found[name].dtype) for name in ("half", "brain", "double")} == {
        "torch.float32"
    }
    assert found["index"].dtype == torch.int64


class Touch:
    """A pickle of this creates a file when it is opened freely."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


class Shell(Touch):
    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


class Evaluated(Touch):
    def __reduce__(self):
        return eval, (f"open({self.path!r}, 'w')",)


@pytest.mark.parametrize("kind", [Touch, Shell, Evaluated])
@pytest.mark.parametrize("how", ["zip", "legacy", "pickle", "in the arguments"])
def test_a_hostile_pickle_is_not_run(tmp_path, kind, how):
    touched = tmp_path / "touched"
    path = tmp_path / "evil.pth"
    content = {"model": {**STATE, "evil": kind(touched)}, "epoch": 1}
    if how == "in the arguments":
        content = {"model": STATE, "args": argparse.Namespace(x=kind(touched))}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    with pytest.raises(CheckpointError, match=r"evil\.pth.*Nothing in it was run"):
        read_checkpoint(path)
    assert not touched.exists()


@pytest.mark.parametrize("kind", [Touch, Shell, Evaluated])
def test_the_hostile_pickles_would_do_it(tmp_path, kind):
    touched = tmp_path / "touched"
    opened = pickle.loads(pickle.dumps(kind(touched)))
    if hasattr(opened, "close"):
        opened.close()
    assert touched.exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, legacy, share):
    path = saved(tmp_path, {"model": {"w": torch.ones(5000)}}, legacy=legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_checkpoint(path)


def test_truncated_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_checkpoint(path)


@pytest.mark.parametrize("data", [b"hello", b"\x00" * 100, b"PK\x03\x04 no zip", b"{}"])
def test_files_of_another_kind(tmp_path, data):
    path = tmp_path / "x.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="cannot be read as weights") as caught:
        read_checkpoint(path)
    # torch's own words advise to open it without the restriction.
    assert "weights_only" not in str(caught.value)
    assert "damaged, cut short, or no such file" in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_no_file_of_weights(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=f"it is a {kind}"):
        read_checkpoint(path)


def test_a_lineage_that_is_nested_without_end(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path, {"rtbold.lineage": "[" * 100_000})
    with pytest.raises(CheckpointError, match="not as rtbold writes it"):
        read_checkpoint(path)


def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path):
    path = saved(tmp_path, {"w": torch.zeros(1_000_000)})
    bomb = tmp_path / "bomb.pth"
    with (
        zipfile.ZipFile(path) as stored,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    assert bomb.stat().st_size < path.stat().st_size / 100
    with pytest.raises(CheckpointError, match="compressed archive"):
        read_checkpoint(bomb)


def test_a_view_that_repeats_one_number_a_billion_times(tmp_path):
    path = saved(tmp_path, {"w": torch.zeros(1).expand(10**9)})
    assert path.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match="claims 1000000000 numbers"):
        read_checkpoint(path)


def test_a_file_beyond_the_limit_is_not_opened(tmp_path, monkeypatch):
    path = saved(tmp_path, STATE)
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 10)
    with pytest.raises(CheckpointError, match="expected at most 10"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds a list, expected named weights"),
        (torch.ones(3), "holds a Tensor, expected named weights"),
        ({"epoch": 3}, "no tensor by name"),
        ({"model": {}}, "no tensor by name"),
        ({1: torch.ones(2)}, "no tensor by name"),
        ({"w": torch.eye(3).to_sparse()}, "no plain array"),
        ({"w": torch.ones(2, device="meta")}, "no plain array"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "no plain array"),
        ({"w": torch.tensor([1.0, float("nan")])}, "not finite"),
        ({"w": torch.tensor([1.0, float("inf")])}, "not finite"),
    ],
)
def test_what_is_no_weights(tmp_path, content, words):
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(saved(tmp_path, content))


def test_a_whole_module_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), buffer)
    path = tmp_path / "x.pth"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="Python objects other than weights"):
        read_checkpoint(path)
