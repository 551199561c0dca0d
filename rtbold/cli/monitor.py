"""`rtbold monitor`: subscribe and print."""

from typing import Annotated

import typer


def monitor(
    connect: Annotated[
        str, typer.Option(help="Address of the feed.")
    ] = "tcp://127.0.0.1:5580",
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(help="Stop after so many messages.", min=1)
    ] = None,
    topics: Annotated[
        list[str] | None,
        typer.Option(help="Topic or prefix; repeatable. Default: pred.fb, truth."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Give up after so many seconds of silence.")
    ] = 10.0,
) -> None:
    """Print what a session publishes; check its sequence, age and jitter.

    Example: rtbold monitor --json --count 10
    """
    from rtbold.config import check_range
    from rtbold.io.watch import WatchSettings, watch

    check_range("--timeout", timeout, 0.1, 86400)
    settings = WatchSettings(
        address=connect,
        topics=tuple(topics or ("pred.fb", "truth")),
        count=count,
        timeout_s=timeout,
        json_lines=json_lines,
    )
    summary = watch(
        settings, out=typer.echo, say=lambda text: typer.echo(text, err=True)
    )
    typer.echo(summary, err=json_lines)
