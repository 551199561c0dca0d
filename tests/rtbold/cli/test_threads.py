import subprocess
import sys

import psutil
import pytest

from rtbold.cli import process as threads
from rtbold.errors import ConfigError

ASK = """
import os
from rtbold.cli import process
assert "numpy" not in __import__("sys").modules
process.settle(os.environ, None)
import numpy
print(os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_NUM_THREADS"])
"""


def test_as_many_as_cores_that_sleep_while_they_wait():
    environment = {}
    n = threads.settle(environment, None)
    assert 1 <= n == threads.usable_cores() <= psutil.cpu_count()
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["KMP_BLOCKTIME"] == "0"
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in environment


def test_the_option_goes_over_the_environment_and_that_over_the_default():
    environment = {"OMP_NUM_THREADS": "7", "OMP_WAIT_POLICY": "ACTIVE"}
    assert threads.settle(environment, None) is None  # torch reads it by itself
    assert environment["OMP_NUM_THREADS"] == "7"
    assert threads.settle(environment, 3) == 3
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize("n", [0, -1, 257])
def test_a_number_that_is_none(n):
    with pytest.raises(ConfigError, match=r"--threads is .*expected 1 to 256"):
        threads.settle({}, n)


def test_two_threads_of_one_core_count_once(monkeypatch):
    class Process:
        def cpu_affinity(self):
            return list(range(6))

    def count(logical=True):
        return 16 if logical else 8

    monkeypatch.setattr(psutil, "Process", Process)
    monkeypatch.setattr(psutil, "cpu_count", count)
    assert threads.usable_cores() == 6  # of 8, as the process may use
    Process.cpu_affinity = lambda _: list(range(16))
    assert threads.usable_cores() == 8
    del Process.cpu_affinity  # as on macOS
    assert threads.usable_cores() == 8
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: None)
    assert threads.usable_cores() == 1


def test_it_is_settled_before_numpy_is_loaded():
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["PASSIVE", "1"]
