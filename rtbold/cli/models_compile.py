"""``rtbold models export | compile``: a bundle for other programs and other engines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.models import Subjects

if TYPE_CHECKING:
    from rtbold.bundle import Bundle
    from rtbold.engine import CompiledFile, Tried

ENGINES = ("openvino", "tensorrt", "all")
ALL_PRECISIONS = "auto"
HEADER = "engine    precision  ms/window     worst   rms/sd  disturbed  verdict"


def export(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    out: Annotated[Path, typer.Option("--out", help="ONNX file to write.")],
    root: Subjects = None,
) -> None:
    """Write a bundle's network as one ONNX file, checked, weights inside.

    Example: rtbold models export demo --out demo.onnx
    """
    from rtbold.bundle import default_root, load
    from rtbold.engine import export_onnx

    found = load(bundle, subject_root=root or default_root())
    facts = export_onnx(found, out)
    typer.echo(f"{out}: {out.stat().st_size} bytes, sha256 {facts.sha256}")
    typer.echo(f"opset   {facts.opset}")
    for what, ports in (("input", facts.inputs), ("output", facts.outputs)):
        for port in ports:
            typer.echo(f"{what:<7} {port}")
    for line in facts.checks:
        typer.echo(f"checked {line}")


def compile_(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    engine: Annotated[
        str, typer.Option("--engine", help="openvino, tensorrt or all.")
    ] = "openvino",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            help="f32, tf32, bf16, f16, int8 or auto (all that the engine has, as "
            "without this option); repeatable.",
        ),
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option("--gpu", help="For TensorRT, such as sm_86; repeatable."),
    ] = None,
    windows: Annotated[
        Path | None,
        typer.Option("--windows", help="NPY, more windows for the ranges of int8."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads.", min=1)] = 1,
    root: Subjects = None,
) -> None:
    """Compile a bundle for this CPU or for a GPU; compare each with the reference.

    What came out is kept in the bundle's engines folder. ``--precision auto`` of the
    other commands takes the fastest that was accepted here.

    Example: rtbold models compile demo
    """
    from rtbold.bundle import default_root, load
    from rtbold.engine import engines_folder
    from rtbold.errors import EngineError

    wanted = _wanted(engine, precision or [], gpu or [])
    found = load(bundle, subject_root=root or default_root())
    n_usable = 0
    if engine != "tensorrt" and wanted.cpu is not None:
        tried = _on_cpu(found, wanted.cpu, windows=windows, n_threads=threads)
        n_usable += sum(one.record is not None and one.record.accepted for one in tried)
    if engine != "openvino" and wanted.gpu is not None:
        files = _for_gpus(found, gpu or [], wanted.gpu, alone=engine != "all")
        n_usable += sum(file.path is not None for file in files)
    if not n_usable:
        raise EngineError("nothing was compiled that may be used; the lines say why")
    typer.echo(f"kept in {engines_folder(found)}")


class _Wanted:
    """Which precisions go to which engine; None: none of those that were named."""

    def __init__(self, precisions: Sequence[str]) -> None:
        from rtbold.engine import (
            NOT_OFFERED,
            PRECISIONS as CPU,
            TENSORRT_PRECISIONS as GPU,
        )

        everything = not precisions or ALL_PRECISIONS in precisions
        on_cpu = [p for p in precisions if p in (*CPU, *NOT_OFFERED)]  # says why not
        on_gpu = [p for p in precisions if p in GPU]
        self.cpu: list[str] | None = [] if everything else on_cpu or None
        self.gpu: list[str] | None = [] if everything else on_gpu or None


def _wanted(engine: str, precisions: Sequence[str], gpus: Sequence[str]) -> _Wanted:
    from rtbold.config import PRECISIONS
    from rtbold.errors import ConfigError

    if engine not in ENGINES:
        raise ConfigError(f"--engine is {engine!r}, expected one of {_list(ENGINES)}")
    for precision in precisions:
        if precision not in PRECISIONS:
            raise ConfigError(
                f"--precision is {precision!r}, expected some of {_list(PRECISIONS)}"
            )
    if gpus and engine == "openvino":
        raise ConfigError(
            f"--gpu {gpus[0]} is for TensorRT, but --engine is openvino; add --engine "
            "tensorrt, or leave --gpu out"
        )
    wanted = _Wanted(precisions)
    if (engine == "openvino" and wanted.cpu is None) or (
        engine == "tensorrt" and wanted.gpu is None
    ):
        raise ConfigError(
            f"engine {engine} has no {_list(precisions)}; see rtbold models compile "
            "--help"
        )
    return wanted


def _on_cpu(
    bundle: "Bundle",
    precisions: Sequence[str],
    *,
    windows: Path | None,
    n_threads: int,
) -> "list[Tried]":
    import time

    from rtbold.engine import CompileSettings, compile_precisions, read_windows

    more_uv = None if windows is None else read_windows(windows, bundle.card)
    settings = CompileSettings(
        n_threads=n_threads,
        more_uv=more_uv,
        now_s=time.perf_counter,
        progress=_say_progress,
    )
    tried = compile_precisions(bundle, precisions, settings)
    check = bundle.card.check
    typer.echo(
        f"{bundle.card.name}: judged on {check.n} {check.windows} windows; {n_threads} "
        f"CPU thread{'s' if n_threads > 1 else ''}"
    )
    typer.echo("\n".join([HEADER, *map(_cpu_line, tried)]))
    return tried


def _for_gpus(
    bundle: "Bundle", gpus: Sequence[str], precisions: Sequence[str], *, alone: bool
) -> "list[CompiledFile]":
    """Say and return what was compiled; beside the CPU, no TensorRT is no error."""
    from rtbold.engine import compile_for
    from rtbold.errors import RtboldError

    try:
        files = compile_for(
            bundle, gpus=gpus, precisions=precisions, progress=_say_progress
        )
    except RtboldError as error:
        if alone or gpus:
            raise
        typer.echo(f"tensorrt  not compiled: {error}")
        return []
    for file in files:
        typer.echo(_gpu_line(file))
    return files


def _say_progress(text: str) -> None:
    typer.echo(f"... {text}", err=True)


def _cpu_line(tried: "Tried") -> str:
    start = f"{'openvino':<10}{tried.precision:<11}"
    record = tried.record
    if record is None:
        dashes = f"{'-':>9}  {'-':>8}  {'-':>7}  {'-':>9}"
        return f"{start}{dashes}  not compiled: {tried.note}"
    verdict = "accepted" if record.accepted else f"refused: {record.reason}"
    if record.remainder not in ("", "f32"):
        verdict += f" (the rest in {record.remainder})"
    disturbed = f"{record.disturbed:.2g}" if record.disturbance else "-"
    return (
        f"{start}{record.window_ms:>9.2f}  {record.worst:>8.1e}  {record.share:>7.2g}  "
        f"{disturbed:>9}  {verdict}"
    )


def _gpu_line(file: "CompiledFile") -> str:
    start = f"{'tensorrt':<10}{file.precision:<11}{file.gpu}"
    if file.path is None:
        return f"{start}  not compiled: {file.note}"
    return f"{start}  {file.size / 1e6:.1f} MB in {file.seconds:.1f} s; {file.note}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
