"""Whether a whole feedback session finds a learner, and only a learner.

A person in a closed loop (rtbold/sim/learner.py): baseline run, three runs of
regulation, a transfer run, through the live pipeline, the feedback's chain and the
arms, as a session runs them. Learner with their own feedback; the same person not
learning; the same person yoked to another learner's feedback. The effect is the
report's own, of the predictions of the person's own EEG. In-process and without
sockets: the wire is in the session's tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from evaluate.stats import share
from rtbold.bundle import Bundle, load
from rtbold.engine import open_engine
from rtbold.feedback import Feedback, FeedbackChain, FeedbackSettings, Reference
from rtbold.messages import (
    BoldPrediction,
    Channel,
    EegChunk,
    Event,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.predict import Pipeline, PipelineSettings
from rtbold.protocol import RunPlan, parse_protocol, plan_run
from rtbold.report import Effect, FedBack, RunSummary, differences, effect, runs_of
from rtbold.sim import (
    ClosedLoopHead,
    Effort,
    Learner,
    LearnerSettings,
    TwinSettings,
    closed_loop_head,
    read_rois,
)
from rtbold.window import ScheduleSettings

DEFAULT_N = 20
FIRST_SEED = 75_000  # apart from all in rtbold/sim/settings.py
PERSONS = ("learner", "not learning", "yoked to another learner")
LEVEL, NETWORK, EFFECT_SD = "easy", "SomMotA", 1.5
RATE_HZ, TR_S, CHUNK_N = 200, 2.1, 42  # ten chunks a TR
LEAD_S = 24.0  # of EEG before a run's first volume: a whole window, filters settled
PROTOCOL = """\
name = "motor network, up"
tr_s = 2.1
[blocks.baseline]
task = "baseline"
volumes = 90
[blocks.begin]
task = "rest"
volumes = 20
[blocks.rest]
task = "rest"
volumes = 12
[blocks.up]
task = "regulate"
direction = "up"
volumes = 16
[[runs]]
kind = "baseline"
blocks = ["baseline"]
[[runs]]
kind = "training"
repeats = 3
blocks = ["begin", "up", "rest", "up", "rest", "up", "rest", "up", "rest"]
[[runs]]
kind = "transfer"
blocks = ["begin", "up", "rest", "up", "rest", "up", "rest", "up", "rest"]
"""
STUDY = parse_protocol(PROTOCOL.encode(), where="learning.py").study
Shown = dict[tuple[int, int], float]  # (run, volume) -> z


@dataclass(frozen=True)
class Lived:
    """What one person went through."""

    runs: tuple[RunSummary, ...]  # of the predictions of their own EEG
    z: Shown


def items(n: int) -> list[tuple]:
    """Return the seeds of the persons."""
    return [(seed,) for seed in range(FIRST_SEED, FIRST_SEED + n)]


def work(item: Sequence, cache_folder: Path) -> dict:
    """Live one person's session in each arm; the donor is the learner before."""
    (seed,) = item
    donor = _donor(seed - 1, cache_folder)
    head = head_of(seed)
    learner = session(seed, learns=True, donor=None, head=head)
    _keep(seed, learner.z, cache_folder)
    lived = {
        "learner": learner,
        "not learning": session(seed, learns=False, donor=None, head=head),
        "yoked to another learner": session(seed, learns=True, donor=donor, head=head),
    }
    return {name: _figures(each.runs) for name, each in lived.items()}


def _donor(seed: int, folder: Path) -> Shown:
    """Return what a learner was shown; live it, if nobody has."""
    path = _place(seed, folder)
    if not path.exists():
        _keep(seed, session(seed, learns=True, donor=None).z, folder)
    with np.load(path) as kept:
        places = zip(kept["run"], kept["volume"], kept["z"], strict=True)
        return {(int(run), int(volume)): float(z) for run, volume, z in places}


def _keep(seed: int, shown: Shown, folder: Path) -> None:
    run, volume = np.array(list(shown), int).reshape(-1, 2).T
    np.savez(_place(seed, folder), run=run, volume=volume, z=list(shown.values()))


def _place(seed: int, folder: Path) -> Path:
    return folder / f"learner_{seed}.npz"


def _figures(runs: tuple[RunSummary, ...]) -> dict:
    trained = [run for run in runs if run.kind == "training"]
    transfer = [run for run in runs if run.kind == "transfer"]
    return {
        "training": _effect(effect([d for r in trained for d in differences(r)])),
        "last run": _effect(effect(differences(trained[-1]))),
        "transfer": _effect(effect([d for r in transfer for d in differences(r)])),
    }


def _effect(found: Effect | None) -> dict | None:
    if found is None:
        return None
    return {"mean": round(found.mean, 4), "found": found.found, "n": found.n}


def summary(lines: Sequence[dict]) -> dict:
    """Return how often an effect was found, and its mean over persons."""
    table: dict = {}
    for name in PERSONS:
        for part in ("training", "last run", "transfer"):
            each = [line[name][part] for line in lines if line[name][part]]
            means = [x["mean"] for x in each]
            table[f"{name}, {part}"] = {
                "found": share(sum(x["found"] for x in each), len(each)),
                "mean": float(np.mean(means)),
                "sd": float(np.std(means, ddof=1)),
            }
    minutes = sum(p.duration_s for p in plans()) / 60
    return {"level": LEVEL, "network": NETWORK, "minutes": minutes, "table": table}


# One session.


@cache
def plans() -> tuple[RunPlan, ...]:
    """Return the runs of the study."""
    return tuple(plan_run(STUDY, run) for run in range(1, STUDY.n_runs + 1))


@cache
def model() -> tuple[Bundle, object]:
    """Return the shipped bundle and its engine."""
    bundle = load("demo")
    return bundle, open_engine(bundle)


def head_of(seed: int) -> ClosedLoopHead:
    """Return a head with EEG for all runs."""
    return closed_loop_head(twin_of(seed), NETWORK, effect_sd=EFFECT_SD)


def twin_of(seed: int) -> TwinSettings:
    """Return the settings of one person's twin."""
    runs_s = sum(LEAD_S + plan.duration_s + TR_S for plan in plans())
    return TwinSettings(seed=seed, level=LEVEL, duration_s=float(np.ceil(runs_s)))


def feedback_settings() -> FeedbackSettings:
    """Return the network's mean against a measured baseline, a little smoothed."""
    names = [roi.name for roi in read_rois() if roi.network == NETWORK]
    target = " + ".join(f'"{name}"' for name in names)
    return FeedbackSettings(target=target, baseline="block", smooth="mean", smooth_n=2)


def session(
    seed: int, *, learns: bool, donor: Shown | None, head: ClosedLoopHead | None = None
) -> Lived:
    """Live all runs of a session.

    Parameters
    ----------
    donor : what is shown instead of the person's own; None: their own.
    """
    head = head or head_of(seed)
    person = Learner(LearnerSettings(seed=seed, learns=learns))
    own: Shown = {}
    summaries: list[RunSummary] = []
    carried: Reference | None = None
    first = 0
    for plan in plans():
        run = _Run(plan, head, first, person, carried=carried, donor=donor)
        rows = list(run.live(twin_of(seed)))
        carried = run.chain.measured or carried
        own |= {(plan.run, r.volume_index): r.z for r in rows if r.z is not None}
        summaries += runs_of(rows, tr_s=TR_S)
        first += run.n_samples
    return Lived(tuple(summaries), own)


class _Run:
    """One start of the scanner: a pipeline and a chain of its own."""

    def __init__(
        self,
        plan: RunPlan,
        head: ClosedLoopHead,
        first: int,
        person: Learner,
        *,
        carried: Reference | None,
        donor: Shown | None,
    ) -> None:
        bundle, engine = model()
        self.plan, self.head, self.first, self.person = plan, head, first, person
        self.donor = donor
        schedule = ScheduleSettings(tr_s=TR_S)
        settings = PipelineSettings(schedule=schedule)
        self.pipeline = Pipeline(bundle.card, engine, settings)
        self.chain = FeedbackChain(feedback_settings(), bundle.card, carried=carried)
        self.n_samples = round((LEAD_S + plan.duration_s + TR_S) * RATE_HZ)

    def live(self, twin: TwinSettings) -> Iterator[FedBack]:
        """Yield what was computed of the person's own EEG, volume by volume."""
        effort = Effort()
        yield from self._take(StreamChanged(_described(twin)))
        for begin in range(0, self.n_samples, CHUNK_N):
            n = min(CHUNK_N, self.n_samples - begin)
            now_s = (begin + n) / RATE_HZ
            self.person.asked(self._direction(now_s), self.first / RATE_HZ + now_s)
            wanted = effort.samples(self.person.effort, n)
            eeg_uv = self.head.eeg_uv(self.first + begin, wanted)
            t_s = (begin + np.arange(n)) / RATE_HZ
            for onset_s in self._onsets(t_s[0], now_s):
                yield from self._take(Marker("R128", onset_s, onset_s))
            yield from self._take(EegChunk(eeg_uv, t_s, now_s, begin))
            yield from self._take(TimePassed(now_s))
        self.chain.finish()

    def _onsets(self, from_s: float, to_s: float) -> Iterator[float]:
        for k in range(self.plan.n_volumes):
            if from_s <= LEAD_S + k * TR_S < to_s:
                yield LEAD_S + k * TR_S

    def _direction(self, now_s: float) -> float:
        now = self.plan.at(int((now_s - LEAD_S) // TR_S))
        asked = {"up": 1.0, "down": -1.0}
        return asked[now.direction] if now and now.direction else 0.0

    def _take(self, event: Event) -> Iterator[FedBack]:
        for prediction in self.pipeline.push(event):
            now = self.plan.at(prediction.tick.volume_index)
            feedback = self.chain.push(prediction, now)
            if now is not None and now.shows_feedback:
                self._show(prediction, feedback)
            yield FedBack(
                t_s=prediction.t_end_s,
                volume_index=prediction.tick.volume_index,
                status=feedback.status,
                reasons=feedback.reasons,
                value=feedback.value,
                z=feedback.z,
                block=now,
            )

    def _show(self, prediction: BoldPrediction, feedback: Feedback) -> None:
        z = feedback.z
        if self.donor is not None and z is not None:
            z = self.donor.get((self.plan.run, prediction.tick.volume_index))
        self.person.felt(z, self.first / RATE_HZ + prediction.t_end_s)


def _described(twin: TwinSettings) -> StreamDescription:
    labels = twin.eeg_labels
    return StreamDescription(
        name="twin",
        type="EEG",
        rate_hz=float(RATE_HZ),
        channels=tuple(Channel(label, "uV") for label in labels),
        reference=twin.reference,
        simulated=True,
    )
