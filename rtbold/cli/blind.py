"""``rtbold blind ...`` and ``rtbold unblind``: a study with control arms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rtbold.blinding import Design, Place

StudyFolder = Annotated[
    Path, typer.Argument(help="Folder of the study on this machine.")
]
StatisticianKey = Annotated[
    Path, typer.Option("--key", help="The statistician's secret key.")
]


def keys(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")],
    of: Annotated[
        str, typer.Option("--of", help="statistician, or session for its machine.")
    ],
) -> None:
    """Make a pair of keys: the statistician's, or that of the session machine.

    The statistician keeps `statistician.key_secret` where nobody who runs sessions can
    read it, and gives `statistician.key` away. The session machine keeps
    `session.key_secret` and gives `session.key` to the statistician.

    Example: rtbold blind keys study --of session
    """
    from rtbold.blinding import OWNERS, create_keys
    from rtbold.errors import ConfigError

    owner = next((each for each in OWNERS if each == of), None)
    if owner is None:
        raise ConfigError(f"--of is {of!r}, expected one of {', '.join(OWNERS)}.")
    try:
        made = create_keys(folder, owner)
    except OSError as error:
        raise ConfigError(
            f"cannot write keys into {folder}: {error.strerror or error}. Name a "
            "folder of yours."
        ) from error
    typer.echo(
        f"{folder / owner}.key has fingerprint {made.public.fingerprint}: give it away."
    )
    typer.echo(f"{folder / owner}.key_secret: keep it; nothing can replace it.")


def allocate(
    out: Annotated[Path, typer.Argument(help="File to write: allocation.json.")],
    key: StatisticianKey,
    session_key: Annotated[
        Path, typer.Option(help="session.key of the machine that runs sessions.")
    ],
    study: Annotated[str, typer.Option(help="Name of the study.")],
    arms: Annotated[
        str,
        typer.Option(
            help="With weights: real:1,yoked:1; also delayed, inverse, other_roi."
        ),
    ],
    seed: Annotated[int, typer.Option(help="Of the list; it works with the key.")],
    places: Annotated[
        list[str] | None,
        typer.Option(help="STRATUM=NUMBER or NUMBER of open places; repeatable."),
    ] = None,
    subjects: Annotated[
        Path | None, typer.Option(help="TSV of subjects known now: subject, stratum.")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Protocol that the allocation is for.")
    ] = None,
    other_roi: Annotated[
        str | None, typer.Option(help="Target of the arm other_roi.")
    ] = None,
    delay: Annotated[
        float | None, typer.Option(help="Seconds of the arm delayed, above 60 [64].")
    ] = None,
) -> None:
    r"""Draw who gets which arm, and seal it for the statistician and one machine.

    Arms are drawn in permuted blocks of random size, each stratum by itself. The file
    names no arm: copy it into the folder of the study, beside `statistician.key`.
    `rtbold blind list` shows the list to whoever has the secret key.

    Example:

        rtbold blind allocate allocation.json --key statistician.key_secret \
            --session-key session.key --study nf1 --arms real:1,yoked:1 \
            --seed 20261130 --places 40
    """
    from rtbold.blinding import (
        allocate as draw,
        read_public,
        read_secret,
        seal_allocation,
    )
    from rtbold.errors import ConfigError
    from rtbold.owner_only import create, write_all

    statistician = read_secret(key, "statistician")
    design = _design(study, arms, protocol=protocol, other_roi=other_roi, delay_s=delay)
    wanted = _places(places or [], subjects)
    listed = draw(design, wanted, seed=seed, secret=statistician)
    session = read_public(session_key, "session")
    sealed = seal_allocation(design, listed, statistician=statistician, session=session)
    try:
        with create(out, exclusive=True) as stream:
            write_all(stream, sealed)
    except OSError as error:
        raise ConfigError(
            f"cannot write {out}: {error.strerror or error}. Name a new file; an "
            "allocation is never overwritten."
        ) from error
    typer.echo(
        f"{out}: {len(listed)} places in {len(wanted)} strata, sealed for "
        f"statistician {statistician.public.fingerprint} and session machine "
        f"{session.fingerprint}"
    )


def _design(
    study: str,
    arms: str,
    *,
    protocol: Path | None,
    other_roi: str | None,
    delay_s: float | None,
) -> "Design":
    """Return the design that the options name.

    Raises
    ------
    ConfigError : an arm is unknown, or the design contradicts itself.
    """
    import msgspec

    from rtbold.blinding import ARMS, DEFAULT_DELAY_S, Design
    from rtbold.errors import ConfigError
    from rtbold.protocol import read_protocol

    pairs = [each.strip().partition(":") for each in arms.split(",")]
    given: dict[str, Any] = {
        "study": study,
        "arms": [name for name, _, _ in pairs],
        "weights": [int(w) if w.isdecimal() else w or 1 for _, _, w in pairs],
        "delay_s": DEFAULT_DELAY_S if delay_s is None else delay_s,
        "other_roi": other_roi,
    }
    if protocol is not None:
        given["protocol_sha256"] = read_protocol(protocol).sha256
    try:
        return msgspec.convert(given, Design)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"--arms is {arms!r}: {error}. Expected arms of {', '.join(ARMS)}, each "
            "with a weight, as in real:1,yoked:1."
        ) from error


def _places(
    open_places: list[str], subjects: Path | None
) -> dict[str, list[str | None]]:
    """Return the subjects of each stratum; None for a place that is open.

    Raises
    ------
    ConfigError : a number or a line cannot be read.
    """
    from rtbold.disk import read_file
    from rtbold.errors import ConfigError

    found: dict[str, list[str | None]] = {}
    if subjects is not None:
        try:
            text = read_file(subjects, at_most_bytes=10_000_000).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read {subjects}: {getattr(error, 'strerror', None) or error}. "
                "Expected a TSV with subject and, if there are any, stratum."
            ) from error
        lines = [line.split("\t") for line in text.splitlines() if line.strip()]
        head, *rows = lines or [[""]]
        if head[0] != "subject" or head[1:] not in ([], ["stratum"]):
            raise ConfigError(
                f"{subjects} begins with {head}, expected a line with subject and, if "
                "there are any, stratum, separated by a tab."
            )
        for row in rows:
            stratum = row[1].strip() if len(row) > 1 else ""
            found.setdefault(stratum, []).append(row[0].strip())
    for each in open_places:
        name, _, number = each.rpartition("=")
        if not number.isdecimal() or not 1 <= int(number) <= 10_000:
            raise ConfigError(
                f"--places is {each!r}, expected a number of places up to 10000, or "
                "STRATUM=NUMBER, such as old=20."
            )
        found.setdefault(name.strip(), []).extend([None] * int(number))
    return found


def list_(
    allocation: Annotated[Path, typer.Argument(help="The sealed allocation.")],
    key: StatisticianKey,
) -> None:
    """Show the whole list with its arms, to whoever has the statistician's key.

    Example: rtbold blind list allocation.json --key statistician.key_secret
    """
    from rtbold.blinding import read_allocation, read_secret

    secret = read_secret(key, "statistician")
    found = read_allocation(allocation, secret.public)
    typer.echo("code\tstratum\tsubject\tarm")
    for slot in found.slots:
        typer.echo(_row(found.open(slot, secret)))


def _row(place: "Place") -> str:
    subject = place.subject or "n/a"
    return f"{place.code}\t{place.stratum or 'n/a'}\t{subject}\t{place.arm}"


def enrol(
    study: StudyFolder,
    subject: Annotated[str, typer.Argument(help="Code of the new participant.")],
    stratum: Annotated[str, typer.Option(help="Of the allocation.")] = "",
) -> None:
    """Give a new participant the next place; nobody learns of which arm it is.

    Example: rtbold blind enrol study S07
    """
    import time

    from rtbold.blinding import enrol as give, open_study

    code = give(open_study(study), subject, stratum, now_unix_s=time.time())
    typer.echo(f"subject {subject} has place {code}")


def guess(
    session: Annotated[Path, typer.Argument(help="Folder of the session.")],
    who: Annotated[str, typer.Option(help="operator or participant.")],
    arm: Annotated[
        str, typer.Option("--arm", help="The guess: an arm, sham or unknown.")
    ],
    confidence: Annotated[int, typer.Option(help="0, a mere guess, to 100, certain.")],
) -> None:
    """Write down which arm operator or participant think it was, before unblinding.

    Ask both at the end of a session. The first guess counts, and none does once
    somebody has asked for the arm.

    Example: rtbold blind guess SESSION --who operator --arm real --confidence 30
    """
    import time

    from rtbold.blinding import GUESSERS, Guess, guess as note
    from rtbold.errors import ConfigError
    from rtbold.session import session_folder

    guesser = next((each for each in GUESSERS if each == who), None)
    if guesser is None:
        raise ConfigError(f"--who is {who!r}, expected one of {', '.join(GUESSERS)}.")
    given = Guess(
        who=guesser, guess=arm, confidence=confidence, t_unix_s=round(time.time(), 3)
    )
    note(session_folder(session), given)
    typer.echo(f"the {who}'s guess is kept")


def unblind(
    session: Annotated[Path, typer.Argument(help="Folder of the session, or its XDF.")],
    key: StatisticianKey,
    by: Annotated[str, typer.Option("--by", help="Who asks: initials or a role.")],
    why: Annotated[str, typer.Option("--why", help="What for.")] = "",
    without_guesses: Annotated[
        bool,
        typer.Option(
            "--without-guesses", help="Although operator or participant did not guess."
        ),
    ] = False,
) -> None:
    """Open what a blinded session has sealed, and keep who asked and when.

    Who asked is written first, also where the key does not fit. The real predictions
    then lie beside the session, in `unblinded.jsonl`, and `rtbold verify` holds them
    against the recording.

    Example: rtbold unblind SESSION --key statistician.key_secret --by AB
    """
    import time

    from rtbold.blinding import (
        ARM_RECORD,
        GUESSERS,
        guesses,
        read_secret,
        unblind as open_,
    )
    from rtbold.errors import ConfigError
    from rtbold.session import session_folder

    folder = session_folder(session)
    guessed = {each.who for each in guesses(folder)}
    missing = [each for each in GUESSERS if each not in guessed]
    if missing and not without_guesses:
        raise ConfigError(
            f"{' and '.join(missing)} did not guess the arm, and cannot once it is "
            "known. Expected rtbold blind guess before it; or give --without-guesses."
        )
    secret = read_secret(key, "statistician")
    opened = open_(folder, secret, who=by, why=why, now_unix_s=time.time())
    arm = str(opened.of(ARM_RECORD)[0].get("arm", "")).strip()
    typer.echo(f"arm: {arm}")
    for each in guesses(folder):
        typer.echo(f"{each.who} guessed: {each.guess} ({each.confidence} % certain)")
    typer.echo(f"{len(opened.of('pred.roi'))} real predictions: unblinded.jsonl")
    for note in opened.notes:
        typer.echo(f"note: {note}")
