"""bfloat16 and int8 on OpenVINO: compiled, judged, chosen, refused.

On simulated CPUs: what is accepted on one machine may be refused on another.
"""

import sys
from dataclasses import replace

import msgspec
import numpy as np
import openvino
import pytest
from bundles import tiny_card, write_tiny
from checked import layered_answer, varied_windows, write_checked
from cpus import PLAIN, WITH_BF16, WITH_F16, in_no_number, simulated_cpu

from rtbold.bundle import store as bundle_files
from rtbold.bundle.check_windows import pack
from rtbold.distribution import pip_install
from rtbold.engine import openvino_compile
from rtbold.engine.opening import fastest_first, open_engine, used
from rtbold.engine.openvino import (
    OpenVinoEngine,
    check_supported,
    open_core,
    supported,
    this_machine,
)
from rtbold.engine.openvino_compile import CompileSettings, compile_precisions
from rtbold.engine.records import (
    Machine,
    Record,
    engines_folder,
    key_of,
    read_record,
    record_path,
    write_record,
)
from rtbold.errors import ConfigError, EngineError

REAL_CORE = openvino.Core
OLD = Machine(openvino="x", cpu="an old CPU", capabilities=("FP32", "INT8"))


@pytest.fixture(scope="module", autouse=True)
def cpu_with_bf16():
    """Tests that say nothing else run on a CPU with bfloat16, everywhere."""
    with simulated_cpu(WITH_BF16):
        yield


def here():
    return this_machine(open_core())


class Ticks:
    """A clock on which every call takes one millisecond."""

    def __init__(self):
        self.t_s = 0.0

    def __call__(self):
        self.t_s += 0.001
        return self.t_s


def compiled(bundle, *precisions, **changes):
    settings = CompileSettings(now_s=Ticks(), **changes)
    tried = compile_precisions(bundle, precisions, settings)
    return {one.precision: one for one in tried}


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    """A bundle that was compiled in every precision, and what was said."""
    pytest.importorskip("nncf")
    # A layer of 19 inputs is harsher on int8 than a real network's.
    folder = tmp_path_factory.mktemp("quantised")
    bundle = write_checked(folder, reduced_tolerance=0.3)
    return bundle, compiled(bundle)


def test_a_cpu_without_a_precision_says_so():
    # OpenVINO would take another one without a word.
    with pytest.raises(EngineError, match=r"an old CPU.*no bfloat16.*f32, int8"):
        check_supported("bf16", OLD)
    with pytest.raises(ConfigError, match="OpenVINO has f32, bf16, int8"):
        check_supported("tf32", OLD)
    check_supported("f32", OLD)


@pytest.mark.parametrize(
    ("capabilities", "offered"),
    [
        (("FP32",), ("f32",)),
        (PLAIN, ("f32", "int8")),
        (WITH_BF16, ("f32", "bf16", "int8")),
        (WITH_F16, ("f32", "bf16", "int8")),
    ],
)
def test_what_a_cpu_is_offered(tmp_path, on_cpu, capabilities, offered):
    on_cpu(*capabilities)
    bundle = write_checked(tmp_path, reduced_tolerance=0.3)
    assert supported(here()) == offered
    tried = compiled(bundle, "f32", "bf16", "f16")
    for precision, one in tried.items():
        if precision in offered:
            assert one.record.accepted, one.note
            open_engine(bundle, precision=precision).close()
            continue
        assert one.record is None
        with pytest.raises(EngineError) as refused:
            open_engine(bundle, precision=precision)
        assert one.note == str(refused.value)
    assert open_engine(bundle, precision="auto").precision == "f32"  # as fast


def test_float16_is_not_offered_on_any_cpu(tmp_path, on_cpu, caplog):
    """What an earlier version compiled is told and not run."""
    on_cpu(*WITH_F16)
    bundle = write_checked(tmp_path)
    records(bundle, f32=4.0, f16=1.0, bf16=2.0)
    assert fastest_first(bundle) == ("bf16", "f32")
    old = record_path(engines_folder(bundle), "f16")
    assert f"f16 does not count: it is not offered on a CPU any more; delete {old}" in (
        caplog.text
    )
    words = r"f16 is not offered on a CPU.*use f32, bf16, int8 or auto"
    with pytest.raises(EngineError, match=words):
        open_engine(bundle, precision="f16")
    with pytest.raises(EngineError, match=words):
        OpenVinoEngine(bundle, n_threads=1, batch_size=1, precision="f16")


def test_a_precision_that_answers_no_numbers(tmp_path, on_cpu):
    on_cpu(*WITH_BF16, bf16=in_no_number)
    bundle = write_checked(tmp_path)
    tried = compiled(bundle, "f32", "bf16")
    assert tried["f32"].record.accepted
    assert tried["bf16"].record is None
    assert "3 of 3 values that are not finite" in tried["bf16"].note
    assert fastest_first(bundle) == ("f32",)
    words = r"openvino bf16 answered 3 of 3 .*--precision f32 or auto"
    with pytest.raises(EngineError, match=words):
        open_engine(bundle, precision="bf16")


def test_a_precision_that_overflows_on_disturbed_eeg_alone(tmp_path, on_cpu):
    largest = np.abs(layered_answer(varied_windows())).max()

    def overflowing(answers):
        return np.where(np.abs(answers) > 1.01 * largest, np.inf, answers)

    on_cpu(*WITH_BF16, bf16=overflowing)
    bundle = write_checked(tmp_path)
    one = compiled(bundle, "f32", "bf16")["bf16"]
    assert one.record is None
    assert "not finite" in one.note
    assert fastest_first(bundle) == ("f32",)


@pytest.mark.heavy
def test_what_the_real_cpu_offers_is_accepted_or_refused_in_words(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "Core", REAL_CORE)
        bundle = write_checked(tmp_path, reduced_tolerance=0.3)
        tried = compiled(bundle, "f32", "bf16", "f16")
        assert tried["f32"].record.accepted
        for precision in ("bf16", "f16"):
            one = tried[precision]
            if one.record is not None and one.record.accepted:
                open_engine(bundle, precision=precision).close()
                continue
            assert one.note
            with pytest.raises(EngineError, match=precision):
                open_engine(bundle, precision=precision)
        open_engine(bundle, precision="auto").close()


def test_bfloat16_runs_unprepared_and_differs_from_float32(tmp_path):
    bundle = write_checked(tmp_path)
    x = varied_windows(4, seed=9)
    exact = open_engine(bundle, batch_size=None)(x)
    reduced = open_engine(bundle, precision="bf16", batch_size=None)
    assert (reduced.name, reduced.precision) == ("openvino", "bf16")
    assert 0 < np.abs(reduced(x) - exact).max() < 0.1


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_bundle_without_check_windows_runs_in_float32_only(tmp_path, precision):
    bundle = write_tiny(tmp_path)
    with pytest.raises(EngineError, match=r"check windows|models compile"):
        open_engine(bundle, precision=precision)
    open_engine(bundle, precision="auto").close()


def test_int8_that_was_never_compiled(tmp_path):
    with pytest.raises(EngineError, match="not compiled yet; run: rtbold models"):
        open_engine(write_checked(tmp_path), precision="int8")


def test_a_wrong_graph_is_found_out_at_opening(tmp_path):
    bundle = write_checked(tmp_path, answer=lambda x: layered_answer(x) + 0.01)
    with pytest.raises(EngineError, match=r"openvino f32 is not to be used.*1\.0e-02"):
        open_engine(bundle)


@pytest.mark.heavy
def test_every_precision_of_the_cpu_is_tried_and_told(quantised):
    bundle, tried = quantised
    assert list(tried) == ["f32", "bf16", "int8"]
    for precision, one in tried.items():
        assert one.record.accepted, one.note
        assert one.record.window_ms == pytest.approx(1.0)
        assert one.record.n_windows == 16
        key = key_of(bundle, here(), precision)
        assert read_record(engines_folder(bundle), key).share == one.record.share
        assert (one.record.disturbed > 0) == (precision != "f32")
    assert tried["f32"].record.worst < 1e-5
    assert 0 < tried["int8"].record.share < bundle.card.reduced_tolerance


@pytest.mark.heavy
def test_int8_runs_from_its_own_file_without_nncf(quantised):
    bundle, _ = quantised
    x = varied_windows(5, seed=9)
    engine = open_engine(bundle, precision="int8")
    answers = np.concatenate([engine(window[None]) for window in x])
    share = np.sqrt(((answers - layered_answer(x)) ** 2).mean()) / answers.std()
    assert 1e-5 < share < 0.3
    record = read_record(engines_folder(bundle), key_of(bundle, here(), "int8"))
    hashes = {entry.path: entry.sha256 for entry in record.files}
    assert used(engine).file_sha256 == hashes["openvino-int8.bin"]
    several = open_engine(bundle, precision="int8", batch_size=None)(x)
    np.testing.assert_allclose(several, answers, atol=1e-5)


@pytest.mark.heavy
def test_int8_of_another_machine_or_changed_is_never_run(quantised):
    bundle, _ = quantised
    folder = engines_folder(bundle)
    key = key_of(bundle, here(), "int8")
    record = read_record(folder, key)
    path = folder / "openvino-int8.bin"
    whole = path.read_bytes()
    files = {
        "openvino-int8.xml": (folder / "openvino-int8.xml").read_bytes(),
        "openvino-int8.bin": whole,
    }
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(EngineError, match="its record says"):
            open_engine(bundle, precision="int8")
        foreign = msgspec.structs.replace(key, machine=OLD)
        write_record(folder, msgspec.structs.replace(record, key=foreign), files)
        with pytest.raises(EngineError, match="made for something else"):
            open_engine(bundle, precision="int8")
    finally:
        write_record(folder, record, files)
    open_engine(bundle, precision="int8").close()


def test_nothing_to_quantise(tmp_path):
    pytest.importorskip("nncf")
    linear = write_tiny(tmp_path)
    contents = {
        "model.onnx": linear.file("model.onnx"),
        "check.npz": pack(varied_windows(4), open_engine(linear)),
    }
    card = tiny_card(name="linear")
    checked = bundle_files.write(tmp_path / "linear.rtbold", card, contents)
    one = compiled(checked, "int8")["int8"]
    assert one.record is None
    assert "nothing for int8" in one.note
    assert not engines_folder(checked).exists()


def test_int8_without_nncf(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    one = compiled(write_checked(tmp_path), "int8")["int8"]
    assert one.record is None
    assert pip_install("calibration") in one.note


def test_a_precision_that_errs_too_much_is_kept_as_refused(tmp_path):
    bundle = write_checked(tmp_path, reduced_tolerance=1e-6)
    one = compiled(bundle, "f32", "bf16")["bf16"]
    assert not one.record.accepted
    assert "the card allows 1e-06" in one.note
    assert fastest_first(bundle) == ("f32",)
    with pytest.raises(EngineError, match=r"not to be used.*when it was compiled"):
        open_engine(bundle, precision="bf16")


def test_refused_for_disturbed_eeg_alone(tmp_path, monkeypatch):
    """As int8 of the shipped network is: right on its windows, wrong beyond them."""

    def far(found, *_, **__):
        return replace(found, disturbed=0.3, disturbance="muscle 10 uV")

    monkeypatch.setattr(openvino_compile, "with_disturbed", far)
    bundle = write_checked(tmp_path)
    one = compiled(bundle, "f32", "bf16")["bf16"]
    assert one.record.share < bundle.card.reduced_tolerance
    assert not one.record.accepted
    assert fastest_first(bundle) == ("f32",)
    # The record counts, though the few windows of the opening would pass.
    with pytest.raises(EngineError, match=r"\(muscle 10 uV\), allowed is 0\.2"):
        open_engine(bundle, precision="bf16")


def test_compile_needs_check_windows(tmp_path):
    with pytest.raises(EngineError, match="no check windows"):
        compiled(write_tiny(tmp_path), "f32")


def records(bundle, **ms):
    for precision, window_ms in ms.items():
        key = key_of(bundle, here(), precision)
        write_record(engines_folder(bundle), made(key, window_ms))


def made(key, window_ms, accepted=True, n_threads=1):
    return Record(
        key=key,
        n_windows=16,
        worst=0.0,
        share=0.0,
        window_ms=window_ms,
        n_threads=n_threads,
        accepted=accepted,
    )


def test_auto_is_the_fastest_that_was_accepted_and_float32_is_last(tmp_path):
    bundle = write_checked(tmp_path)
    assert fastest_first(bundle) == ("f32",)  # never compiled
    records(bundle, bf16=2.0, int8=1.0)
    assert fastest_first(bundle) == ("f32",)  # nothing to compare with
    records(bundle, f32=4.0)
    assert fastest_first(bundle) == ("int8", "bf16", "f32")
    records(bundle, int8=3.9)  # a few percent are not worth it
    assert fastest_first(bundle) == ("bf16", "f32")
    records(bundle, int8=3.0)
    key = key_of(bundle, here(), "bf16")
    write_record(engines_folder(bundle), made(key, 0.5, accepted=False))
    assert fastest_first(bundle) == ("int8", "f32")


def test_times_of_other_thread_counts_are_not_compared(tmp_path):
    bundle = write_checked(tmp_path)
    records(bundle, f32=4.0)
    key = key_of(bundle, here(), "bf16")
    write_record(engines_folder(bundle), made(key, 1.0, n_threads=2))
    assert fastest_first(bundle) == ("f32",)


def test_a_record_of_another_machine_does_not_count_and_is_told(tmp_path, caplog):
    bundle = write_checked(tmp_path)
    records(bundle, f32=4.0)
    folder = engines_folder(bundle)
    write_record(folder, made(key_of(bundle, OLD, "int8"), 1.0))
    assert fastest_first(bundle) == ("f32",)
    assert "an old CPU" in caplog.text


def test_auto_opens_the_fastest_and_falls_back_with_a_word(
    tmp_path, caplog, monkeypatch
):
    bundle = write_checked(tmp_path)
    records(bundle, f32=4.0, bf16=1.0)
    assert open_engine(bundle, precision="auto").precision == "bf16"
    # Accepted once, but it errs now: it is asked again at every opening.
    spoiled = write_checked(tmp_path, name="spoiled", reduced_tolerance=1e-6)
    records(spoiled, f32=4.0, bf16=1.0)
    assert open_engine(spoiled, precision="auto").precision == "f32"
    assert "precision bf16 cannot be used" in caplog.text


def test_more_windows_widen_the_ranges_of_int8(tmp_path, monkeypatch):
    seen = []

    def quantise(_core, _bundle, eeg_uv):
        seen.append(eeg_uv)
        raise EngineError("enough")

    monkeypatch.setattr(openvino_compile, "quantise", quantise)
    monkeypatch.setattr(openvino_compile, "check_supported", lambda *_: None)
    bundle = write_checked(tmp_path)
    compiled(bundle, "int8")
    compiled(bundle, "int8", more_uv=varied_windows(3, seed=4))
    # Half of the check windows stay unseen, in each of their 12 forms.
    assert [len(x) for x in seen] == [8 * 12, 8 * 12 + 3]


def test_unknown_precision_for_the_engine(tmp_path):
    bundle = write_checked(tmp_path)
    with pytest.raises(ConfigError, match="OpenVINO has"):
        OpenVinoEngine(bundle, n_threads=1, batch_size=1, precision="tf32")
    with pytest.raises(ConfigError, match="engine torch has f32 only"):
        open_engine(bundle, engine="torch", precision="bf16")
    with pytest.raises(ConfigError, match="tensorrt has f32, tf32 and f16"):
        open_engine(bundle, engine="tensorrt", precision="int8")
