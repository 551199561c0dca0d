"""Pages are followed from top to bottom: what needs no lab is run as it is printed.

A page has a folder, a network and ports of its own; nothing else of its lines is
changed. A command that serves until it is stopped has to live, and to end in order when
the page is done. What needs a scanner, an amplifier or a recording of the reader's is
parsed by tests/test_docs_commands.py.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from doc_commands import PAGES, ROOT, command_of, free_ports, lines_of

from rtbold.bundle import load, read_check

pytestmark = [pytest.mark.integration, pytest.mark.long]

# Words of a line that stand for what only the reader has
OF_A_LAB = (
    "S01", "BrainVision", "Cleaned", "CLEANED", "RAW", "RecView", "DIR", "YOUR.vhdr",
    "rest.vhdr", "night.edf", "session.xdf", "absence_epilepsy.eeg.h5", ".pth",
    "192.168.0.5", "keys", "recordings/", "--live",
    "models compile",  # writes into the bundle of this very checkout
)  # fmt: skip
# What wants scans of the reader's, where the page itself makes none
OF_SCANS = ("prepare", "train", "evaluate", "reproduce")
SERVES = ("fake", "gui", "monitor", "play", "rehearse", "run", "simulate")
LIVES_S = 8.0  # a command that serves, and has not ended by then, serves
ENDS_S = 600.0  # a calibration of sixteen minutes of scan, on busy cores
PORTS = {"--port": 0, "--control-port": 1}


def needs_a_lab(line):
    return any(word in line.text for word in OF_A_LAB)


def to_run(page):
    lines = lines_of(page)
    skipped = () if any("--bids" in line.words for line in lines) else OF_SCANS
    return [n for n in lines if not needs_a_lab(n) and n.words[1] not in skipped]


FOLLOWED = [page for page in PAGES if to_run(page)]


class Reader:
    """Follows a page in a folder of its own."""

    def __init__(self, folder):
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

    def follow(self, line):
        """Run a line; one that serves stays until the page is done."""
        words = self.with_ports(line.words[1:])
        self.end(words[0])  # an alternative: the reader stops what serves already
        log = self.folder / f"{words[0]}.log"
        serves = words[0] in SERVES and not {"--save", "--bids"} & {*words}
        with log.open("w+") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "rtbold", *words], cwd=self.folder,
                env=self.environment, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                code = child.wait(LIVES_S if serves else ENDS_S)
            except subprocess.TimeoutExpired:
                if not serves:
                    child.kill()
                    raise
                self.serving.append((line, child, log))
                return
        assert code == 0 or said_by_the_doctor(line, code), (
            f"{line} ended with {code}:\n{log.read_text()}"
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
        if words[0] == "monitor" and "--connect" not in words:
            words += ["--connect", f"tcp://{at}"]
        return words

    def end(self, name=None):
        """Stop what still serves, as Ctrl-C does, newest first; of one command."""
        chosen = [one for one in self.serving if name in (None, one[0].words[1])]
        ended = [
            (line, ended_with(child), log) for line, child, log in reversed(chosen)
        ]
        self.serving = [one for one in self.serving if one not in chosen]
        for line, code, log in ended:
            assert code in (0, 130, -signal.SIGINT), f"{line}:\n{log.read_text()}"


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


@contextmanager
def reading(folder):
    reader = Reader(folder)
    try:
        yield reader
    finally:
        reader.end()


@pytest.mark.skipif(sys.platform == "win32", reason="ends by SIGINT")
@pytest.mark.parametrize(
    "page", FOLLOWED, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_a_page_can_be_followed(page, tmp_path):
    lines = to_run(page)
    wanted = {"gui": "PyQt6", "calibrate": "torch", "explain": "captum",
              "train": "lightning_fabric", "--bids": "mne_bids"}  # fmt: skip
    if any("tensorrt" in line.text for line in lines):
        pytest.importorskip("tensorrt_rtx")
    for word, package in wanted.items():
        if any(word in line.words for line in lines):
            pytest.importorskip(package)
    with reading(tmp_path) as reader:
        for line in lines:
            reader.follow(line)
            time.sleep(0.1)


def test_most_of_the_tutorials_is_followed():
    followed = [line for page in FOLLOWED for line in to_run(page)]
    tutorials = [n for n in followed if "tutorials" in Path(n.page).parts]
    assert len(followed) > 25
    assert {n.words[1] for n in tutorials} > {"fake", "gui", "monitor", "simulate"}
