"""The wheel, installed elsewhere, finds its data and its bundles."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from doc_commands import free_ports
from packaging.requirements import Requirement

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


@pytest.fixture(scope="module")
def base(wheel, tmp_path_factory):
    """The python of a base install: the wheel and what it always needs, no extra."""
    folder = tmp_path_factory.mktemp("base") / "venv"
    venv.create(folder, with_pip=False, symlinks=os.name == "posix")
    place = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    python = folder / place
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    asked = [str(python), "-c", code]
    site = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    for name in needed_by("rtbold-eeg"):
        give(metadata.distribution(name), Path(site.strip()))
    return python


def needed_by(name):
    """The names of all that a distribution needs without an extra; itself left out."""
    found, waiting = set(), [name]
    while waiting:
        for text in metadata.requires(waiting.pop()) or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                if wanted.name not in found:
                    found.add(wanted.name)
                    waiting.append(wanted.name)
    return found


def give(distribution, site):
    """Let an environment find the files of a distribution that is installed here."""
    for top in {file.parts[0] for file in distribution.files}:
        source, target = Path(distribution.locate_file(top)), site / top
        if top not in ("..", "__pycache__") and not target.exists():
            if os.name == "posix":
                target.symlink_to(source)
            else:
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def start(python, folder, *words):
    """Run the command of a base install, elsewhere."""
    unset = ("PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: v for name, v in os.environ.items() if name not in unset}
    return subprocess.run(
        [python.with_name("rtbold"), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


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


def test_it_is_called_otherwise_than_another_lab_s_program(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        said = archive.read(name).decode()
    assert "\nName: rtbold-eeg\n" in said
    assert "\nProject-URL: " in said


def test_the_notices_of_what_data_were_made_from_travel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("licenses/NOTICE"))
        notice = archive.read(name).decode()
        shipped = set(archive.namelist())
    assert "McConnell Brain Imaging Centre" in notice
    assert "DiFuMo" in notice
    named = re.findall(r"rtbold/[\w/]+\.csv", notice)
    assert len(named) == 5
    assert set(named) <= shipped


SCAN = "--subject S01 --eeg a.vhdr --bold b.tsv --cleaning none".split()


@pytest.mark.parametrize(
    ("words", "extra"),
    [(["gui"], "gui"), (["calibrate", *SCAN], "calibration")],
)
def test_a_base_install_says_in_one_line_what_to_install(base, tmp_path, words, extra):
    done = start(base, tmp_path, *words)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f'pip install "rtbold-eeg[{extra}]"' in line


def test_a_base_install_tells_its_version_and_its_commands(base, tmp_path):
    told = start(base, tmp_path, "--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("rtbold-eeg ")
    assert start(base, tmp_path, "-h").returncode == 0


@pytest.mark.long
@pytest.mark.integration
def test_a_base_install_plays_the_demo(base, tmp_path):
    (tmp_path / "lsl_api.cfg").write_text(f"[lab]\nSessionID = {uuid.uuid4()}\n")
    port, control_port = free_ports(2)
    ports = ["--port", str(port), "--control-port", str(control_port)]
    done = start(base, tmp_path, "demo", "--headless", "--duration", "60", *ports)
    assert done.stdout.count(" ok") > 5
    assert "Traceback" not in done.stderr
    assert "expected 60" in done.stdout + done.stderr  # volumes, to be judged


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
