"""CPUs that OpenVINO says it runs on, so that every branch runs on every machine."""

import contextlib

import numpy as np
import openvino
import pytest

NAME = "a simulated CPU"
PLAIN = ("FP32", "INT8")
WITH_BF16 = ("BF16", "FP32", "INT8")
WITH_F16 = ("BF16", "FP16", "FP32", "INT8")


def in_bfloat16(answers):
    """Round to the eight bits of bfloat16."""
    bits = np.ascontiguousarray(answers, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def in_no_number(answers):
    """Answer as OpenVINO's float16 did on a CPU that lists it."""
    return np.full_like(answers, np.nan)


ARITHMETIC = {"bf16": in_bfloat16, "f16": in_no_number}


@contextlib.contextmanager
def simulated_cpu(capabilities, arithmetic=ARITHMETIC):
    """Run OpenVINO on a CPU that lists these capabilities.

    Parameters
    ----------
    capabilities : such as "FP32", "BF16", "FP16", "INT8".
    arithmetic : precision to what it makes of answers. Everything is computed in
        float32, so that no answer depends on what the real CPU has.
    """
    real = openvino.Core
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            openvino, "Core", lambda *a: _Core(real(*a), capabilities, arithmetic)
        )
        yield


class _Core:
    def __init__(self, core, capabilities, arithmetic):
        self._core, self._capabilities = core, capabilities
        self._arithmetic = arithmetic

    def __getattr__(self, name):
        return getattr(self._core, name)

    def get_property(self, device, name):
        if name == "OPTIMIZATION_CAPABILITIES":
            return list(self._capabilities)
        if name == "FULL_DEVICE_NAME":
            return NAME
        return self._core.get_property(device, name)

    def compile_model(self, model, device_name, config):
        exact = {**config, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = self._core.compile_model(model, device_name, exact)
        change = self._arithmetic.get(config.get("INFERENCE_PRECISION_HINT"))
        return compiled if change is None else _Compiled(compiled, change)


class _Compiled:
    def __init__(self, compiled, change):
        self._compiled, self._change = compiled, change

    def create_infer_request(self):
        return _Request(self._compiled, self._change)


class _Request:
    def __init__(self, compiled, change):
        self._request, self._change = compiled.create_infer_request(), change
        self._n_outputs = len(compiled.outputs)

    def infer(self, inputs, *, share_inputs):
        found = self._request.infer(inputs, share_inputs=share_inputs)
        return {at: self._change(found[at]) for at in range(self._n_outputs)}
