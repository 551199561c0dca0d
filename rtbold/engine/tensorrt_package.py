"""Which TensorRT is installed, what it calls itself, and which GPUs it knows.

Two packages of NVIDIA offer the same programming interface. ``tensorrt_rtx`` is made
for RTX GPUs and compiles for any of them on a machine that has none; ``tensorrt`` is
made for all, data centre GPUs among them, and compiles only for the GPU that is in
the machine.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Literal, get_args

from rtbold.distribution import pip_install
from rtbold.errors import ConfigError, EngineError

Flavour = Literal["tensorrt-rtx", "tensorrt"]
# f32: float32 throughout. tf32: float32, but products may round their inputs to 10
# bits (TensorFloat-32). f16: products in float16 (`rtbold.engine.tensorrt_half`).
TensorRtPrecision = Literal["f32", "tf32", "f16"]
TENSORRT_PRECISIONS: tuple[str, ...] = get_args(TensorRtPrecision)

_IMPORT_NAMES: dict[Flavour, str] = {
    "tensorrt-rtx": "tensorrt_rtx",
    "tensorrt": "tensorrt",
}
_GPU_NAME = re.compile(r"sm_[1-9][0-9]{1,2}")
_MEMBER = re.compile(r"SM([1-9][0-9]{1,2})")
# Their tensor cores have no float32 product; TensorRT-RTX 1.7.1 refuses it there.
GPUS_WITHOUT_F32 = frozenset(("sm_75",))


@dataclass(frozen=True)
class TensorRt:
    """An installed TensorRT."""

    flavour: Flavour
    version: str
    module: ModuleType

    @property
    def name(self) -> str:
        """Name and version, as a person would give them."""
        return f"{self.flavour} {self.version}"

    def gpus(self) -> tuple[str, ...]:
        """Return the GPUs that it compiles for without having them; may be none."""
        capabilities = getattr(self.module, "ComputeCapability", None)
        if self.flavour != "tensorrt-rtx" or capabilities is None:
            return ()
        found = (_MEMBER.fullmatch(name) for name in capabilities.__members__)
        numbers = sorted(int(match[1]) for match in found if match)
        return tuple(f"sm_{number}" for number in numbers)

    def capability(self, gpu: str) -> object:
        """Return the member of ``ComputeCapability`` for one of `gpus`."""
        return self.module.ComputeCapability.__members__[gpu.replace("sm_", "SM")]


def installed() -> TensorRt | None:
    """Return the TensorRT that can be imported, ``tensorrt-rtx`` before ``tensorrt``.

    Raises
    ------
    EngineError : a package is there, but its libraries cannot be loaded.
    """
    for flavour, name in _present():
        try:
            module = import_module(name)
        except (ImportError, OSError) as error:
            raise EngineError(
                f"{flavour} is installed but cannot be loaded: {error}; install it "
                f"again ({pip_install('tensorrt')}), or use --engine openvino"
            ) from error
        return TensorRt(flavour, str(module.__version__), module)
    return None


def is_installed() -> bool:
    """Return whether a TensorRT is there, without loading it."""
    return any(_present())


def require() -> TensorRt:
    """Return the installed TensorRT.

    Raises
    ------
    EngineError : there is none.
    """
    package = installed()
    if package is None:
        raise EngineError(
            "TensorRT is not installed, expected tensorrt-rtx or tensorrt; "
            f"{pip_install('tensorrt')} (Linux, Windows), or use --engine openvino"
        )
    return package


def check_gpu(gpu: str, package: TensorRt) -> None:
    """Refuse a GPU name that the package cannot compile for on its own.

    Raises
    ------
    ConfigError : no such name, or this TensorRT does not know it.
    """
    known = package.gpus()
    if gpu in known or (not known and _GPU_NAME.fullmatch(gpu)):
        return
    example = "an RTX 3090 is sm_86, an RTX 4090 sm_89, a T4 sm_75"
    if not known:
        raise ConfigError(f"GPU is {gpu!r}, expected a name like sm_86; {example}")
    raise ConfigError(
        f"GPU is {gpu!r}, {package.name} knows {', '.join(known)} ({example}). For "
        "another GPU install NVIDIA's tensorrt and compile on the machine that has it."
    )


def check_precision(precision: str) -> None:
    """Refuse a precision that TensorRT engines are not built in.

    Raises
    ------
    ConfigError : another name than f32, tf32 or f16.
    """
    if precision not in TENSORRT_PRECISIONS:
        raise ConfigError(
            f"precision is {precision!r}, TensorRT engines are built in one of "
            f"{', '.join(TENSORRT_PRECISIONS)}"
        )


def why_not_precision(gpu: str, precision: str) -> str | None:
    """Return why a GPU cannot run a precision, or None where it can."""
    if gpu in GPUS_WITHOUT_F32 and precision != "f16":
        return (
            f"{gpu} (Turing) has no float32 matrix product in TensorRT: {precision} "
            "cannot be compiled for it; use f16"
        )
    return None


def _present() -> Iterator[tuple[Flavour, str]]:
    for flavour, name in _IMPORT_NAMES.items():
        if find_spec(name) is not None:
            yield flavour, name
