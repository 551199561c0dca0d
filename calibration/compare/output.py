"""What a comparison leaves on the disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from rtbold.calibration.compare.page import comparison_html
from rtbold.calibration.compare.run import Evaluation
from rtbold.calibration.compare.tables import tsv
from rtbold.errors import DataFileError

TSV_NAME: Final = "scores.tsv"
RESULTS_NAME: Final = "results.json"
PAGE_NAME: Final = "comparison.html"


@dataclass(frozen=True, slots=True)
class Written:
    """Where everything is."""

    scores: Path
    results: Path
    page: Path


def check_out(folder: Path) -> None:
    """Make the folder, so that hours of work do not end in a name that is taken.

    Raises
    ------
    DataFileError : it is a file, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFileError(
            f"{folder} cannot be made ({error.strerror or error}), expected a folder "
            "for the comparison; choose another --out"
        ) from error


def write_comparison(evaluation: Evaluation, folder: Path) -> Written:
    """Write table, numbers and page; an earlier comparison there is replaced.

    Raises
    ------
    DataFileError : the folder cannot be written, or its disk is full.
    """
    check_out(folder)
    written = Written(folder / TSV_NAME, folder / RESULTS_NAME, folder / PAGE_NAME)
    results = msgspec.json.format(msgspec.json.encode(evaluation.comparison), indent=1)
    texts = {
        written.scores: tsv(evaluation.models),
        written.results: results.decode() + "\n",
        written.page: comparison_html(evaluation),
    }
    try:
        for path, text in texts.items():
            draft = path.with_name(f".{path.name}.part")
            draft.write_text(text, encoding="utf-8", newline="")
            draft.replace(path)
    except OSError as error:
        raise DataFileError(
            f"{folder} cannot be written ({error.strerror or error}); free some space "
            "or choose another --out"
        ) from error
    return written
