"""Files of a scan, one command, and the next command is a session on that model."""

import json
import subprocess

import pytest
from loop import (
    PATIENCE_S,
    Listener,
    Rtbold,
    command,
    environment,
    free_ports,
    new_name,
    twin as played,
)
from twin_scans import CHANNELS, make_scan, write_scan

from rtbold.sim.settings import NEUROBOLT_CHANNELS

pytest.importorskip("torch")
# A minute, a third of it arithmetic; both commands have tests of their own by default
pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.long,
    pytest.mark.alone,
]

SEED = 2060


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with subject S01, calibrated from an XDF and a TSV."""
    folder = tmp_path_factory.mktemp("stranger")
    xdf, tsv = write_scan(folder, make_scan(SEED, channels=NEUROBOLT_CHANNELS))
    done = subprocess.run(
        command(
            "calibrate", "--subject", "S01", "--eeg", xdf, "--bold", tsv,
            "--channels", ",".join(CHANNELS), "--cleaning", "offline:none",
            "--roi", "Cuneus", "--roi", "Putamen", "--target", "Cuneus",
            "--root", folder / "root", "--json",
        ),
        capture_output=True, text=True, env=environment(), timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(CHANNELS) == len(json.loads(card(folder / "root"))["channels"])
    return folder / "root"


def card(root):
    (found,) = root.glob("S01/*.rtbold/card.json")
    return found.read_text()


def run(root, name, ports, *more):
    return Rtbold(
        "run", "--subject", "S01", "--root", root, "--stream", f"{name}-eeg",
        "--trigger-stream", f"{name}-markers", "--trigger", "R128",
        "--wait", PATIENCE_S, "--port", ports[0], "--control-port", ports[1],
        "--duration", "34", *more,
    )  # fmt: skip


def test_the_next_command_runs_the_subjects_model(root):
    name, ports = new_name("calibrated"), free_ports()
    fit = json.loads(card(root))["verdict"]["gate"]["label"] == "specific"
    allowed = () if fit else ("--allow-unvalidated", "--approval", "EC-1")
    with (
        played(name, duration_s=60, seed=SEED, level="easy"),
        Listener(ports[0]) as heard,
        run(root, name, ports, *allowed) as session,
    ):
        heard.while_running(session, 34 + 2 * PATIENCE_S)
        assert session.wait(1) == 0, session.said()
        said = session.said()
    (path,) = root.glob("S01/*.rtbold")
    assert f"model: {path}" in said
    usable = [m for m in heard.of("pred.fb") if m["value"] is not None]
    assert usable, said
    assert {m["target"] for m in usable} == {"Cuneus"}
    assert all(("unvalidated" in m["reasons"]) is not fit for m in usable)
    # Another simulated scan of the same subject: some windows may look unlike.
    alike = [m for m in usable if "unlike_calibration" not in m["reasons"]]
    assert alike, [m["reasons"] for m in usable]
    assert all(m["low"] < m["value"] < m["high"] for m in alike)
    assert all(m["low"] is None for m in usable if m not in alike)
