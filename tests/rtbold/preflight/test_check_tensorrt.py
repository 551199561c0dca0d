from types import SimpleNamespace

import pytest

from rtbold.engine import tensorrt_package
from rtbold.engine.tensorrt_cuda import CudaDevice, CudaError
from rtbold.engine.tensorrt_package import TensorRt
from rtbold.errors import EngineError
from rtbold.preflight import machine as checked

RTX = TensorRt(
    "tensorrt-rtx",
    "1.7",
    SimpleNamespace(
        ComputeCapability=SimpleNamespace(
            __members__={"NONE": 0, "CURRENT": 1, "SM120": 2, "SM75": 3, "SM86": 4}
        )
    ),
)


def no_driver():
    raise CudaError("there is no NVIDIA driver")


@pytest.mark.parametrize(
    ("package", "device", "state", "text"),
    [
        (None, no_driver, "ok", "not installed (optional): predictions run on the CPU"),
        (RTX, no_driver, "ok", "cannot run here: there is no NVIDIA driver"),
        (RTX, no_driver, "ok", "compiles for sm_75, sm_86, sm_120"),
        (RTX, lambda: CudaDevice("RTX 3090", "sm_86"), "ok", "on RTX 3090 (sm_86)"),
        (
            RTX,
            lambda: CudaDevice("H100", "sm_90"),
            "warn",
            "predictions run on the CPU",
        ),
    ],
)
def test_what_is_said(monkeypatch, package, device, state, text):
    monkeypatch.setattr(checked, "installed", lambda: package)
    check = checked.check_tensorrt(device)
    assert (check.name, check.state) == ("tensorrt", state)
    assert text in check.found
    assert bool(check.advice) == (state != "ok")


def test_a_package_that_cannot_be_loaded(monkeypatch):
    def broken(name):
        raise OSError(f"lib{name}.so: no such file")

    monkeypatch.setattr(tensorrt_package, "find_spec", lambda _: object())
    monkeypatch.setattr(tensorrt_package, "import_module", broken)
    with pytest.raises(EngineError, match=r"libtensorrt_rtx\.so"):
        tensorrt_package.installed()
    check = checked.check_tensorrt(no_driver)
    assert check.state == "warn"
    assert "libtensorrt_rtx.so" in check.found
