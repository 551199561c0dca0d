"""``rtbold models export | compile`` through the real command line."""

import numpy as np
import onnx
import pytest
import typer
from bundles import write_tiny
from checked import layered_answer, write_checked
from typer.testing import CliRunner

from rtbold.cli import models_compile
from rtbold.engine.opening import open_engine
from rtbold.engine.records import engines_folder
from rtbold.errors import BundleError, ConfigError, DataFileError, EngineError


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("export")(models_compile.export)
    app.command("compile")(models_compile.compile_)

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def checked(tmp_path):
    return write_checked(tmp_path)


def test_export_is_the_bundles_own_file_and_says_what_it_is(run, checked, tmp_path):
    out = tmp_path / "X.onnx"
    text = run("export", checked.path, "--out", out).stdout
    assert out.read_bytes() == checked.file("model.onnx").read_bytes()
    onnx.checker.check_model(onnx.load(out), full_check=True)
    for words in (
        "opset   ai.onnx 20",
        "input   eeg_uv float32 (batch, 19, 3200)",
        "output  bold float32 (batch, 3)",
        "onnx.checker",
        "on 16 synthetic windows",
    ):
        assert words in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["X.onnx", "layered.rtbold"]


def test_export_without_check_windows_or_onnx_says_so(run, tmp_path, monkeypatch):
    import sys

    bundle = write_tiny(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    text = run("export", bundle.path, "--out", tmp_path / "X.onnx").stdout
    assert "opset   not read: onnx is not installed" in text
    assert "no check windows" in text
    assert (tmp_path / "X.onnx").exists()


def test_an_export_that_is_not_what_torch_answered_is_not_written(run, tmp_path):
    wrong = write_checked(tmp_path, answer=lambda x: layered_answer(x) + 0.01)
    with pytest.raises(EngineError, match="not what torch answered"):
        run("export", wrong.path, "--out", tmp_path / "X.onnx")
    assert not (tmp_path / "X.onnx").exists()


def test_export_places(run, checked, tmp_path):
    with pytest.raises(ConfigError, match=r"name it x\.onnx"):
        run("export", checked.path, "--out", tmp_path / "x.pb")
    with pytest.raises(ConfigError, match="is no folder"):
        run("export", checked.path, "--out", tmp_path / "nowhere" / "x.onnx")
    (tmp_path / "d.onnx").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        run("export", checked.path, "--out", tmp_path / "d.onnx")
    with pytest.raises(BundleError, match="no bundle 'nope'"):
        run("export", "nope", "--out", tmp_path / "x.onnx")


def compile_in(run, bundle, *precisions):
    words = [word for p in precisions for word in ("--precision", p)]
    return run("compile", bundle.path, *words).stdout.splitlines()


def test_compile_prints_a_line_for_each_precision_and_keeps_records(
    run, checked, on_cpu
):
    on_cpu("FP32", "BF16")
    lines = compile_in(run, checked, "f32", "bf16")
    assert "16 synthetic windows; 1 CPU thread" in lines[0]
    assert "disturbed" in lines[1]
    assert [line.split()[1] for line in lines[2:-1]] == ["f32", "bf16"]
    assert all("accepted" in line for line in lines[2:-1])
    folder = engines_folder(checked)
    assert lines[-1] == f"kept in {folder}"
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["openvino-bf16.json", "openvino-f32.json"]
    open_engine(checked, precision="auto").close()


def test_compile_in_all_precisions_of_a_cpu_with_float16_leaves_it_out(
    run, tmp_path, on_cpu
):
    on_cpu("FP32", "BF16", "FP16")
    bundle = write_checked(tmp_path)
    lines = compile_in(run, bundle)
    assert [line.split()[1] for line in lines[2:-1]] == ["f32", "bf16", "int8"]
    assert "no 8-bit integer arithmetic" in lines[4]


def test_float16_by_name_is_a_line_and_alone_an_error(run, checked, on_cpu):
    on_cpu("FP32", "FP16")
    lines = compile_in(run, checked, "f32", "f16")
    assert "not compiled: precision f16 is not offered on a CPU" in lines[3]
    with pytest.raises(EngineError, match="nothing was compiled"):
        compile_in(run, checked, "f16")


def test_a_refused_precision_is_a_line_with_its_reason(run, checked, on_cpu):
    on_cpu("FP32", "BF16", bf16=lambda answers: answers + 1)
    lines = compile_in(run, checked, "f32", "bf16")
    assert "refused: errs in a ROI by" in lines[3]
    with pytest.raises(EngineError, match=r"bf16 is not to be used.*it errs in a ROI"):
        open_engine(checked, precision="bf16")


def test_a_precision_that_the_cpu_lacks_is_a_line_and_alone_an_error(
    run, checked, monkeypatch
):
    from rtbold.engine import openvino_compile
    from rtbold.engine.records import Machine

    old = Machine(openvino="x", cpu="an old CPU", capabilities=("FP32",))
    monkeypatch.setattr(openvino_compile, "this_machine", lambda _: old)
    asked = ("--precision", "f32", "--precision", "bf16")
    text = run("compile", checked.path, *asked).stdout
    assert "not compiled: this CPU (an old CPU) has no bfloat16" in text
    with pytest.raises(EngineError, match="nothing was compiled"):
        run("compile", checked.path, "--precision", "bf16")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--engine", "tpu"], ConfigError, "openvino, tensorrt, all"),
        (["--engine", "torch"], ConfigError, "expected one of"),
        (["--precision", "f8"], ConfigError, "auto, f32, tf32, bf16, f16, int8"),
        (["--precision", "tf32"], ConfigError, "openvino has no tf32"),
        (["--engine", "tensorrt", "--precision", "int8"], ConfigError, "has no int8"),
        (["--gpu", "sm_86"], ConfigError, "--engine tensorrt"),
        (["--windows", "nope.npy"], DataFileError, "cannot be read"),
    ],
)
def test_bad_input(run, checked, words, error, message):
    with pytest.raises(error, match=message):
        run("compile", checked.path, *words)
    assert not engines_folder(checked).exists()


def test_windows_of_another_shape(run, checked, tmp_path):
    path = tmp_path / "W.npy"
    np.save(path, np.zeros((2, 18, 3200), np.float32))
    with pytest.raises(EngineError, match="shape"):
        run("compile", checked.path, "--windows", path)


def test_a_bundle_without_check_windows(run, tmp_path):
    with pytest.raises(EngineError, match="no check windows"):
        run("compile", write_tiny(tmp_path).path)


def test_an_unknown_gpu(run, checked):
    pytest.importorskip("tensorrt_rtx")
    with pytest.raises(ConfigError, match="sm_1"):
        run("compile", checked.path, "--engine", "tensorrt", "--gpu", "sm_1")


def test_beside_the_cpu_a_missing_tensorrt_is_a_line(run, checked, monkeypatch):
    def missing(*_, **__):
        raise EngineError("TensorRT is not installed")

    monkeypatch.setattr("rtbold.engine.compile_for", missing)
    all_ = ("--engine", "all", "--precision", "f32")
    text = run("compile", checked.path, *all_).stdout
    assert "tensorrt  not compiled: TensorRT is not installed" in text
    assert "accepted" in text
    with pytest.raises(EngineError, match="not installed"):
        run("compile", checked.path, *all_, "--gpu", "sm_86")
    with pytest.raises(EngineError, match="not installed"):
        run("compile", checked.path, "--engine", "tensorrt")
