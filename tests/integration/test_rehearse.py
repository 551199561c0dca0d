"""A rehearsal on the twin, as a user would start it, and one that is interrupted."""

import json
import signal
import subprocess

import psutil
import pytest
from bundles import write_tiny
from loop import PATIENCE_S, command, environment, new_name, twin

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 26.0  # the first usable answer comes after some 18
LIMIT_S = SECONDS + 3 * PATIENCE_S


def asked(bundle, name):
    return command(
        "rehearse", "--model", bundle.path, "--stream", f"{name}-eeg",
        "--trigger-stream", f"{name}-markers", "--trigger", "R128",
        "--wait", PATIENCE_S, "--port", 0, "--control-port", 0,
        "--duration", SECONDS, "--json",
    )  # fmt: skip


def read(text):
    return [json.loads(line) for line in text.splitlines()]


def rehearsed(root):
    """Rehearse to the end, with a recording and a page."""
    name, bundle = new_name("rehearsed"), write_tiny(root)
    more = ["--record", str(root / "rec"), "--page", str(root / "page.html")]
    with twin(name, duration_s=SECONDS + 2 * PATIENCE_S):
        done = subprocess.run(
            [*asked(bundle, name), *more], capture_output=True, text=True,
            env=environment(), timeout=LIMIT_S, check=False,
        )  # fmt: skip
    return done, root


def interrupted(root):
    """Press Ctrl-C as soon as the session runs."""
    name, bundle = new_name("interrupted"), write_tiny(root)
    with twin(name, duration_s=SECONDS + 2 * PATIENCE_S):
        process = subprocess.Popen(
            asked(bundle, name), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment(),
        )  # fmt: skip
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1].get("stage") == "running":
                process.send_signal(signal.SIGINT)
                break
        rest, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, [*lines, *read(rest)], name


TOGETHER = {rehearsed: SECONDS, interrupted: 0.0}


def test_the_twin_is_a_go(together):
    done, root = together(rehearsed)
    lines = read(done.stdout)
    end = lines[-1]
    # A machine that tests keep busy may be late: then that, and that alone, is said
    late = [why for why in end["why"] if why.startswith("on time: ")]
    assert end["why"] == late, done.stdout
    verdict, code = ("no-go", 1) if late else ("go", 0)
    assert (end["verdict"], done.returncode) == (verdict, code)
    checks = {line["check"]["name"]: line["check"] for line in lines if "check" in line}
    bad = {name for name, check in checks.items() if check["state"] == "fail"}
    assert bad == ({"on time"} if late else set())
    assert "every 2.100 s" in checks["volume triggers"]["found"]
    figures = end["figures"]
    assert figures["n_usable"] >= 2
    assert figures["n_triggers"] >= SECONDS / 2.1 - 2
    assert (figures["n_volumes_missed"], figures["n_sequence_gaps"]) == (0, 0)
    assert 0 < figures["control_ms"] < 2000
    assert figures["recording_n_samples"] > (SECONDS - 3) * 200
    stages = dict.fromkeys(line["stage"] for line in lines if "stage" in line)
    assert list(stages)[:3] == ["preflight", "starting", "running"]
    page = (root / "page.html").read_text()
    assert "SIMULATED EEG" in page
    assert (">GO<" in page) == (not late)
    if late:
        return  # what was recorded stays where a NO-GO leaves it
    (xdf,) = (root / "rec").rglob("*_eeg.xdf")
    assert figures["recording_path"] == str(xdf)


def test_ctrl_c_is_a_no_go_and_ends_the_session(together):
    code, lines, name = together(interrupted)
    end = lines[-1]
    assert (code, end["verdict"]) == (1, "no-go")
    assert end["why"] == ["session: interrupted before its end"]
    running = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if f"{name}-eeg" in words]
