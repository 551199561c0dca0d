"""The wheel, installed elsewhere, finds its data and its bundles."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    for name in filter(None, tracked):
        target = source / os.fsdecode(name)
        if (ROOT / os.fsdecode(name)).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / os.fsdecode(name)).read_bytes())
    compiled = source / "models" / "demo.rtbold" / "engines" / "openvino-int8.bin"
    compiled.parent.mkdir()  # as in a checkout where somebody has compiled
    compiled.write_bytes(b"for one machine alone")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "-w", str(folder), str(source)], check=True
    )
    return next(folder.glob("rtbold_eeg-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with nothing but the wheel's content; dependencies are shared."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_leaks_no_package_of_another_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rtbold"}


def test_compiled_engines_stay_where_they_were_made(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "engines" in name]


def test_data_files_travel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in (
        "rtbold/py.typed",
        "rtbold/electrodes.csv",
        "rtbold/brain_outline.csv",
        "rtbold/cli/templates/rehearsal.html.j2",
        "rtbold/gui/templates/summary_page.html.j2",
        "rtbold/calibration/report/templates/report.css",
        "rtbold/lsl_quiet.cfg",
        "rtbold/schemas/card.1.json",
        "rtbold/sim/leadfield.npz",
        "rtbold/sim/difumo64.csv",
        "rtbold/gui/assets/electrodes.csv",
        "rtbold/gui/assets/roi_centres.csv",
        "rtbold/models/labram_positions.json",
        "rtbold/models/demo.rtbold/card.json",
        "rtbold/models/demo.rtbold/card.json.sha256",
        "rtbold/models/demo-ridge.rtbold/card.json.sha256",
        "rtbold/models/demo.rtbold/check.npz",
        "rtbold/models/demo.rtbold/model.onnx",
        "rtbold/models/demo-ridge.rtbold/model.onnx",
    ):
        assert name in names


def test_the_templates_of_pages_are_found_where_it_is_installed(installed):
    code = (
        "from rtbold.pages import templates_of; "
        "templates_of('rtbold.cli').get_template('rehearsal.html.j2'); "
        "templates_of('rtbold.gui').get_template('summary_page.html.j2'); "
        "report = templates_of('rtbold.calibration.report'); "
        "print(report.get_template('report.html.j2').filename)"
    )
    found = run(installed, "-c", code)
    assert found.returncode == 0, found.stderr
    assert str(installed) in found.stdout


def test_the_shipped_bundle_runs_from_the_installed_wheel(installed):
    where = run(installed, "-c", "import rtbold.models; print(rtbold.models.__file__)")
    assert str(installed) in where.stdout
    shown = run(installed, "-m", "rtbold", "models", "show", "demo", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["origin"]["kind"] == "simulated"
    code = (
        "import sys, numpy as np; from rtbold.bundle import load; "
        "from rtbold.engine.opening import open_engine; "
        "b = load('demo'); e = open_engine(b); "
        "y = e(np.zeros((1, len(b.card.channels), 3200), np.float32)); "
        "assert y.shape == (1, len(b.card.rois)); assert 'torch' not in sys.modules"
    )
    answered = run(installed, "-c", code)
    assert answered.returncode == 0, answered.stderr
