"""The command line: parse, build, start. The only place where parts are wired."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rtbold.errors import RtboldError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Every deliberate error becomes one message on standard error; ``--debug``, anywhere
    on the line, shows the traceback too. With ``--end-with-stdin`` it ends as by Ctrl-C
    once its standard input is closed.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    from rtbold.cli.app import build_app
    from rtbold.cli.process import OPTION, end_with_stdin, quieten, settle_libraries
    from rtbold.distribution import other_lab

    if OPTION in given:
        end_with_stdin()
    given = [word for word in given if word not in ("--debug", OPTION)]

    quieten(os.environ, Path.cwd())
    settle_libraries(os.environ)
    if said := other_lab():
        sys.stderr.write(f"rtbold: {said}\n")

    try:
        build_app()(args=given, standalone_mode=True, prog_name="rtbold")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(bool(done.code))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return report(error, debug=debug, out=sys.stderr)
    return 0


def _what_brings(error: ModuleNotFoundError) -> str | None:
    from rtbold.distribution import missing_module

    try:
        return missing_module(error.name or "")
    except RtboldError:  # nothing is known of what was installed
        return None


def report(error: Exception, *, debug: bool, out: TextIO) -> int:
    """Show `error` as one message and return the exit code it stands for."""
    if debug:
        import traceback

        traceback.print_exception(error, file=out)
    if isinstance(error, RtboldError):
        out.write(f"rtbold: {error}\n")
        return error.exit_code
    if isinstance(error, ModuleNotFoundError) and (said := _what_brings(error)):
        out.write(f"rtbold: {said}\n")
        return 1
    out.write(
        f"rtbold: an unforeseen error: {type(error).__name__}: {error}. "
        "Run the same command with --debug and report what it prints.\n"
    )
    return 1
