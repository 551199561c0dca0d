"""Import, demo and calibration connect to this machine alone, and keep nothing at home.

Two looks: every address that Python itself asks for, in all processes, by an audit
hook; and every connection that native code (LSL, ZMQ) holds, by the system's own table.
LSL asks for streams by datagrams, which stay on this machine by its configuration here.
"""

import ipaddress
import json
import os
import subprocess
import sys
import time
import uuid

import psutil
import pytest
from doc_commands import free_ports

pytestmark = [pytest.mark.integration, pytest.mark.long]

# Each Python of the tree imports it first of all; a fork has it from its parent
HOOK = """
import json, os, sys
ASKED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
         "socket.gethostbyname", "urllib.Request")
def hook(event, given):
    if event not in ASKED:
        return
    place = given[0] if event in ASKED[3:] else given[1]
    with open(os.environ["ASKED_FOR"], "a") as file:
        file.write(json.dumps([event, repr(place)]) + "\\n")
sys.addaudithook(hook)
"""
EVERYTHING = """
import importlib, pkgutil, rtbold
skipped = ("rtbold.__main__", "rtbold.preflight.lsl_loopback")
for found in pkgutil.walk_packages(rtbold.__path__, "rtbold."):
    if found.name not in skipped:
        try:
            importlib.import_module(found.name)
        except Exception as error:  # a package that is not installed here
            print(found.name, error)
from rtbold.engine.openvino import open_core
open_core()
"""


class Watched:
    """A command whose processes are watched until it ends."""

    def __init__(self, folder):
        self.asked_for = folder / "asked.txt"
        self.asked_for.write_text("")
        hook = folder / "hook"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK)
        self.home = folder / "home"
        self.home.mkdir()
        config = folder / "lsl_api.cfg"
        config.write_text(
            "[multicast]\nResolveScope = machine\n[ports]\nIPv6 = disable\n"
            f"[lab]\nSessionID = {uuid.uuid4()}\n[log]\nlevel = -1\n"
        )
        unset = ("CI", "TF_BUILD", "JENKINS_URL")  # where OpenVINO would ask nothing
        kept = {name: v for name, v in os.environ.items() if name not in unset}
        self.environment = {
            **kept, "PYTHONPATH": str(hook), "ASKED_FOR": str(self.asked_for),
            "HOME": str(self.home), "USERPROFILE": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CACHE_HOME": str(self.home / "cache"), "LSLAPICFG": str(config),
        }  # fmt: skip
        self.folder, self.elsewhere = folder, set()

    def run(self, *words):
        with (self.folder / "said.txt").open("w+") as said:
            child = subprocess.Popen(
                [sys.executable, *words], cwd=self.folder, env=self.environment,
                stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            while child.poll() is None:
                self.elsewhere |= connected_elsewhere(child.pid)
                time.sleep(0.05)
            said.seek(0)
            return child.returncode, said.read()

    def asked(self):
        """What Python asked for that is not this machine."""
        lines = map(json.loads, self.asked_for.read_text().splitlines())
        return [line for line in lines if not is_here(line[1])]


def is_here(place):
    """Whether an address, as its repr, is of this machine: a path is one too."""
    known = ("127.0.0.1", "localhost", "::1", *own_addresses())
    groups = ("239.255.172.215", "224.0.0.183")  # LSL's, which stay on this machine
    return place.startswith(("'/", "b'")) or any(a in place for a in (*known, *groups))


def own_addresses():
    found = psutil.net_if_addrs().values()
    return {one.address.partition("%")[0] for each in found for one in each}


def connected_elsewhere(pid):
    """Return the far ends of a tree's connections that are not on this machine."""
    found = set()
    try:
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            for link in one.net_connections("inet"):
                if link.raddr and not is_own(link.raddr.ip):
                    found.add(f"{link.raddr.ip}:{link.raddr.port}")
    except psutil.Error:
        pass
    return found


def is_own(address):
    known = ipaddress.ip_address(address.partition("%")[0])
    if known.is_loopback or known.is_multicast:
        return True
    mapped = getattr(known, "ipv4_mapped", None)
    return str(mapped or known) in own_addresses()


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_the_look_sees_what_is_asked_for(watched):
    code = "import socket; socket.socket(2, 2).connect(('198.51.100.7', 9))"
    watched.run("-c", code)
    assert watched.asked() == [["socket.connect", "('198.51.100.7', 9)"]]


def test_importing_every_module(watched):
    code, said = watched.run("-c", EVERYTHING)
    assert code == 0, said
    assert (watched.asked(), watched.elsewhere) == ([], set())
    assert "intel" not in os.listdir(watched.home)


def test_the_demo(watched):
    port, control_port = free_ports(2)
    ports = ["--port", str(port), "--control-port", str(control_port)]
    words = ["--headless", "--duration", "60", *ports]
    _, said = watched.run("-m", "rtbold", "demo", *words)
    assert "Traceback" not in said, said
    assert "expected 60" in said, said  # volumes to be judged by: it ran to its end
    assert (watched.asked(), watched.elsewhere) == ([], set())
    assert "intel" not in os.listdir(watched.home)


def test_a_calibration(watched):
    pytest.importorskip("torch")
    pytest.importorskip("mne")
    saved = "simulate --seed 1000 --level easy --duration 700 --save twin".split()
    code, said = watched.run("-m", "rtbold", *saved)
    assert code == 0, said
    scan = "--eeg twin/eeg.vhdr --bold twin/bold.tsv --cleaning none".split()
    kind = "--strategy ridge --target Cuneus".split()
    words = ["-m", "rtbold", "calibrate", "--subject", "T01", *scan, *kind]
    code, said = watched.run(*words)
    assert "Traceback" not in said, said
    assert code in (0, 1), said
    assert (watched.home / "data").exists(), said
    assert (watched.asked(), watched.elsewhere) == ([], set())
    assert "intel" not in os.listdir(watched.home)
