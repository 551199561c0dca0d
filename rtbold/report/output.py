"""The report's files: HTML, a table of blocks, JSON, and the checklist."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rtbold.owner_only import make_folder, write_text
from rtbold.report.build import Report, ReportedSession
from rtbold.report.checklists import as_json
from rtbold.report.effects import Effect
from rtbold.report.page import report_html

HTML_NAME: Final = "report.html"
BLOCKS_NAME: Final = "blocks.tsv"
JSON_NAME: Final = "report.json"
CHECKLIST_NAME: Final = "cred-nf.json"
FORMAT: Final = 1
BLOCK_COLUMNS: Final = (
    "session", "run", "attempt", "kind", "condition", "block", "name", "task",
    "direction", "n", "n_usable", "n_counted", "mean", "sd", "unit",
)  # fmt: skip


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write the four files, readable by their owner alone; return their paths.

    Raises
    ------
    OSError : the folder cannot be written to.
    """
    texts = {
        HTML_NAME: report_html(report),
        BLOCKS_NAME: blocks_tsv(report),
        JSON_NAME: json.dumps(report_json(report), indent=2) + "\n",
        CHECKLIST_NAME: json.dumps(as_json(report.checklist), indent=2) + "\n",
    }
    make_folder(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in texts)


def blocks_tsv(report: Report) -> str:
    """Return one row a block; n/a where there is no number."""
    out = io.StringIO()
    rows = csv.writer(out, delimiter="\t", lineterminator="\n")
    rows.writerow(BLOCK_COLUMNS)
    for session in report.sessions:
        for run in session.summary.runs:
            for block in run.blocks:
                cells = (
                    session.summary.title, run.run, run.attempt, run.kind,
                    run.condition, block.block.block, block.block.name,
                    block.block.task, block.block.direction, block.n, block.n_usable,
                    block.n_counted, block.mean, block.sd, session.summary.unit,
                )  # fmt: skip
                rows.writerow("n/a" if cell is None else cell for cell in cells)
    return out.getvalue()


def report_json(report: Report) -> dict[str, Any]:
    """Return the report's figures for programs."""
    return {
        "format": FORMAT,
        "title": report.title,
        "simulated": report.simulated,
        "sessions": [_session_json(each) for each in report.sessions],
        "change_over_sessions": _effect_json(report.over_sessions),
        "methods": report.methods,
        "left_out": [{"recording": n, "why": why} for n, why in report.left_out],
    }


def _session_json(session: ReportedSession) -> dict[str, Any]:
    summary = session.summary
    return {
        "title": summary.title,
        "unit": summary.unit,
        "recordings": [m.folder.name for m in session.materials],
        "regulation": _effect_json(summary.effect),
        "transfer": _effect_json(summary.transfer),
        "change_over_runs": _effect_json(summary.learning),
        "runs": [
            {"run": run.run, "attempt": run.attempt, "kind": run.kind,
             "condition": run.condition, "regulation": _effect_json(effect)}
            for run, effect in summary.run_effects
        ],
        "quality": asdict(summary.quality),
        "quality_by_condition": {
            code: asdict(quality) for code, quality in summary.by_condition
        },
        "latency_ms": [asdict(times) for times in summary.times],
        "notes": list(summary.notes),
    }  # fmt: skip


def _effect_json(effect: Effect | None) -> dict[str, Any] | None:
    return None if effect is None else {**asdict(effect), "found": effect.found}
