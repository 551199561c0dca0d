"""A bundle's network as one ONNX file; windows and predictions as NPY files."""

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from rtbold.arrays import read_npy
from rtbold.bundle import Bundle, Card, read_check
from rtbold.disk import open_file
from rtbold.distribution import pip_install
from rtbold.engine.check import EXACT, deviation, predictions_of, why_refused
from rtbold.engine.openvino import Model, OpenVinoEngine, open_core
from rtbold.engine.protocol import check_windows
from rtbold.engine.records import MODEL_FILE, replace_file
from rtbold.errors import ConfigError, DataFileError, EngineError
from rtbold.messages import Float32Array

SUFFIX = ".onnx"
MOST_WINDOW_BYTES = 16 << 30  # some 30,000 windows of 32 channels


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the file is and what was done to make sure of it."""

    sha256: str
    opset: str
    inputs: tuple[str, ...]  # "eeg_uv float32 (batch, 19, 3200)"
    outputs: tuple[str, ...]
    checks: tuple[str, ...]


def export_onnx(bundle: Bundle, out: Path) -> ExportFacts:
    """Write ``model.onnx`` of a bundle, the file that every engine runs, to `out`.

    No torch is needed: a bundle holds its export. It is run by OpenVINO before it is
    written, on the bundle's check windows where it has them.

    Raises
    ------
    ConfigError : `out` has another suffix, or its folder is not there.
    BundleError : the bundle has no such file.
    EngineError : the file does not pass; nothing is written then.
    """
    if out.suffix.lower() != SUFFIX:
        raise ConfigError(f"{out} does not end in {SUFFIX}; name it {out.stem}{SUFFIX}")
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent} is no folder; create it or choose another")
    source = bundle.file(MODEL_FILE)
    data = source.read_bytes()
    opset, checked = _checked_by_onnx(data)
    checks = (checked, _checked_by_running(bundle))
    model = open_core().read_model(source)
    facts = ExportFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        opset=opset,
        inputs=tuple(_port(model, "inputs")),
        outputs=tuple(_port(model, "outputs")),
        checks=checks,
    )
    try:
        replace_file(out, data)
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror or error}; choose another place"
        ) from error
    return facts


def _checked_by_onnx(data: bytes) -> tuple[str, str]:
    """Return the opset, and what onnx.checker says."""
    try:
        onnx = import_module("onnx")
        checker = import_module("onnx.checker")
    except ImportError:
        how = f"onnx is not installed ({pip_install('calibration')})"
        return f"not read: {how}", f"not by onnx.checker: {how}"
    try:
        model = onnx.load_from_string(data)
        checker.check_model(model, full_check=True)
    except Exception as error:  # protobuf's, onnx's and C++'s own
        raise EngineError(
            f"{MODEL_FILE} does not pass onnx.checker: {error}; make the bundle again"
        ) from error
    opsets = [f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import]
    return ", ".join(opsets), f"by onnx.checker {onnx.__version__}, in full"


def _checked_by_running(bundle: Bundle) -> str:
    engine = OpenVinoEngine(bundle, n_threads=os.cpu_count() or 1, batch_size=1)
    check = read_check(bundle)
    if check is None:
        return "run by OpenVINO once; the bundle carries no check windows to compare on"
    answers = predictions_of(engine, check.eeg_uv)
    found = deviation(answers, check.bold)
    reason = why_refused(found, bundle.card, EXACT)
    if reason is not None:
        raise EngineError(
            f"{MODEL_FILE} of bundle '{bundle.card.name}' is not what torch answered "
            f"when it was made: it {reason}; make the bundle again"
        )
    return (
        f"run by OpenVINO on {len(check)} {bundle.card.check.windows} windows: within "
        f"{found.worst:.1e} of torch (allowed {bundle.card.tolerance:g})"
    )


def _port(model: Model, side: str) -> list[str]:
    ports = []
    for port in getattr(model, side):
        sizes = [
            str(size.get_length()) if size.is_static else "batch"
            for size in port.get_partial_shape()
        ]
        names = ", ".join(sorted(port.get_names()))
        kind = np.dtype(port.get_element_type().to_dtype()).name
        ports.append(f"{names} {kind} ({', '.join(sizes)})")
    return ports


# Windows and predictions as NPY files, for ``rtbold models predict``.


def read_windows(path: Path, card: Card) -> Float32Array:
    """Return (n, channels, 3200) float32 microvolt, all finite.

    Raises
    ------
    DataFileError : missing, no NPY file, truncated, pickled, or not finite.
    EngineError : another shape or type than the bundle takes.
    """
    try:
        with open_file(path, at_most_bytes=MOST_WINDOW_BYTES) as file:
            if zipfile.is_zipfile(file):
                raise DataFileError(
                    f"{path} is an archive of several arrays, expected one NPY array; "
                    "save it with numpy.save"
                )
            file.seek(0)
            windows = read_npy(file, n_bytes=os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise _unreadable(path, card, error.strerror or "it is cut short") from error
    except ValueError as error:
        # Without numpy's words: they advise to trust the file.
        raise _unreadable(
            path, card, "no NPY file of plain numbers, or cut short"
        ) from error
    check_windows(windows, card)
    if not np.isfinite(windows).all():
        bad = np.argwhere(~np.isfinite(windows).all(axis=2))[0]
        raise DataFileError(
            f"{path} holds values that are not finite, first in window {bad[0]}, "
            f"channel {card.channels[bad[1]]}; interpolate or leave out such windows"
        )
    checked: Float32Array = windows
    return checked


def write_array(path: Path, array: Float32Array) -> None:
    """Write an NPY file, whole or not at all.

    Raises
    ------
    ConfigError : the place cannot be written.
    """
    file = io.BytesIO()
    np.save(file, array)
    try:
        replace_file(path, file.getvalue())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}; choose another place"
        ) from error


def _unreadable(path: Path, card: Card, why: str) -> DataFileError:
    return DataFileError(
        f"{path} cannot be read as an array: {why}; expected an NPY file (numpy.save) "
        f"of shape (n, {len(card.channels)}, 3200), float32 microvolt"
    )
