"""What is wrong with a protocol whose values have the right types. Pure."""

import difflib
import math
import unicodedata
from collections.abc import Iterable, Iterator

from rtbold.config import FeedbackSettings, check_tr
from rtbold.errors import ConfigError
from rtbold.messages import WINDOW_S
from rtbold.protocol.lines import Path
from rtbold.protocol.plan import NEVER_SHOWN, Span, places, span_of
from rtbold.protocol.study import (
    LEAST_BASELINE,
    Block,
    ByDirection,
    Question,
    Run,
    Safety,
    Study,
)

Problem = tuple[Path, str]
MOST_RUNS = 100
MOST_BLOCKS = 1000  # of one run
MOST_VOLUMES = 100_000  # of one block
LONGEST_NAME = 64
LONGEST_TEXT = 1000
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def problems_of(study: Study) -> Iterator[Problem]:
    """Yield each problem as the path of the key and a sentence."""
    yield from _whole(study)
    for name, block in study.blocks.items():
        yield from _name(("blocks", name), name)
        yield from _block(study, block, ("blocks", name))
    for name, question in study.questions.items():
        yield from _name(("questions", name), name)
        yield from _question(question, ("questions", name))
    yield from _safety(study.safety)
    sound = {
        name
        for name, block in study.blocks.items()
        if not any(_block(study, block, ()))
    }
    for i, run in enumerate(study.runs):
        yield from _run(study, run, i, sound=sound)


def _whole(study: Study) -> Iterator[Problem]:
    yield from _name(("name",), study.name)
    try:
        check_tr("tr_s", study.tr_s)
    except ConfigError as error:
        yield ("tr_s",), str(error)
    if not study.blocks:
        yield ("blocks",), "there is no block, expected at least one [blocks.NAME]."
    if not study.runs:
        yield ("runs",), "there is no run, expected at least one [[runs]]."
    if any(run.repeats < 1 for run in study.runs):
        return
    if study.n_runs > MOST_RUNS:
        yield ("runs",), f"{study.n_runs} runs, expected {MOST_RUNS} at most."


def _name(path: Path, name: str) -> Iterator[Problem]:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or not name.strip():
        what = (
            f"the name is {name[:LONGEST_NAME]!r}, expected 1 to {LONGEST_NAME} "
            "characters that can be printed."
        )
        yield path, what


def _text(path: Path, text: str) -> Iterator[Problem]:
    if len(text) > LONGEST_TEXT:
        yield path, f"{len(text)} characters, expected {LONGEST_TEXT} at most."
    if odd := next((c for c in text if not _shows(c)), None):
        what = (
            f"the text holds {odd!r}, which does something to a screen instead of "
            "showing on it. Expected plain text and line breaks; take it out."
        )
        yield path, what


def _shows(character: str) -> bool:
    """Return whether a screen shows it: no control character, no turn of writing."""
    if character in "\n\t":
        return True
    kind = unicodedata.category(character)
    return kind not in ("Cc", "Cs") and character not in _TURNS


# Blocks and questions


def _block(study: Study, block: Block, path: Path) -> Iterator[Problem]:
    yield from _length(block, path, study.tr_s)
    yield from _regulation(block, path)
    texts = block.instruction
    for text in (texts,) if isinstance(texts, str) else (texts.up, texts.down):
        yield from _text((*path, "instruction"), text)
    if block.questions and block.task != "question":
        what = (
            f"a block of task {block.task!r} asks nothing. Expected task = "
            '"question", or questions = [...] in [[runs]] for after the run.'
        )
        yield (*path, "questions"), what
    yield from _known("question", block.questions, study.questions, path)
    if block.condition is not None:
        yield from _name((*path, "condition"), block.condition)


def _length(block: Block, path: Path, tr_s: float) -> Iterator[Problem]:
    if (block.volumes is None) is (block.seconds is None):
        what = "both volumes and seconds" if block.volumes else "no duration"
        yield path, f"{what}, expected volumes = N or seconds = S, one of them."
        return
    key = "seconds" if block.volumes is None else "volumes"
    given = block.volumes if block.seconds is None else block.seconds
    if not 0 < tr_s < math.inf:
        return  # told already
    if not math.isfinite(given or 0) or not math.isfinite(block.jitter):
        yield (*path, key), "a duration is not finite, expected a number."
        return
    span = span_of(block, tr_s)
    if not 1 <= span.usual <= MOST_VOLUMES:
        volumes = f"{span.usual} volumes at a TR of {tr_s:g} s"
        what = (
            f"the block is empty or too long: {key} = {given!r} is {volumes}, "
            f"expected 1 to {MOST_VOLUMES}."
        )
        yield (*path, key), what
    else:
        yield from _jitter(block, path, span, tr_s)


def _jitter(block: Block, path: Path, span: Span, tr_s: float) -> Iterator[Problem]:
    place = (*path, "jitter")
    if block.jitter < 0:
        yield place, f"jitter is {block.jitter:g}, expected 0 or more."
    elif block.jitter and not span.jitter:
        what = (
            f"jitter of {block.jitter:g} is less than a volume. Blocks begin with "
            f"volumes: give at least {'1' if block.volumes else f'{tr_s:g} s'}."
        )
        yield place, what
    elif block.volumes is not None and block.jitter != int(block.jitter):
        yield place, f"jitter is {block.jitter:g}, expected whole volumes."
    elif span.least < 1:
        what = (
            f"with a jitter of {span.jitter} volumes the block of {span.usual} can "
            f"be empty. Expected {span.usual - 1} volumes of jitter at most."
        )
        yield place, what


def _regulation(block: Block, path: Path) -> Iterator[Problem]:
    regulates = block.task == "regulate"
    if regulates and block.direction is None:
        what = (
            "a block that regulates needs a direction, expected direction = "
            '"up", "down" or "bidirectional".'
        )
        yield path, what
    if not regulates and block.direction is not None:
        what = (
            f"a block of task {block.task!r} has no direction. Leave it out, or give "
            'task = "regulate".'
        )
        yield (*path, "direction"), what
    if not regulates and block.feedback not in (None, "none"):
        what = (
            f"feedback in a block of task {block.task!r}: it is shown where the "
            'participant regulates, nowhere else. Expected "none", or leave it out.'
        )
        yield (*path, "feedback"), what
    if not regulates and isinstance(block.instruction, ByDirection):
        what = (
            "instructions for up and down in a block without a direction. Expected "
            'one text: instruction = "..."'
        )
        yield (*path, "instruction"), what


def _question(question: Question, path: Path) -> Iterator[Problem]:
    if not question.text.strip():
        yield path, 'the question has no words, expected text = "..."'
    for key in ("text", "low", "high"):
        yield from _text((*path, key), getattr(question, key))
    if question.minimum >= question.maximum:
        what = (
            f"a slider from {question.minimum} to {question.maximum} cannot be "
            "moved. Expected a maximum above its minimum."
        )
        yield (*path, "maximum"), what


def _known(
    what: str, names: Iterable[str], known: Iterable[str], path: Path
) -> Iterator[Problem]:
    listed = list(known)
    for i, name in enumerate(names):
        if name not in listed:
            yield (*path, f"{what}s", i), unknown_words(what, name, listed)


def unknown_words(what: str, name: str, known: list[str]) -> str:
    """Return that there is no such thing, what there is, and what is near."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    there = ", ".join(map(repr, known)) or "none"
    return f"unknown {what} {name!r}; there are: {there}.{hint}"


def _safety(safety: Safety) -> Iterator[Problem]:
    for key in (
        "longest_run_minutes",
        "longest_regulation_seconds",
        "sleepiness_every_minutes",
    ):
        value = getattr(safety, key)
        if value is not None and not 0 < value < math.inf:
            yield ("safety", key), f"{key} is {value!r}, expected more than 0."
    if not 0 <= safety.break_minutes < math.inf:
        yield (
            ("safety", "break_minutes"),
            (f"break_minutes is {safety.break_minutes!r}, expected 0 or more."),
        )
    if safety.stop_marker is not None and not safety.stop_marker.strip():
        what = (
            "stop_marker is empty, expected the label of a marker. Leave it out "
            "where no marker stops."
        )
        yield ("safety", "stop_marker"), what


# Runs


def _run(study: Study, run: Run, i: int, *, sound: set[str]) -> Iterator[Problem]:
    path: Path = ("runs", i)
    for key in ("cycles", "repeats"):
        if not 1 <= getattr(run, key) <= MOST_BLOCKS:
            yield (
                (*path, key),
                (f"{key} is {getattr(run, key)}, expected 1 to {MOST_BLOCKS}."),
            )
            return
    if not run.blocks:
        yield path, "the run has no blocks, expected blocks = [...] with their names."
        return
    if len(run.blocks) * run.cycles > MOST_BLOCKS:
        n = len(run.blocks) * run.cycles
        yield (*path, "blocks"), f"{n} blocks, expected {MOST_BLOCKS} at most."
        return
    if run.feedback not in (None, "none") and run.kind in NEVER_SHOWN:
        what = (
            f"feedback in a run of kind {run.kind!r}, which shows none. Expected "
            'kind = "training", or leave it out.'
        )
        yield (*path, "feedback"), what
    yield from _text((*path, "instruction"), run.instruction)
    if run.condition is not None:
        yield from _name((*path, "condition"), run.condition)
    yield from _known("question", run.questions, study.questions, path)
    names = [b if isinstance(b, str) else b.block for b in run.blocks]
    yield from _known("block", names, study.blocks, path)
    if all(name in sound for name in names) and 0 < study.tr_s < math.inf:
        yield from _of_blocks(study, run, path)


def _of_blocks(study: Study, run: Run, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with blocks that are each sound."""
    tasks = {study.blocks[name].task for _, name, _, _ in places(run)}
    if run.kind == "training" and "regulate" not in tasks:
        what = (
            "a training run without a block that regulates: nothing would be shown. "
            "Expected one, or another kind of run."
        )
        yield (*path, "blocks"), what
    yield from _tiling(study, run, path)
    yield from _baseline(study, run, path)
    yield from _lengths(study, run, path)


def _tiling(study: Study, run: Run, path: Path) -> Iterator[Problem]:
    """Yield blocks that overlap or leave volumes to none."""
    end, jitter = 0, 0
    for item, name, at_volume, at_second in places(run):
        place = (*path, "blocks", item)
        if at_volume is not None and at_second is not None:
            yield place, "at_volume and at_second are both given, expected one."
        elif at_volume is not None or at_second is not None:
            second = at_second or 0.0
            at = round(second / study.tr_s) if at_volume is None else at_volume
            yield from _placed(place, name, at, end=end, jitter=jitter)
            end = max(at, end)
        span = span_of(study.blocks[name], study.tr_s)
        end, jitter = end + span.usual, jitter + span.jitter


def _placed(
    place: Path, name: str, at: int, *, end: int, jitter: int
) -> Iterator[Problem]:
    if jitter:
        what = (
            f"block {name!r} has a place, but a block before it has jitter, which "
            "moves all that follow. Leave one of them out."
        )
        yield place, what
    elif at < end:
        what = (
            f"block {name!r} begins at volume {at} and overlaps the one before it, "
            f"which ends at volume {end}. Expected {end}."
        )
        yield place, what
    elif at > end:
        what = (
            f"volumes {end} to {at - 1} before block {name!r} are of no block. Put a "
            f"rest there, or begin it at volume {end}."
        )
        yield place, what


def _baseline(study: Study, run: Run, path: Path) -> Iterator[Problem]:
    """Yield a baseline of which fewer volumes have predictions than it needs."""
    first, there, counted = 0, False, [0]
    warm = math.ceil(WINDOW_S / study.tr_s)  # volumes until the window is full
    fed = _measured(study)
    ready, skip_n = warm + _smoothed_n(fed, study.tr_s), fed.skip_n if fed else 0
    for _, name, _, _ in places(run):
        block = study.blocks[name]
        least = span_of(block, study.tr_s).least
        if block.task == "baseline":
            there = True
            counted.append(max(0, first + least - max(first + skip_n, ready)))
        first += least
    n = max(counted) if fed else sum(counted)  # feedback takes the newest alone
    if there and n < LEAST_BASELINE:
        lost = f" (the first {warm} of the run have no prediction: 16 s of EEG fill"
        lost += "; smoothing and skip_n of [feedback] take more)" if fed else ")"
        what = (
            f"the baseline is too short: {n} volumes with predictions{lost}, expected "
            f"{LEAST_BASELINE} at least for its mean and spread. Make it longer."
        )
        yield (*path, "blocks"), what


def _measured(study: Study) -> FeedbackSettings | None:
    """Return the feedback's settings where it is scaled by a baseline block."""
    try:
        fed = FeedbackSettings.build(study.feedback)
    except ConfigError:
        return None  # told by who reads them
    return fed if fed.baseline == "block" else None


def _smoothed_n(fed: FeedbackSettings | None, tr_s: float) -> int:
    """Return how many volumes smoothing needs before it gives its first."""
    if fed is None or fed.smooth == "none":
        return 0
    return fed.smooth_n - 1 if fed.smooth == "mean" else math.ceil(fed.smooth_s / tr_s)


def _lengths(study: Study, run: Run, path: Path) -> Iterator[Problem]:
    """Yield what is longer than the protocol itself calls safe."""
    safety, tr_s = study.safety, study.tr_s
    whole = longest = row = 0
    for _, name, _, _ in places(run):
        most = span_of(study.blocks[name], tr_s).most
        whole += most
        row = row + most if study.blocks[name].task == "regulate" else 0
        longest = max(longest, row)
    minutes = whole * tr_s / 60
    if minutes > safety.longest_run_minutes:
        what = (
            f"the run may last {minutes:.1f} min, expected "
            f"{safety.longest_run_minutes:g} at most (safety.longest_run_minutes)."
        )
        yield path, what
    limit_s = safety.longest_regulation_seconds
    if limit_s is not None and longest * tr_s > limit_s:
        what = (
            f"{longest * tr_s:.0f} s of regulation without a block between, expected "
            f"{limit_s:g} at most (safety.longest_regulation_seconds)."
        )
        yield (*path, "blocks"), what
