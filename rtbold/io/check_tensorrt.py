"""``rtbold doctor``: whether predictions can run on a GPU here. They need none."""

from collections.abc import Callable

from rtbold.engine.tensorrt_cuda import CudaDevice, first_device
from rtbold.engine.tensorrt_package import check_gpu, installed
from rtbold.errors import EngineError, RtboldError
from rtbold.io.checks import Check

ON_CPU = "predictions run on the CPU"


def check_tensorrt(device: Callable[[], CudaDevice] = first_device) -> Check:
    """Report package, driver and GPU; a warning only where what is there is broken."""
    try:
        package = installed()
    except EngineError as error:
        return Check("tensorrt", "warn", str(error), "or remove the package")
    if package is None:
        return Check("tensorrt", "ok", f"not installed (optional): {ON_CPU}")
    known = f", compiles for {', '.join(package.gpus())}" if package.gpus() else ""
    try:
        found = device()
    except EngineError as error:
        text = f"{package.name}{known}; cannot run here: {error}; {ON_CPU}"
        return Check("tensorrt", "ok", text)
    here = f"{package.name} on {found.name} ({found.gpu})"
    try:
        check_gpu(found.gpu, package)
    except RtboldError as error:
        return Check("tensorrt", "warn", f"{here}: {ON_CPU}", str(error))
    return Check("tensorrt", "ok", here)
