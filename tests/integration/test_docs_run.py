"""Pages are followed from top to bottom, each line as it is printed.

A page has a folder, a network and ports of its own, and a lab (`docs_lab`) with the
recordings, subjects and devices that it names; nothing else of its lines is changed. A
command that serves until it is stopped has to live, and to end in order when the page
is done; so has one that would compute for hours.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
from doc_commands import PAGES, ROOT, command_of, free_ports, lines_of
from docs_lab import Lab, stock

from rtbold.bundle import load, read_check

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1800)]

SERVES = (
    "bridge",
    "check-client",
    "fake",
    "gui",
    "monitor",
    "play",
    "rehearse",
    "run",
    "simulate",
)
# What would take hours: a whole protocol of a scan, a published training
LONG = ("--live", "neurobolt-published", "reproduce")
FEEDS = ("fake", "run")  # one of them has the feed's port
LIVES_S = 8.0  # a command that serves, and has not ended by then, serves
ENDS_S = 600.0  # a calibration of sixteen minutes of scan, on busy cores
PORTS = {"--port": 0, "--control-port": 1}


# A whole study with its donors, and a baseline of two minutes before a training: they
# have tests of their own, in test_blinded_session.py and test_protocol_session.py
PARSED_ALONE = ("a-blinded-study.md", "set-the-feedback.md")
FOLLOWED = [p for p in PAGES if lines_of(p) and p.name not in PARSED_ALONE]


def serves(words):
    """Whether this command lives until it is stopped."""
    if {"--save", "--bids", "--submit"} & {*words}:
        return False
    return words[0] in SERVES or any(word in words for word in LONG)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """Return the lab's shelf; it is filled when the first page needs it."""
    return cache(lambda: stock(tmp_path_factory.mktemp("shelf")))


class Reader:
    """Follows a page in a folder of its own."""

    def __init__(self, folder, stocked):
        self.folder, self.ports = folder, free_ports(2)
        self.serving = []
        config = folder / "lsl_api.cfg"
        config.write_text(f"[lab]\nSessionID = {uuid.uuid4()}\n[log]\nlevel = -1\n")
        home = folder / "home"
        home.mkdir()
        of_user = {"HOME": home, "USERPROFILE": home, "XDG_DATA_HOME": home / "data"}
        self.environment = {
            **os.environ, **{name: str(path) for name, path in of_user.items()},
            "XDG_CACHE_HOME": str(home / "cache"), "XDG_CONFIG_HOME": str(home),
            "LSLAPICFG": str(config), "QT_QPA_PLATFORM": "offscreen",
        }  # fmt: skip
        (folder / "my.csv").write_text("t_s,value,status\n0,0.5,ok\n2.1,0.7,ok\n")
        np.save(folder / "W.npy", read_check(load("demo")).eeg_uv)
        self.lab = Lab(
            folder, home / "data", environment=self.environment, stocked=stocked
        )

    def follow(self, line):
        """Run a line; one that serves stays until the page is done."""
        # An alternative: the reader stops what serves already
        for name in FEEDS if line.words[1] in FEEDS else line.words[1:2]:
            self.end(name)
        if "--websocket" in line.words:
            self.end(holds="--websocket")  # one program has that port
        self.lab.supply(line)
        words = self.with_ports(self.lab.changed(line.words[1:]))
        log = self.folder / f"{words[0]}.log"
        with log.open("w+") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "rtbold", *words], cwd=self.folder,
                env=self.environment, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                code = child.wait(LIVES_S if serves(words) else ENDS_S)
            except subprocess.TimeoutExpired:
                if not serves(words):
                    child.kill()
                    raise
                self.serving.append((line, child, log))
                return
        told = log.read_text()
        assert code == 0 or said_by_the_doctor(line, code) or judged(line, told), (
            f"{line} ended with {code}:\n{told}"
        )

    def with_ports(self, words):
        """Give ports of this test's own, where the line leaves the usual ones."""
        at = f"127.0.0.1:{self.ports[0]}"
        words = [word.replace("127.0.0.1:5580", at) for word in words]
        command, _, _ = command_of(words)
        known = {name for option in command.params for name in option.opts}
        for option, n in PORTS.items():
            if option in known and option not in words:
                words += [option, str(self.ports[n])]
        if words[0] in ("monitor", "bridge") and "--connect" not in words:
            words += ["--connect", f"tcp://{at}"]
        return words

    def end(self, name=None, *, holds=None):
        """Stop what still serves, as Ctrl-C does, newest first; of one command."""
        chosen = [
            one
            for one in self.serving
            if (holds in one[0].words if holds else name in (None, one[0].words[1]))
        ]
        ended = [
            (line, ended_with(child), log) for line, child, log in reversed(chosen)
        ]
        self.serving = [one for one in self.serving if one not in chosen]
        for line, code, log in ended:
            told = f"{line} ended with {code}:\n{log.read_text()}"
            fine = code in (0, 130, -signal.SIGINT) or scanned_too_little(line, code)
            assert fine or watched_what_was_ended(line, log), told

    def kill(self):
        """Leave nothing behind, whatever happened."""
        for _, child, _ in self.serving:
            child.kill()
            child.wait()
        self.lab.close()


def ended_with(child):
    """Return the exit code after Ctrl-C; None: it had to be killed."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        return child.wait(60)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None


def said_by_the_doctor(line, code):
    """Whether it is the doctor, who may well find fault with this machine."""
    return line.words[1] == "doctor" and code == 1


def judged(line, told):
    """Whether int8 was compiled and found too far off, as it may be."""
    return "int8" in line.words and "refused: errs in a ROI" in told


def scanned_too_little(line, code):
    """Whether it is a guided scan: eight seconds of it are no calibration."""
    return "--live" in line.words and code in (1, 2)


def watched_what_was_ended(line, log):
    """Whether it says itself that the page has ended what it rehearsed or watched."""
    if line.words[1] == "rehearse":
        return "interrupted" in log.read_text()  # a NO-GO, as it should be
    if line.words[1] == "check-client":
        return "no acknowledgement came" in log.read_text()  # nobody is there
    return line.words[1] == "monitor" and "publisher is gone" in log.read_text()


@contextmanager
def reading(folder, stocked):
    reader = Reader(folder, stocked)
    try:
        yield reader
        reader.end()
    finally:
        reader.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="ends by SIGINT")
@pytest.mark.parametrize(
    "page", FOLLOWED, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_a_page_can_be_followed(page, tmp_path, stocked):
    lines = lines_of(page)
    wanted = {"gui": "PyQt6", "calibrate": "torch", "explain": "captum",
              "train": "lightning_fabric", "reproduce": "lightning_fabric",
              "--bids": "mne_bids", "--live": "torch"}  # fmt: skip
    if any("tensorrt" in line.text for line in lines):
        pytest.importorskip("tensorrt_rtx")
    for word, package in wanted.items():
        if any(word in line.words for line in lines):
            pytest.importorskip(package)
    with reading(tmp_path, stocked) as reader:
        for line in lines:
            reader.follow(line)
            time.sleep(0.1)
