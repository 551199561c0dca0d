"""``rtbold declare``: what will be fed back and how it is tested, before the scan."""

from typing import Annotated

import typer

from rtbold.cli import options

Subject = Annotated[str, typer.Option(help="Code of the subject, such as S01.")]
Target = Annotated[
    str | None,
    typer.Option(
        help="What will be fed back: a ROI, Global, or a contrast such as "
        "'Putamen - 0.5*Global'; with --contrast its name."
    ),
]
Contrast = Annotated[
    list[str] | None,
    typer.Option(help="ROI=WEIGHT; once for each. `others` are all other ROIs."),
]
Alpha = Annotated[float, typer.Option(help="Level of the test, over all looks.")]
Looks = Annotated[
    str | None,
    typer.Option(help="Minutes of scan at which is tested, such as 10,20,30 [once]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As one object on stdout.")]


def declare(
    subject: Subject,
    target: Target = None,
    contrast: Contrast = None,
    alpha: Alpha = 0.05,
    looks: Looks = None,
    root: options.SubjectRoot = None,
    as_json: AsJson = False,
) -> None:
    """Declare target, level and planned looks before the scan, with date and hash.

    `rtbold calibrate` takes them from the subject's folder. Who tests after 10 minutes,
    scans on and tests again needs stricter bounds for the same level: plan the looks.

    Example: rtbold declare --subject S01 --target Putamen --looks 10,20,30
    """
    import datetime

    import msgspec

    from rtbold.bundle import default_root
    from rtbold.calibration import (
        CONTRAST,
        DeclaredTarget,
        declare,
        parse_contrast,
        parse_looks,
    )
    from rtbold.errors import ConfigError

    weights = parse_contrast(contrast or ())
    if target is None and not weights:
        raise ConfigError(
            "nothing was declared, expected --target ROI or --contrast ROI=WEIGHT: say "
            "what will be fed back."
        )
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    draft = DeclaredTarget(
        subject=subject,
        target=(target or CONTRAST).strip(),
        contrast=weights,
        alpha=alpha,
        looks_min=parse_looks(looks),
        declared=now.isoformat(),
    )
    whole, path = declare(root or default_root(), draft)
    if as_json:
        found = {**msgspec.to_builtins(whole), "file": str(path)}
        typer.echo(msgspec.json.encode(found).decode())
        return
    typer.echo(f"declared {whole.target} for {subject}, alpha {alpha:g}: {path}")
    for line in _looks(whole.looks_min, alpha):
        typer.echo(line)
    typer.echo("scan now; rtbold calibrate takes the target from here")


def _looks(minutes: tuple[float, ...], alpha: float) -> list[str]:
    from rtbold.calibration import look_levels

    if not minutes:
        return ["one look, when the scan is whole"]
    levels = look_levels(minutes, alpha)
    return [
        f"look {n}, at {each:g} min: p has to reach {level:.2g}"
        for n, (each, level) in enumerate(zip(minutes, levels, strict=True), 1)
    ]
