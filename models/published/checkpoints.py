"""Open a checkpoint of somebody else's, without running anything that it carries.

A checkpoint in Python's pickle format can execute code when it is opened. Here torch's
restricted unpickler reads it: tensors, plain containers, ``argparse.Namespace``, and
nothing else. Sizes are checked before and after, so that a small file cannot ask for a
large memory.
"""

import argparse
import hashlib
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from rtbold.bundle import Lineage
from rtbold.disk import open_file
from rtbold.errors import CheckpointError

# Keys of a safetensors file's notes.
LINEAGE = "rtbold.lineage"
SIMULATED = "rtbold.simulated_lineage"  # "true" or "false"
MAX_BYTES = 2 << 30  # the published ones are below 200 MB with their optimizer
_STATE_KEYS = ("model", "state_dict")
_WHOLE_MODEL_PREFIXES = ("module.",)  # of torch's parallel wrappers
_ENCODER_PREFIX = "student."  # of LaBraM's pre-training
_EXPECTED = "a checkpoint of PyTorch (.pth, .pt, .ckpt) or .safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file holds: named weights, and the names of what was not weights."""

    path: Path
    sha256: str
    state: dict[str, Tensor]  # float32 (integers as they are), prefixes taken off
    left: tuple[str, ...]  # entries of the file that are no weights of the network
    # Of weights that rtbold wrote as safetensors; None: the file does not say
    lineage: Lineage | None = None
    simulated: bool | None = None  # any simulated data in base or training


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file of weights.

    ``{"model": weights, ...}``, ``{"state_dict": weights, ...}`` and bare weights are
    understood; prefixes ``module.`` and ``student.`` are taken off.

    Raises
    ------
    CheckpointError : missing, damaged, too large, not weights, or made to run code.
    """
    sha256 = _checked_hash(path)
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    state, others = _state(content, path)
    state, outside = _without_prefix(state)
    notes = _notes(path) if path.suffix == ".safetensors" else {}
    for name, value in state.items():
        _check_tensor(name, value, path)
    return Checkpoint(
        path=path,
        sha256=sha256,
        state={name: _plain(value) for name, value in state.items()},
        left=(*others, *outside),
        lineage=_lineage(notes.get(LINEAGE), path),
        simulated=_was_simulated(notes.get(SIMULATED), path),
    )


def _notes(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _was_simulated(text: str | None, path: Path) -> bool | None:
    if text not in (None, "true", "false"):
        raise CheckpointError(
            f"{path} says whether it was trained on simulated data, but not as rtbold "
            f"writes it: {text!r}, expected true or false. Import the file as it lies "
            "in its bundle."
        )
    return None if text is None else text == "true"


def _lineage(text: str | None, path: Path) -> Lineage | None:
    """Return what rtbold wrote of the scans behind the weights; None: nothing."""
    try:
        return None if text is None else msgspec.json.decode(text, type=Lineage)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CheckpointError(
            f"{path} says which scans it was trained on, but not as rtbold writes it: "
            f"{error}. Import the file as it lies in its bundle."
        ) from error


def _checked_hash(path: Path) -> str:
    try:
        n_bytes = path.stat().st_size
        if path.is_file() and n_bytes > MAX_BYTES:
            raise CheckpointError(
                f"{path} has {n_bytes} bytes, expected at most {MAX_BYTES}: the "
                "published checkpoints are far smaller. Is it the right file?"
            )
        with open_file(path, at_most_bytes=MAX_BYTES) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error}), expected {_EXPECTED}"
        ) from error


def _safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except Exception as error:  # a foreign file may raise anything on the way
        raise _unreadable(path, error) from error


def _pickled(path: Path) -> object:
    try:
        if zipfile.is_zipfile(path):
            _check_archive(path)
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals([argparse.Namespace]),
        ):
            warnings.simplefilter("ignore")  # what torch thinks of the pickle's age
            return torch.load(  # noqa: TID251 - this is read_checkpoint
                path, map_location="cpu", weights_only=True
            )
    except CheckpointError:
        raise
    except Exception as error:  # a foreign file may raise anything on the way
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as weights: {_why(error)}. "
        f"Expected {_EXPECTED}. Nothing in it was run. Download it again; of a file of "
        "your own, save the state dict alone: torch.save(model.state_dict(), path)"
    )


def _why(error: Exception) -> str:
    """Say what is wrong in words of our own.

    torch's advise to open the file without the restriction, which would run it.
    """
    said = str(error)
    if isinstance(error, MemoryError) or "alloc" in said:
        return "it asks for more memory than there is"
    for phrase in ("Unsupported global", "unsupported GLOBAL", "unsupported operand"):
        if phrase in said:
            return "it holds Python objects other than weights, which are not opened"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"it is damaged, cut short, or no such file at all ({type(error).__name__})"


def _check_archive(path: Path) -> None:
    """Refuse archives that unpack to more than they are; torch stores, never packs."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    packed = [e for e in entries if e.compress_type != zipfile.ZIP_STORED]
    if packed or sum(e.file_size for e in entries) > path.stat().st_size:
        raise CheckpointError(
            f"{path} is a compressed archive, expected {_EXPECTED}, which never is. "
            "If the checkpoint lies inside, unpack it first."
        )


def _state(content: object, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights and the names of everything beside them."""
    others: list[str] = []
    if isinstance(content, Mapping):
        for key in _STATE_KEYS:
            inner = content.get(key)
            if isinstance(inner, Mapping):
                others = [str(name) for name in content if name != key]
                content = inner
                break
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, expected named weights (a state "
            'dict, or one under "model"); save them as torch.save(model.state_dict())'
        )
    state = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not state:
        raise CheckpointError(
            f"{path} holds no tensor by name (it has {_some(content)}), expected a "
            'state dict, or one under "model"'
        )
    return state, others + [str(name) for name in content if name not in state]


def _without_prefix(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    for prefix in _WHOLE_MODEL_PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): v for name, v in state.items()}
    if not any(name.startswith(_ENCODER_PREFIX) for name in state):
        return state, []
    outside = [name for name in state if not name.startswith(_ENCODER_PREFIX)]
    inside = {
        name.removeprefix(_ENCODER_PREFIX): value
        for name, value in state.items()
        if name.startswith(_ENCODER_PREFIX)
    }
    return inside, outside


def _check_tensor(name: str, value: Tensor, path: Path) -> None:
    plain = (
        value.device.type == "cpu"
        and value.layout == torch.strided
        and not value.is_quantized
        and not value.is_complex()
    )
    if not plain:
        raise CheckpointError(
            f"{path}: {name} is no plain array of numbers ({value.dtype}, "
            f"{value.layout}, on {value.device.type}), expected dense weights"
        )
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(
            f"{path}: {name} claims {value.numel()} numbers and stores fewer, expected "
            "weights as PyTorch writes them"
        )
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise CheckpointError(
            f"{path}: {name} holds values that are not finite; the training that wrote "
            "it failed. Take another checkpoint."
        )


def _plain(value: Tensor) -> Tensor:
    value = value.detach()
    return value.float() if value.is_floating_point() else value


def _some(names: Mapping[object, object]) -> str:
    shown = [str(name)[:40] for name in list(names)[:5]]
    return ", ".join(shown) or "nothing"
