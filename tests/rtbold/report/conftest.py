"""Recordings of a study of one run of rest and one of regulation, as sessions leave."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from recorded_session import CARD, SETTINGS

from rtbold.protocol import Attempt, parse_protocol, plan_run, write_attempt

PROTOCOL = """\
name = "up and down"
tr_s = 2.0
[blocks.rest]
task = "rest"
volumes = 15
[blocks.up]
task = "regulate"
direction = "up"
volumes = 15
instruction = "let it rise"
[blocks.down]
task = "regulate"
direction = "down"
volumes = 15
[[runs]]
kind = "training"
repeats = 3
blocks = ["rest", "up", "rest", "down", "rest", "up", "rest"]
[[runs]]
kind = "transfer"
blocks = ["rest", "up", "rest", "up", "rest"]
"""
STUDY = parse_protocol(PROTOCOL.encode(), where="nf.toml").study


def message(k, value, *, status="ok", z=True, reasons=(), **more):
    """One pred.fb as published.jsonl keeps it."""
    return {
        "topic": "pred.fb", "volume_index": k,
        "window": {"t_start": 84.0 + 2 * k, "t_end": 100.0 + 2 * k},
        "status": status, "reasons": list(reasons), "target": "Insula",
        "value": value, "z": value if z else None, "age_ms": 100.0 + k,
        "latency_ms": {"upstream": None, "acquire": 90.0, "infer": 10.0},
        "unlikeness": 0.5, **more,
    }  # fmt: skip


def values(run, gain, seed=0, condition=None):
    """What a person of this gain would be shown in a run, volume by volume."""
    rng = np.random.default_rng(seed)
    plan = plan_run(STUDY, run, condition=condition)
    asked = {"up": 1.0, "down": -1.0, None: 0.0}
    for k in range(plan.n_volumes):
        yield k, gain * asked[plan.at(k).direction] + 0.3 * rng.standard_normal()


@pytest.fixture
def record(tmp_path):
    """Write one recording; return its folder."""

    def write(
        run=1, gain=1.0, *, session="01", condition=None, change=None, subject="S01",
        **facts,
    ):  # fmt: skip
        name = f"sub-{subject}_ses-{session}_task-nf_run-{run:02d}"
        folder = tmp_path / "rec" / f"sub-{subject}" / f"ses-{session}" / "eeg" / name
        folder.mkdir(parents=True)
        made = [message(k, v) for k, v in values(run, gain, seed=run)]
        made = change(made) if change else made
        lines = "".join(json.dumps(each) + "\n" for each in made)
        (folder / "published.jsonl").write_text(lines)
        (folder / "events.jsonl").write_text('{"type": "header", "format": 1}\n')
        settings = {**SETTINGS, "run": {**SETTINGS["run"], **facts}}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "card.json").write_text(json.dumps(CARD))
        (folder / "protocol.toml").write_text(PROTOCOL)
        plan = plan_run(STUDY, run)
        attempt = Attempt(
            study=STUDY.name, sha256="0" * 64, run=run, attempt=1, kind=plan.run_type,
            n_volumes=plan.n_volumes, state="complete", condition=condition,
            begun_unix_s=1000.0 * run,
        )  # fmt: skip
        write_attempt(folder, attempt)
        return folder

    return write


def known(effect):
    return {key: value for key, value in asdict(effect).items() if value is not None}
