"""A blinded session in real processes: the key, and what verifies after it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import blinded_runs as runs
import pytest
from loop import PATIENCE_S, Listener, Rtbold, free_ports, new_name, session, twin

from rtbold.bundle.store import load
from rtbold.files.xdf import load_streams

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 45.0
ARMS = ("real", "inverse")
PROTOCOL = """
format = 1
name = "blinded"
tr_s = 2.1
seed = 1
[blocks.rest]
task = "rest"
volumes = 10
[blocks.up]
task = "regulate"
direction = "up"
volumes = 8
[[runs]]
name = "training"
kind = "training"
blocks = ["rest", "up"]
"""


@dataclass
class Blinded:
    """What a subscriber got of a session of the arm `inverse`, and what it left."""

    listener: Listener
    folder: Path
    desk: Path
    said: str

    def unblind(self):
        """Unblind it as the statistician does; a second time does no harm."""
        words = ("--key", self.desk / "statistician.key_secret", "--by", "AB")
        with Rtbold("unblind", self.folder, *words, "--without-guesses") as child:
            assert child.wait(PATIENCE_S) == 0, child.said()
            return child.said()


def record(root):
    name, ports, bundle = new_name("blind"), free_ports(), load("demo-ridge")
    sha256 = hashlib.sha256(PROTOCOL.encode()).hexdigest()
    runs.study(root / "study", "inverse", arms=ARMS, protocol_sha256=sha256)
    protocol = root / "study.toml"
    protocol.write_text(PROTOCOL)
    topics = ("hello", "pred.roi", "pred.fb", "truth", "log")
    with (
        Listener(ports[0], topics) as listener,
        twin(name, duration_s=SECONDS + PATIENCE_S, rate=250, level="hard"),
        session(
            *(bundle, name, ports),
            record=root / "rec", record_as="S01", blind=root / "study",
            protocol=protocol,
            duration=SECONDS,
        ) as running,
    ):  # fmt: skip
        listener.while_running(running, SECONDS + 3 * PATIENCE_S)
        assert running.wait(1) == 0, running.said()
        said = running.said()
    (card,) = (root / "rec").rglob("card.json")
    return Blinded(listener, card.parent, root / "study" / "desk", said)


TOGETHER = {record: SECONDS}


@pytest.fixture
def blinded(together):
    return together(record)


def test_no_real_prediction_leaves_but_sealed(blinded):
    assert blinded.listener.of("pred.roi") == []
    values = [m["value"] for m in blinded.listener.of("pred.fb")]
    assert sum(value is not None for value in values) >= 6
    (xdf,) = blinded.folder.glob("*_eeg.xdf")
    (mirror,) = (s for s in load_streams(xdf)[0] if s.description.name == "rtbold-pred")
    labels = [channel.label for channel in mirror.description.channels]
    assert labels[1:] == ["status", "volume_index"]
    assert labels[0].startswith("target:")


def test_no_word_of_log_or_files_names_the_arm(blinded):
    texts = [blinded.said, json.dumps(blinded.listener.of("log"))]
    texts += [
        file.read_text()
        for file in blinded.folder.iterdir()
        if file.suffix in (".json", ".jsonl", ".log")
        and not file.name.startswith("unblind")
    ]
    assert not any("inverse" in text for text in texts)


def test_replay_and_verify_need_the_key_and_then_all_comes_out_again(blinded):
    (xdf,) = blinded.folder.glob("*_eeg.xdf")
    if not (blinded.folder / "unblinded.jsonl").exists():
        for words in (("verify", blinded.folder), ("replay", xdf, "--model", "demo")):
            more = ("--out", blinded.desk / "x.tsv") if words[0] == "replay" else ()
            with Rtbold(*words, *more) as child:
                assert child.wait(2 * PATIENCE_S) == 2, child.said()
                assert "needs the statistician's key" in child.said()
    assert "arm: inverse" in blinded.unblind()
    with Rtbold("verify", blinded.folder, "--json") as child:
        assert child.wait(2 * PATIENCE_S) == 0, child.said()
        found = json.loads(child.said())
    n = len(blinded.listener.of("pred.fb"))
    assert found["verdict"] == "identical", found
    assert (found["n_compared"]["pred.roi"], found["n_compared"]["pred.fb"]) == (n, n)
