"""Several processes on one cache, as an array job runs them."""

import subprocess
import sys

import numpy as np
import pytest

from rtbold.calibration.datasets.cache import open_cache, unfinished
from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.prepare import PrepareSettings, prepare

DESCRIPTION = """
name = "twins"
layout = "twin"
[twin]
level = "easy"
seeds = "2990-2993"
duration_s = 50.0
channels = ["Fp1", "Fp2", "C3", "C4", "Cz", "O1", "O2"]
"""
N_JOBS = 4


@pytest.fixture
def data_set(tmp_path):
    path = tmp_path / "twins.toml"
    path.write_text(DESCRIPTION)
    return path


def job(data_set, folder, *words):
    line = [sys.executable, "-m", "rtbold", "prepare", str(data_set),
            "--out", str(folder), *words]  # fmt: skip
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def reference(data_set, folder):
    found = open_dataset(data_set)
    list(prepare(found.name, found.sources, PrepareSettings(out=folder)))
    return open_cache(folder)


def assert_same(one, other):
    assert one.settings == other.settings
    assert one.entries == other.entries
    for a, b in zip(one.scans, other.scans, strict=True):
        np.testing.assert_array_equal(a.scan.eeg_uv, b.scan.eeg_uv)
        np.testing.assert_array_equal(a.scan.first, b.scan.first)
        np.testing.assert_array_equal(a.scan.bold, b.scan.bold)
        np.testing.assert_array_equal(a.bold_gsr, b.bold_gsr)


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.integration
@pytest.mark.parametrize("each", ["all scans", "its own scan"])
def test_four_array_jobs_prepare_one_data_set_without_harm(data_set, tmp_path, each):
    folder = tmp_path / "cache"
    jobs = [
        job(data_set, folder, *(() if each == "all scans" else ("--scan", str(k + 1))))
        for k in range(N_JOBS)
    ]
    said = [job.communicate()[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * N_JOBS, said
    assert_same(open_cache(folder), reference(data_set, tmp_path / "alone"))
    assert not unfinished(folder)
    assert len(list((folder / "data").iterdir())) == N_JOBS


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.integration
def test_a_job_that_was_killed_leaves_a_cache_that_goes_on(data_set, tmp_path):
    folder = tmp_path / "cache"
    killed = job(data_set, folder)
    assert killed.stdout is not None
    killed.stdout.readline()  # the first scan is there, the second under way
    killed.kill()
    killed.communicate()
    assert 1 <= len(open_cache(folder).scans) < N_JOBS
    again = job(data_set, folder)
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert "unchanged" in said
    assert_same(open_cache(folder), reference(data_set, tmp_path / "alone"))


@pytest.mark.heavy
@pytest.mark.integration
def test_processes_of_one_command_make_the_same(data_set, tmp_path):
    found = open_dataset(data_set)
    settings = PrepareSettings(out=tmp_path / "side")
    outcomes = prepare(found.name, found.sources, settings, n_processes=2)
    assert [each.state for each in outcomes] == ["prepared"] * 4
    alone = reference(data_set, tmp_path / "alone")
    assert_same(open_cache(tmp_path / "side"), alone)
