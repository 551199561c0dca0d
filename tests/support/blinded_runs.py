"""Blinded sessions from the prediction on: what anybody can see of a run of each arm.

Everything behind the pipeline is the live session's own: feedback, messages, logs and
files. The pipeline itself is the same in every arm; a made-up brain stands for it.
"""

import json
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import msgspec
import numpy as np
import pipeline_rig as rig

from rtbold.acquire.acquisition import InletStatus
from rtbold.blinding.allocation import Place, seal_allocation
from rtbold.blinding.design import ARMS, Design
from rtbold.blinding.keys import SecretKeys, create_keys, read_secret
from rtbold.bundle.card import Baseline, Intervals
from rtbold.clock import HandCrankedClock
from rtbold.config import FeedbackSettings, RunSettings
from rtbold.feedback.chain import FeedbackChain
from rtbold.messages import BoldPrediction, Tick
from rtbold.protocol.history import Attempt, write_attempt
from rtbold.protocol.read import parse_protocol
from rtbold.publish.control import CommandQueue
from rtbold.publish.wire import encode
from rtbold.record.events_log import PublishedLog
from rtbold.record.folder import SessionPaths
from rtbold.session.blinded import prepare_blinding
from rtbold.session.discretion import Discretion
from rtbold.session.session import Session, SessionParts, TimedModel

N_VOLUMES = 90
TR_S, T0_S = rig.TR_S, rig.T0_S
QUANTILES = tuple(float(q) for q in np.linspace(0, 3, 101))
CARD = rig.card(
    rois=("a", "b", "c"),
    baseline=Baseline(mean=(0.3, -0.2, 0.1), sd=(0.8, 1.1, 0.9), n=300, n_eff=70.0),
    intervals=Intervals(levels=(0.8, 0.95), half_width=((0.9, 1.6),) * 3),
)
FEEDBACK = FeedbackSettings(low=-2.0, high=2.0, reward=0.6, success_rate=0.5)
STEM = "sub-S01_ses-01_task-nf_run-01"


def brain(seed, n=N_VOLUMES):
    """Yield one person's predictions: slow, with a few volumes lost or degraded."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=3)
    mean, sd = np.array(CARD.baseline.mean), np.array(CARD.baseline.sd)
    faults = np.random.default_rng([seed, 1]).choice(
        np.arange(20, N_VOLUMES), 13, replace=False
    )
    bad, odd = set(faults[:4].tolist()), set(faults[4:].tolist())
    for k in range(n):
        state = 0.85 * state + np.sqrt(1 - 0.85**2) * rng.normal(size=3)
        values = (mean + sd * state).astype(np.float32)
        status, reasons = "ok", ()
        if k < 8:
            status, reasons, values = "warmup", ("warmup",), None
        elif k in bad:
            status, reasons, values = "invalid", ("gap",), None
        elif k in odd:
            status, reasons = "degraded", ("interpolated",)
        t_s = T0_S + TR_S * k
        yield BoldPrediction(
            tick=Tick(k, t_s, True), t_start_s=t_s - 16, t_end_s=t_s, bold_time_s=t_s,
            status=status, reasons=reasons, values=values, next_due_s=t_s + TR_S,
            t_needed_s=t_s, unlikeness=float(np.float32(rng.uniform(0.3, 0.8))),
        )  # fmt: skip


class Feed:
    n_encode_errors = 0

    def __init__(self):
        self.sent = []
        self.publish = self.sent.append

    def set_state(self, *_, **__):
        pass

    def wants(self, topic):
        return False


class Recording:
    """Files of a session without an amplifier."""

    number = 1
    problem = ""

    def __init__(self, folder, clock):
        folder.mkdir(parents=True)
        self.paths = SessionPaths(folder, folder.name)
        self.logs = [PublishedLog(self.paths.published, clock)]
        self.published = self.logs[0].append

    def keep_beside(self, log):
        self.logs.append(log)

    def close(self):
        for log in self.logs:
            assert log.close().n_lost == 0


class Mirror:
    """Takes the rows that would go out over LSL."""

    def __init__(self):
        self.rows = []

    def push(self, roi, fb):
        from rtbold.publish.lsl_mirror import row

        self.rows.append(row(roi, fb, n_rois=0))


@dataclass
class Run:
    """What is left of a session for whoever has no key."""

    folder: object
    messages: list
    rows: list
    took_s: list = field(default_factory=list)

    @property
    def feedback(self):
        """The messages ``pred.fb``, as a subscriber reads them."""
        found = (json.loads(encode(m)) for m in self.messages)
        return [m for m in found if m["topic"] == "pred.fb"]

    @property
    def files(self):
        """Name and size of everything in the folder."""
        return {f.name: f.stat().st_size for f in sorted(self.folder.iterdir())}


def run(folder, seed, *, blinding=None, feedback=FEEDBACK, made=brain):
    """Let one session publish a person's predictions; without blinding, an open one."""
    clock, feed, mirror = HandCrankedClock(T0_S), Feed(), Mirror()
    recording = Recording(folder, clock)
    blinded = None
    if blinding is not None:
        chain = FeedbackChain(feedback, CARD)
        blinded = blinding.begin(recording, clock, chain=chain)
    parts = SessionParts(
        bundle=SimpleNamespace(card=CARD), pipeline=rig.pipeline(),
        model=TimedModel(rig.RecordingModel(), clock),
        acquisition=SimpleNamespace(
            eeg=InletStatus(state="connected"), marker=None, n_overflow=0
        ),
        feed=feed, mirror=mirror, recording=recording,
        feedback=FeedbackChain(feedback, CARD), upstream_ms=None,
        hello=lambda ms: None, trigger_label="R128", truth=None, blinded=blinded,
    )  # fmt: skip
    session = Session(parts, CommandQueue(), clock, discretion=Discretion())
    found = Run(folder, feed.sent, mirror.rows)
    for prediction in made(seed):
        while clock.now_s() < prediction.t_end_s:
            clock.advance(TR_S)
        before_s = time.perf_counter()
        session._publish(prediction, clock.now_s())
        found.took_s.append(time.perf_counter() - before_s)
    recording.close()
    return found


def donor(root, seed, n=N_VOLUMES + 10):
    """Record an open session, of the person `seed`, that may be a donor."""
    folder = root / f"sub-D{seed:02d}_ses-01_task-nf_run-01"
    found = run(folder, seed, made=lambda s: brain(s, n))
    (folder / "events.jsonl").write_text("{}\n")
    (folder / "card.json").write_bytes(msgspec.json.encode(CARD))
    return found


def with_protocol(folder, text, *, attempt=1):
    """Let a recorded donor have followed a protocol."""
    (folder / "protocol.toml").write_text(text)
    protocol = parse_protocol(text.encode(), where="x")
    write_attempt(
        folder,
        Attempt(
            study=protocol.study.name, sha256=protocol.sha256, run=1, attempt=attempt,
            kind="training", n_volumes=N_VOLUMES,
        ),
    )  # fmt: skip


def study(folder, arm, *, arms=ARMS, draw=3, subject="S01", **changes):
    """Make a study in which one subject has this arm; return the statistician's key."""
    desk = folder / "desk"
    for where, owner in ((desk, "statistician"), (folder, "session")):
        if not (where / f"{owner}.key").exists():
            create_keys(where, owner)
    secret = read_secret(desk / "statistician.key_secret", "statistician")
    session = read_secret(folder / "session.key_secret", "session")
    design = Design(
        study="nf1", arms=arms, weights=(1,) * len(arms), delay_s=60.5,
        other_roi="b" if "other_roi" in arms else None, **changes,
    )  # fmt: skip
    place = Place(code="K7M2P", subject=subject, arm=arm, draw=draw)
    sealed = seal_allocation(
        design, [place], statistician=secret, session=session.public
    )
    (folder / "allocation.json").write_bytes(sealed)
    public = (desk / "statistician.key").read_bytes()
    (folder / "statistician.key").write_bytes(public)
    return secret


def settings(folder, **changes):
    """Return the settings of a session of such a study."""
    given = {
        "model": "rig", "record": folder, "record_as": "S01", "blind": folder,
        "tr_s": TR_S, "duration_s": N_VOLUMES * TR_S, "feedback": FEEDBACK,
    }  # fmt: skip
    return RunSettings(**{**given, **changes})


def blinded_run(folder, place, seed, arm, **of_study):
    """Run one session of a study; return it and the statistician's key."""
    secret: SecretKeys = study(place, arm, **of_study)
    blinding = prepare_blinding(settings(place), CARD)
    return run(folder / STEM, seed, blinding=blinding), secret
