"""From recordings to a report: the sessions of a subject, or one run. Thin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from rtbold.errors import DataFileError, RtboldError
from rtbold.report.checklists import CRED_NF, Facts, Item, filled
from rtbold.report.effects import Effect
from rtbold.report.facts import model_facts, session_facts
from rtbold.report.material import SessionMaterial, read_material, session_folders
from rtbold.report.summary import SessionSummary, over_sessions, summarise
from rtbold.report.words import methods_text

_OUTCOMES: Final = ("success", "quality")  # facts that each session has of its own


@dataclass(frozen=True, slots=True, eq=False)
class ReportedSession:
    """One session: its recordings in order, and its figures."""

    materials: tuple[SessionMaterial, ...]
    summary: SessionSummary


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that the report's files are written from."""

    title: str
    sessions: tuple[ReportedSession, ...]
    over_sessions: Effect | None  # change of the effect from session to session
    facts: Facts
    checklist: tuple[Item, ...]  # CRED-nf
    methods: str
    simulated: bool  # the model or the stream of any session was
    left_out: tuple[tuple[str, str], ...]  # recording, why


def build_report(
    path: Path, given: Mapping[str, str] | None = None, site: Facts | None = None
) -> Report:
    """Return the report of all recorded sessions at or below `path`.

    Parameters
    ----------
    given : the author's own answers to the checklist, by item.
    site : facts of the hardware, which go before those of the recordings.

    Raises
    ------
    DataFileError : there is no recording here that can be read.
    """
    materials: list[SessionMaterial] = []
    left_out: list[tuple[str, str]] = []
    for folder in session_folders(path):
        try:
            materials.append(read_material(folder))
        except (RtboldError, OSError) as error:
            left_out.append((folder.name, str(error)))
    if not materials:
        raise DataFileError(
            f"no recording at {path} can be reported: "
            + "; ".join(f"{name}: {why}" for name, why in left_out)
        )
    sessions = tuple(_session(group) for group in _by_session(materials))
    facts = _facts(sessions, site or {})
    one_person = len({_person(each) for each in sessions}) == 1
    return Report(
        title=path.resolve().name,
        sessions=sessions,
        over_sessions=(
            over_sessions([each.summary for each in sessions]) if one_person else None
        ),
        facts=facts,
        checklist=filled(CRED_NF, facts, given),
        methods=methods_text(facts),
        simulated=any(is_simulated(each) for each in materials),
        left_out=tuple(left_out),
    )


def _facts(sessions: Sequence[ReportedSession], site: Facts) -> dict[str, str]:
    """Return all facts; what somebody told goes before what was worked out.

    Settings are those of the newest session; what came out is told of each.
    """
    card = sessions[-1].materials[-1].facts.card
    each = [session_facts(s.materials, s.summary) for s in sessions]
    own = dict(each[-1])
    for name in _OUTCOMES if len(sessions) > 1 else ():
        told = [
            f"{session.summary.title}: {facts[name]}"
            for session, facts in zip(sessions, each, strict=True)
            if name in facts
        ]
        own[name] = " ".join(told)
    return {**model_facts(card), **own, **site}


def _person(session: ReportedSession) -> str:
    return session.materials[0].folder.name.partition("_")[0]


def is_simulated(material: SessionMaterial) -> bool:
    """Return whether the model came of simulated data."""
    origin = material.facts.origin
    return origin.get("kind") == "simulated" or bool(origin.get("simulated_lineage"))


def _by_session(
    materials: Sequence[SessionMaterial],
) -> list[tuple[SessionMaterial, ...]]:
    """Return the recordings of each session, those of one folder together."""
    ordered = sorted(materials, key=lambda m: (str(m.folder.parent), _begun_s(m)))
    groups = groupby(ordered, key=lambda m: m.folder.parent)
    return [tuple(group) for _, group in groups]


def _begun_s(material: SessionMaterial) -> tuple[float, str]:
    begun_s = material.attempt.begun_unix_s if material.attempt else 0.0
    return begun_s, material.folder.name


def _session(materials: tuple[SessionMaterial, ...]) -> ReportedSession:
    name = materials[0].folder.name
    title = name if len(materials) == 1 else name.partition("_task-")[0]
    notes = [f"{m.folder.name}: {note}" for m in materials for note in m.notes]
    summary = summarise(
        title,
        [m.rows for m in materials],
        tr_s=materials[0].facts.tr_s,
        notes=notes,
        sealed=any(m.sealed for m in materials),
    )
    return ReportedSession(materials, summary)
