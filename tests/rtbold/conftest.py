"""Bundles of random weights, and CPUs, for the tests of single parts."""

import contextlib

import pytest
from bundles import write_tiny


@pytest.fixture
def make_bundle(tmp_path):
    """Write a bundle of random weights: ``make_bundle(channels=..., rois=...)``."""

    def make(*arguments, **changes):
        return write_tiny(tmp_path, *arguments, **changes)

    return make


@pytest.fixture
def tiny_bundle(make_bundle):
    return make_bundle()


@pytest.fixture
def on_cpu():
    """Let OpenVINO run on another CPU: ``on_cpu("FP32", "BF16", bf16=change)``."""
    from cpus import ARITHMETIC, simulated_cpu

    with contextlib.ExitStack() as stack:

        def run_on(*capabilities, **arithmetic):
            changed = {**ARITHMETIC, **arithmetic}
            stack.enter_context(simulated_cpu(capabilities, changed))

        yield run_on
