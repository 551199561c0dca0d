"""``rtbold protocol check | new | runs``: the file that says what happens when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.protocol import Protocol, RunProgress

File = Annotated[Path, typer.Argument(help="The protocol, a TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON on stdout.")]


def check(
    file: File,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="List each block with its volumes.")
    ] = False,
    run: Annotated[int | None, typer.Option(help="This run alone.")] = None,
    attempt: Annotated[int, typer.Option(help="Draw jitter of this attempt.")] = 1,
    svg: Annotated[
        Path | None, typer.Option(help="File that a picture is written to.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a protocol and draw it as a timeline; what is wrong is said with its line.

    Example: rtbold protocol check study.toml
    """
    from rtbold.errors import ConfigError
    from rtbold.protocol import (
        all_runs,
        block_lines,
        picture,
        read_protocol,
        run_line,
        timeline,
    )

    protocol = read_protocol(file)
    if attempt < 1:
        raise ConfigError(f"--attempt is {attempt}, expected 1 or more.")
    plans = all_runs(protocol.study, attempt=attempt)
    if run is not None:
        check_number(protocol, run)
        plans = [plans[run - 1]]
    if svg is not None:
        _write(svg, picture(protocol.study, plans).encode())
    if as_json:
        _echo_json({"sha256": protocol.sha256, "runs": plans})
        return
    for line in timeline(protocol.study, plans):
        typer.echo(line)
    for plan in plans if blocks else ():
        typer.echo(f"\n{run_line(plan)}")
        for line in block_lines(plan):
            typer.echo(line)


def new(file: File) -> None:
    """Write a commented protocol to begin with; a file that is there is left alone.

    Example: rtbold protocol new study.toml
    """
    from rtbold.protocol import example

    _write(file, example())
    typer.echo(f"{file} is written. Look at it: rtbold protocol check {file}")


def runs(
    file: File,
    record: Annotated[
        Path | None, typer.Option(help="Folder of the recordings.")
    ] = None,
    record_as: Annotated[
        str | None, typer.Option(help="Subject in their names.")
    ] = None,
    session: Annotated[str, typer.Option(help="Session in their names.")] = "01",
    task: Annotated[str, typer.Option(help="Task in their names.")] = "nf",
    as_json: AsJson = False,
) -> None:
    """List the runs of a protocol, the attempts at each, and which one comes next.

    Example: rtbold protocol runs study.toml --record recordings --record-as S01
    """
    import time

    from rtbold.protocol import (
        all_runs,
        attempts_in,
        break_left_s,
        next_run,
        progress,
        read_protocol,
        run_line,
    )
    from rtbold.run_names import UNNAMED_SUBJECT, RunGroup

    protocol = read_protocol(file)
    study = protocol.study
    subject = record_as or UNNAMED_SUBJECT
    group = RunGroup(subject=subject, session=session, task=task)
    found = attempts_in([record], group, study.name) if record else []
    come = next_run(study, found)
    left_s = break_left_s(study, found, time.time())
    each = list(progress(all_runs(study), found))
    if as_json:
        _echo_json(
            {
                "study": study.name,
                "sha256": protocol.sha256,
                "next": come,
                "break_left_s": round(left_s, 1),
                "runs": [_row(one) for one in each],
            }
        )
        return
    for one in each:
        mark = ">" if one.plan.run == come else " "
        states = ", ".join(_attempt_words(one)) or "not begun"
        typer.echo(f"{mark} {run_line(one.plan)}: {states}")
    if left_s:
        typer.echo(f"break: {left_s / 60:.1f} min left before the next run")


def check_number(protocol: "Protocol", run: int) -> None:
    """Refuse the number of a run that the protocol has not.

    Raises
    ------
    ConfigError : says which there are.
    """
    from rtbold.errors import ConfigError

    if not 1 <= run <= protocol.study.n_runs:
        raise ConfigError(
            f"--run is {run}, expected 1 to {protocol.study.n_runs}: the runs of "
            f"{protocol.where}."
        )


def _attempt_words(one: "RunProgress") -> list[str]:
    return [
        f"attempt {a.attempt} {a.state.replace('_', ' ')}"
        + (f" at volume {a.n_done} of {a.n_volumes}" if a.state != "complete" else "")
        for a in one.attempts
    ]


def _row(one: "RunProgress") -> dict[str, object]:
    plan = one.plan
    return {
        "run": plan.run,
        "kind": plan.run_type,
        "name": plan.name,
        "n_blocks": len(plan.blocks),
        "n_volumes": plan.n_volumes,
        "duration_s": round(plan.duration_s, 3),
        "instruction": plan.instruction,
        "done": one.done,
        "attempts": one.attempts,
    }


def _echo_json(what: object) -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(what), indent=2))


def _write(file: Path, data: bytes) -> None:
    from rtbold.errors import ConfigError

    try:
        with file.open("xb") as out:
            out.write(data)
    except FileExistsError as error:
        raise ConfigError(
            f"{file} is there already and is left as it is. Expected the name of a "
            "new file; choose another."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot write {file}: {error.strerror or error}. Choose another place."
        ) from error
