"""Choose an engine by name and open a bundle with it."""

from typing import Literal, get_args

from rtbold.bundle import Bundle
from rtbold.engine.protocol import Engine
from rtbold.errors import ConfigError

EngineName = Literal["auto", "openvino", "torch"]
ENGINES: tuple[str, ...] = get_args(EngineName)
PRECISIONS = ("f32",)


def open_engine(
    bundle: Bundle,
    *,
    engine: str = "auto",
    precision: str = "f32",
    n_threads: int = 1,
    batch_size: int | None = 1,
) -> Engine:
    """Compile a verified bundle and run it once, so that no prediction waits for it.

    Every bundle, ridge included, holds the same ``model.onnx``; ``auto`` is OpenVINO.

    Parameters
    ----------
    n_threads : pinned, because replays are bit-identical only for the same count.
    batch_size : windows per call, or None for any number (slower; ``models predict``).

    Raises
    ------
    ConfigError : unknown engine or precision.
    EngineError : the engine is not installed or cannot run the bundle.
    """
    _check_choice("engine", engine, ENGINES)
    _check_choice("precision", precision, PRECISIONS)
    if n_threads < 1:
        raise ConfigError(f"n_threads is {n_threads}, expected 1 or more")
    if engine == "torch":
        from rtbold.engine.torch import TorchEngine

        return TorchEngine(bundle, n_threads=n_threads)
    from rtbold.engine.openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, n_threads=n_threads, batch_size=batch_size)


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{option} is {value!r}, expected one of {', '.join(choices)}"
        )
