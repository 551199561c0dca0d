import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rtbold.distribution import pip_install
from rtbold.errors import BundleError
from rtbold.messages import Check
from rtbold.preflight import machine as checks, machine as doctor
from rtbold.preflight.checks import worst_state

GOOD_LOOPBACK = {
    "pylsl": "1.18.6",
    "liblsl": 118,
    "resolve_ms": 3.0,
    "n_sent": 100,
    "n_received": 100,
    "p50_ms": 0.1,
    "p95_ms": 0.2,
    "max_ms": 3.0,
    "offset_ms": 0.0,
    "clock_rate_ppm": 2.0,
}


def states(found):
    return {check.name: check.state for check in found}


@pytest.mark.parametrize(
    ("changed", "name", "state", "text"),
    [
        ({}, "lsl", "ok", "0.20 ms (p95)"),
        ({"resolve_ms": None}, "lsl", "fail", "not found"),
        ({"n_received": 97}, "lsl", "fail", "3 of 100"),
        ({"p95_ms": 45.0}, "lsl", "warn", "45.00 ms"),
        ({"clock_rate_ppm": -2500.0}, "lsl clock", "warn", "2500 ppm"),
    ],
)
def test_the_loopback_is_judged(changed, name, state, text):
    found = {
        check.name: check for check in doctor.loopback_checks(GOOD_LOOPBACK | changed)
    }
    assert found[name].state == state
    assert text in found[name].found
    assert bool(found[name].advice) == (state != "ok")


def test_an_lsl_that_hangs_is_a_finding_not_a_hang(monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(doctor.subprocess, "run", hang)
    (check,) = doctor.check_lsl(limit_s=7)
    assert check.state == "fail"
    assert "within 7 s" in check.found
    assert "firewall" in check.advice


def test_an_lsl_that_aborts_is_a_finding(monkeypatch):
    def abort(command, **_):
        return subprocess.CompletedProcess(command, -6, "", "first\nno liblsl here\n")

    monkeypatch.setattr(doctor.subprocess, "run", abort)
    (check,) = doctor.check_lsl()
    assert (check.state, "no liblsl here" in check.found) == ("fail", True)


def test_a_bundle_that_cannot_be_opened_is_a_finding(monkeypatch):
    def refuse(_):
        raise BundleError("no bundle 'nope', expected one of: demo")

    monkeypatch.setattr("rtbold.bundle.load", refuse)
    check = doctor.check_engine("nope")
    assert (check.state, check.found) == (
        "fail",
        "no bundle 'nope', expected one of: demo",
    )


@pytest.mark.parametrize(
    ("inference_s", "state"), [(0.01, "ok"), (0.8, "warn"), (3.0, "fail")]
)
def test_inference_is_judged_by_the_tr(monkeypatch, inference_s, state):
    class Card:
        name, channels, rate_hz, tr_s = "tiny", ("C3", "C4"), 200.0, 2.1

    class Bundle:
        card = Card

    class SlowEngine:
        name, precision = "openvino", "f32"
        now_s, shapes = 0.0, set()

        def __call__(self, eeg_uv):
            self.shapes.add(eeg_uv.shape)
            SlowEngine.now_s += inference_s

        def close(self):
            self.shapes.add("closed")

    monkeypatch.setattr("rtbold.bundle.load", lambda _: Bundle)
    monkeypatch.setattr("rtbold.engine.open_engine", lambda _: SlowEngine())
    check = doctor.check_engine("tiny", now_s=lambda: SlowEngine.now_s)
    assert check.state == state
    assert f"{inference_s * 1e3:.1f} ms" in check.found
    assert SlowEngine.shapes == {(1, 2, 3200), "closed"}


@pytest.mark.parametrize(
    ("free_gb", "mb_s", "state"),
    [(100, 500, "ok"), (5, 500, "warn"), (100, 2, "warn"), (0.5, 500, "fail")],
)
def test_space_and_speed_of_the_disk_are_judged(
    monkeypatch, tmp_path, free_gb, mb_s, state
):
    class Usage:
        free = free_gb * 1e9

    monkeypatch.setattr(checks.psutil, "disk_usage", lambda _: Usage)
    monkeypatch.setattr(checks, "_write_speed", lambda *_: float(mb_s))
    check = checks.check_disk(tmp_path / "not" / "there" / "yet")
    assert check.state == state
    assert str(tmp_path) in check.found


def test_the_write_test_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "DISK_WRITE_MB", 1)
    assert "MB/s" in checks.check_disk(tmp_path).found
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_finding(monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", refuse)
    check = checks.check_disk(tmp_path)
    assert (check.state, "Permission denied" in check.found) == ("fail", True)


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    wanted = {None: ["numpy", "nosuchpackage"], "gui": ["absent"]}
    monkeypatch.setattr(
        checks.distribution, "requirements", lambda extra: wanted.get(extra, [])
    )
    core, extras = checks.check_packages()
    assert (core.state, core.found) == ("fail", "missing: nosuchpackage")
    assert extras.state == "warn"
    assert "gui lacks absent" in extras.found
    assert extras.advice == pip_install("gui")


@pytest.mark.parametrize(
    ("addresses", "state", "text"),
    [
        ({"lo": "127.0.0.1"}, "warn", "only the loopback"),
        ({"lo": "127.0.0.1", "eth0": "10.0.0.2"}, "ok", "eth0 10.0.0.2"),
        ({"eth0": "10.0.0.2", "tun0": "10.8.0.2"}, "warn", "tun0 10.8.0.2"),
    ],
)
def test_interfaces_are_listed(monkeypatch, addresses, state, text):
    class Address:
        family = socket.AF_INET

        def __init__(self, address):
            self.address = address

    class Up:
        isup = True

    by_name = {name: [Address(address)] for name, address in addresses.items()}
    monkeypatch.setattr(doctor.psutil, "net_if_addrs", lambda: by_name)
    monkeypatch.setattr(
        doctor.psutil, "net_if_stats", lambda: dict.fromkeys(by_name, Up)
    )
    check = doctor.check_interfaces()
    assert (check.state, text in check.found) == (state, True)


def test_a_network_without_multicast_is_a_finding(monkeypatch):
    def unreachable(_):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(doctor, "_multicast_round_trip", unreachable)
    check = doctor.check_multicast()
    assert (check.state, "unreachable" in check.found) == ("warn", True)
    assert "KnownPeers" in check.advice


def test_the_machine_itself_is_described():
    assert sys.executable in checks.check_python().found
    assert "cores" in checks.check_cpu().found
    assert "GB" in checks.check_memory().found
    assert "ms late" in checks.check_timer(n=3).found


def test_a_lowered_priority_is_a_warning_that_says_by_what():
    check = checks.priority_check(["niceness 5", "policy batch"])
    assert (check.name, check.state) == ("priority", "warn")
    assert "niceness 5, policy batch" in check.found
    assert "nice" in check.advice
    assert checks.priority_check([]).state == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities")
def test_the_priority_is_looked_at():
    def lower():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        found.append(checks.check_priority())

    found = []
    thread = threading.Thread(target=lower)  # which alone has it, and ends with it
    thread.start()
    thread.join()
    assert found[0].state == "warn"
    assert "policy batch" in found[0].found


def test_the_worst_check_counts():
    ok, warn, fail = (Check("x", state, "") for state in ("ok", "warn", "fail"))
    assert worst_state([ok, ok]) == "ok"
    assert worst_state([ok, warn]) == "warn"
    assert worst_state([fail, warn]) == "fail"


@pytest.mark.integration
def test_a_port_in_use_is_named():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        check = checks.check_port(port, option="--port")
    assert (check.name, check.state) == (f"port {port}", "fail")
    assert "--port N" in check.advice
    assert checks.check_port(port, option="--port").state == "ok"


@pytest.mark.integration
def test_the_loopback_child_measures():
    found = {check.name: check for check in doctor.check_lsl()}
    assert found["lsl"].state in ("ok", "warn")
    assert "p95" in found["lsl"].found


@pytest.mark.integration
def test_examine_yields_every_check(tmp_path: Path):
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    names = states(
        doctor.examine_machine(
            port=port, control_port=port, record=tmp_path, model=None
        )
    )
    assert {"python", "packages", "disk", "lsl", "network", "multicast"} < set(names)
    assert json.dumps(names)
