"""`rtbold calibrate` as a user runs it: files in, a bundle and a verdict out."""

import datetime
import errno
import json
import re
from dataclasses import replace

import jsonschema
import msgspec
import numpy as np
import pytest
from calibration_run import Ran
from twin_scans import make_scan, write_scan

pytest.importorskip("torch")

import torch

import rtbold.calibration.recipe as recipe
from rtbold.bundle import store as bundle, store as bundle_files
from rtbold.bundle.card import Cleaning, Lineage
from rtbold.bundle.check_windows import CHECK_NAME, check_names, read_check
from rtbold.bundle.gates import check_domain
from rtbold.bundle.subjects import calibrations
from rtbold.calibration import save as outcome
from rtbold.calibration.evaluate.select import Candidates, select
from rtbold.calibration.fit.protocol import CancellationToken
from rtbold.calibration.result import summary
from rtbold.calibration.save import card_of
from rtbold.cli import main
from rtbold.engine.opening import open_engine
from rtbold.errors import BundleError, RtboldError
from rtbold.messages import StreamDescription
from rtbold.models.published.checkpoints import read_checkpoint

pytestmark = pytest.mark.heavy
ROIS = ("Cuneus", "Putamen", "Heschl's gyrus")
NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
STREAM = StreamDescription(name="s", type="EEG", rate_hz=200, channels=(),
                           simulated=True)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scan")


@pytest.fixture(scope="module")
def twin():
    return make_scan()


@pytest.fixture(scope="module")
def files(folder, twin):
    xdf, tsv = write_scan(folder, twin)
    rois = [word for roi in ROIS for word in ("--roi", roi)]
    return ["--subject", "S01", "--eeg", xdf, "--bold", tsv, *rois, "--target", ROIS[0]]


@pytest.fixture(scope="module")
def first(folder, files):
    ran = Ran(folder / "root", *files, "--cleaning", "online:RecView", "--json")
    assert ran.code == 0, ran.err
    return ran


def test_json_is_the_verdict_as_one_object(first):
    found = first.found
    assert [roi["roi"] for roi in found["rois"]] == list(ROIS)
    assert {"r", "p", "p_max", "r_low", "r_high", "label"} <= set(found["rois"][0])
    assert found["gate"]["target"] == "Cuneus"
    assert 0.3 < found["gate"]["r"] < 0.95
    assert found["gate"]["passed"]
    assert found["simulated"]
    assert set(found["horizon_r"]) == {"0", "1", "2", "3"}
    assert "making the windows" in first.err
    assert "SIMULATED" in first.err
    assert "lab log" in first.err


def test_the_bundle_says_what_it_is(first):
    card = first.bundle.card
    jsonschema.validate(
        json.loads((first.bundle.path / "card.json").read_text()), bundle.card_schema()
    )
    assert (card.origin.kind, card.origin.subject) == ("subject", "S01")
    assert card.origin.simulated_lineage
    assert not card.origin.verdict_on_real_data
    assert (card.name, card.target, card.scanner) == ("S01", "Cuneus", "simulated")
    assert card.cleaning == Cleaning(mode="online", software="RecView")
    assert card.rois == ROIS
    assert card.verdict == first.result.verdict
    assert card.scores.data.startswith("simulated")
    assert card.fitting.strategy == "ridge"  # nothing that was learned to start from
    assert card.fitting.n_volumes == len(first.result.windows)
    assert card.alignment.n_found == card.alignment.n_volumes
    assert len(card.normalisation.drift) == 1
    assert len(card.intervals.half_width) == len(ROIS)
    assert card.likeness.known
    assert card.likeness.n_windows == card.fitting.n_volumes
    assert card.likeness.lines is not None
    assert card.likeness.lines.comb is not None


def test_its_files_say_what_they_are_wherever_they_go(first):
    """Names stand beside the check windows, where the data came from in the weights."""
    made = first.bundle
    assert made.sealed
    weights = read_checkpoint(made.file("weights.safetensors"))
    assert weights.simulated
    assert weights.lineage == made.card.lineage
    rois = (ROIS[1], ROIS[0], *ROIS[2:])
    exchanged = msgspec.structs.replace(made.card, rois=rois)
    with pytest.raises(BundleError, match="other rois than its card names"):
        check_names(made.file(CHECK_NAME), exchanged)


def test_the_summary_counts_volumes_once(first):
    scan = first.result.aligned.scan
    n = len(scan.bold)
    assert f"{n - len(scan)} of {n} volumes have no window: warmup" in first.err
    poor = replace(scan, degraded={"channel_missing": 7, "interpolated": 9})
    aligned = replace(first.result.aligned, scan=poor)
    told = summary(replace(first.result, aligned=aligned))
    assert (
        "         of "
        + f"{len(scan)} windows that are used some are degraded: "
        + ("channel_missing 7, interpolated 9")
        in told
    )


def test_baseline_is_of_the_out_of_fold_predictions(first):
    baseline, predicted = first.bundle.card.baseline, first.result.folded.subject
    np.testing.assert_allclose(baseline.mean, np.nanmean(predicted, axis=0))
    np.testing.assert_allclose(baseline.sd, np.nanstd(predicted, axis=0))
    assert baseline.n == np.isfinite(predicted[:, 0]).sum()
    assert 10 < baseline.n_eff < baseline.n


def test_the_saved_model_answers_as_the_fitted_one(first):
    windows = first.result.windows[:3]
    engine = open_engine(first.bundle, engine="openvino", n_threads=1, batch_size=1)
    predictions = np.concatenate([engine(w[None]) for w in windows])
    fitted = first.result.module()(torch.from_numpy(windows)).detach().numpy()
    np.testing.assert_allclose(predictions, fitted, atol=1e-4)
    checks = read_check(first.bundle)
    assert len(checks) == 16
    assert first.bundle.card.check.windows == "simulated"


def test_series_in_the_bundle_give_the_score_again(first):
    with np.load(first.bundle.file(outcome.SERIES_NAME), allow_pickle=False) as series:
        r = np.corrcoef(series["predicted"][:, 0], series["scored"][:, 0])[0, 1]
        assert list(series["rois"]) == list(ROIS)
        assert sorted(set(series["fold"])) == [0, 1, 2, 3, 4]
    assert r == pytest.approx(first.result.verdict.gate.r_with_drift, abs=1e-4)


def test_the_report_lies_in_the_bundle(first):
    report = first.bundle.file(outcome.REPORT_NAME).read_text()
    assert first.found["report"].endswith("report.html")
    assert "simulated" in report.lower()
    assert "Cuneus" in report


def test_feedback_follows_the_verdict(first):
    card = first.bundle.card
    if card.verdict.fit_for_feedback:
        assert check_domain(card, STREAM) == ()
    else:
        allowed = check_domain(card, STREAM, allow_unvalidated=True)
        assert allowed == ("unvalidated",)


def test_it_is_compiled_for_this_machine(first):
    assert re.search(r"engine   OpenVINO f32, \d\.\de-\d+ off PyTorch", first.err)
    assert (first.bundle.path / "engines").is_dir()


def test_a_real_scan_proves_a_model_whatever_it_began_as(second):
    result = second.result
    scan = replace(result.aligned.scan, simulated=False)
    real = replace(result, aligned=replace(result.aligned, scan=scan))
    origin = card_of(real, NOW).origin
    assert origin.verdict_on_real_data == result.verdict.fit_for_feedback
    gate = msgspec.structs.replace(result.verdict.gate, passed=True, label="specific")
    verdict = msgspec.structs.replace(result.verdict, gate=gate)
    proven = replace(real, kept=replace(real.kept, verdict=verdict))
    assert card_of(proven, NOW).origin.verdict_on_real_data
    still = replace(proven, aligned=result.aligned)
    assert not card_of(still, NOW).origin.verdict_on_real_data


def chosen(result, folded):
    settings = replace(result.settings, horizon=0)
    scan, base = result.aligned.scan, result.aligned.base
    return select(Candidates(settings, result.declared, base, {0: folded}, scan))[0]


def noise_like(series, seed=0):
    noise = np.random.default_rng(seed).standard_normal(series.shape)
    return np.where(np.isfinite(series), noise, np.nan)


def test_a_base_that_is_no_better_than_nothing_is_not_kept(second):
    result = second.result
    folded = result.folded
    poor = replace(
        folded, network=noise_like(folded.network), base=noise_like(folded.base, 1)
    )
    choice = chosen(result, replace(poor, stack=noise_like(folded.stack, 2)))
    assert (choice.kept, choice.n_choices) == ("subject", 3)
    assert "of simulated data, compared on common phases" in choice.reasons[0]


def test_the_base_as_it_is_is_kept_where_it_is_best(second):
    result = second.result
    folded = result.folded
    noise = noise_like(folded.network)
    best = replace(
        folded, network=noise, subject=noise_like(noise, 1), stack=noise_like(noise, 2),
        base=folded.scored / np.nanstd(folded.scored, axis=0) + 0.2 * noise,
    )  # fmt: skip
    choice = chosen(result, best)
    assert choice.kept == "base"
    assert "kept: base as it is, the highest R that passes" in choice.reasons[0]
    kept = replace(result, choice=choice)
    assert kept.module() is result.final.base
    assert kept.kept_base == result.aligned.base
    assert card_of(kept, NOW).fitting.strategy == "base"
    # One that does not know every ROI is no candidate
    partly = best.base.copy()
    partly[:, 1] = 0.0
    assert chosen(result, replace(best, base=partly)).n_choices == 2


def test_ctrl_c_in_a_fit_keeps_the_best_so_far_and_says_so(first):
    settings = replace(first.result.settings, strategy="last")
    stopped = recipe.Hooks(cancel=CancellationToken(requested=lambda: True))
    result = recipe.calibrate(settings, stopped)
    assert result.interrupted
    assert "interrupted: the best so far was kept" in summary(result)
    card = card_of(result, NOW)
    assert card.fitting.interrupted
    assert (card.fitting.strategy, card.fitting.base) == ("last", "nothing")
    assert card.architecture == "neurobolt"


@pytest.fixture
def quick(monkeypatch):
    """Exports and reports take seconds; what is written is another matter."""
    monkeypatch.setattr(outcome, "to_onnx", lambda *_, **__: b"onnx")
    monkeypatch.setattr(outcome, "_report", lambda *_: b"report")


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.usefixtures("quick")
def test_a_second_one_never_overwrites_the_first(first, tmp_path):
    result = moved(first.result, tmp_path)
    one = outcome.save_result(result, NOW)
    before = contents(one.bundle.path)
    two = outcome.save_result(result, NOW)
    assert [entry.name for entry in calibrations(tmp_path, "S01")] == [
        "20261123-120000",
        "20261123-120000-2",
    ]
    assert two.bundle.path != one.bundle.path
    assert contents(one.bundle.path) == before
    assert one.log_line.count("\t") == 8
    assert "S01 SIMULATED" in one.log_line


@pytest.mark.usefixtures("quick")
def test_one_that_is_saved_while_another_of_that_second_is_has_its_own_name(
    first, tmp_path, monkeypatch
):
    result, inner = moved(first.result, tmp_path), []

    def report(*_):
        if not inner:
            inner.append(None)
            inner[0] = outcome.save_result(result, NOW)  # another process, meanwhile
        return b"report"

    monkeypatch.setattr(outcome, "_report", report)
    outer = outcome.save_result(result, NOW)
    assert outer.bundle.path.name == "20261123-120000.rtbold"
    assert inner[0].bundle.path.name == "20261123-120000-2.rtbold"
    paths = {outer.bundle.path, inner[0].bundle.path}
    assert set((tmp_path / "S01").iterdir()) == paths
    assert all(bundle.load(path).card.name == "S01" for path in paths)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fails_at", [1, 3, 6])
def test_a_full_disk_leaves_nothing_and_the_earlier_bundle(
    first, tmp_path, monkeypatch, fails_at
):
    result = moved(first.result, tmp_path)
    outcome.save_result(result, NOW)
    before = contents(tmp_path)
    fill(monkeypatch, fails_at)
    with pytest.raises(RtboldError, match=r"disk is full.*earlier models.*--root"):
        outcome.save_result(result, NOW)
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_a_full_disk_leaves_no_folder_of_a_new_subject(first, tmp_path, monkeypatch):
    fill(monkeypatch, 2)
    with pytest.raises(RtboldError, match="disk is full"):
        outcome.save_result(moved(first.result, tmp_path), NOW)
    assert contents(tmp_path) == {}


def moved(result, root):
    settings = replace(result.settings, root=root)
    return replace(result, aligned=replace(result.aligned, settings=settings))


def fill(monkeypatch, fails_at):
    """Let the disk be full at the nth file, half of which is written."""
    written = []

    def write_file(target, data):
        written.append(target)
        if len(written) == fails_at:
            target.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        target.write_bytes(data)

    monkeypatch.setattr(bundle_files, "write_file", write_file)
    monkeypatch.setattr(bundle, "write_file", write_file)


# Everything at once: continued, a contrast, confounds, another subject, auto horizon


@pytest.fixture(scope="module")
def second(first, folder, files, twin):
    other, _ = write_scan(folder, make_scan(2061), name="other")
    drifts = folder / "confounds.tsv"
    slow = np.sin(np.arange(len(twin.bold)) / 17)
    drifts.write_text("\n".join(["heart_rate", *(f"{v:.5f}" for v in slow)]) + "\n")
    xdf, tsv = write_scan(folder, make_scan(2062), name="second")
    ran = Ran(
        first.root, "--subject", "S01", "--eeg", xdf, "--bold", tsv, *files[6:],
        "--cleaning", "none", "--json", "--continue", "latest",
        "--contrast", "Cuneus=1", "--contrast", "Putamen=-0.5", "--target", "C-P",
        "--confounds", drifts, "--other-eeg", other, "--horizon", "auto",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    return ran


def test_a_continued_model_has_the_first_as_its_base(first, second):
    card = second.bundle.card
    assert second.result.aligned.base.sha256 == first.bundle.sha256
    assert "S01" in " ".join(second.result.choice.reasons)
    assert card.origin.simulated_lineage
    marks = [ran.result.aligned.marks.on_card() for ran in (first, second)]
    kept = marks if second.result.choice.kept != "subject" else marks[1:]
    assert card.lineage == Lineage(scans=tuple(kept), complete=True)
    names = [entry.name for entry in calibrations(first.root, "S01")]
    assert len(names) == 2
    assert second.bundle.path.name == f"{names[-1]}.rtbold"


def test_the_stack_is_one_network_with_the_lineage_of_both(first, second):
    result = second.result
    kept = replace(result, choice=replace(result.choice, kept="stack"))
    card = card_of(kept, NOW)
    assert card.architecture == "stacked"
    assert card.origin.base_sha256 == first.bundle.sha256
    assert len(card.lineage.scans) == 2
    assert json.loads(card.architecture_config["base_options"]) == {"unmixing": "both"}
    windows = torch.from_numpy(result.windows[:3])
    final = result.final
    with torch.inference_mode():
        own, base = final.stack.module()(windows), final.base(windows)
        answers = kept.module()(windows)
    np.testing.assert_allclose(answers, final.stack.slope * base + own, atol=1e-4)


def test_a_contrast_is_judged_and_carried_by_the_card(second):
    card, gate = second.bundle.card, second.result.verdict.gate
    assert gate.target == card.target == card.contrast.name == "C-P"
    assert card.contrast.weights == {"Cuneus": 1.0, "Putamen": -0.5}
    series = getattr(second.result.folded, second.result.choice.kept)
    value = series[:, 0] - 0.5 * series[:, 1]
    assert card.contrast.sd == pytest.approx(np.nanstd(value))
    assert len(card.contrast.half_width) == len(card.intervals.levels)


def test_another_subjects_eeg_is_a_control(second):
    gate, verdict = second.result.verdict.gate, second.result.verdict
    assert verdict.n_other_subjects == 1
    assert gate.p_other is not None
    assert gate.r_other is not None
    assert gate.p >= gate.p_phase
    assert "control: other subjects' EEG gives R" in second.err


def test_p_is_over_all_candidates(second):
    choice, gate = second.result.choice, second.result.verdict.gate
    # Three models, and the one that is kept at three more horizons
    assert choice.n_choices == len(gate.candidates) == 6
    assert gate.alpha == 0.05
    assert gate.n_calibrations == 1  # of this scan


def test_what_to_do_now_is_said_and_is_in_the_object(first):
    assert "nothing was declared before the scan" in first.err
    assert "of volumes on the right side of the mean" in first.err
    steps = first.found["next"]
    assert steps
    for step in steps:
        assert f"next     {step['do']}" in first.err
        assert step["command"] in first.err
    assert first.found["learnable"]["block_r"].keys() == {"20 s", "40 s"}


def test_confounds_are_frozen_on_the_card(second):
    weights = second.bundle.card.normalisation.confounds
    assert len(weights) > 1  # unfolded as it acts
    assert all(name.startswith("heart_rate (") for name in weights)
    assert {len(each) for each in weights.values()} == {len(ROIS)}
    assert "heart rate" not in second.result.verdict.specificity.not_known


def test_subjects_are_listed_shown_and_compared(first, second, capsys):
    root = ["--root", str(first.root)]
    assert main(["subjects", "list", *root]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["S01", "S01"]
    assert listed[1].split("\t")[1:3] == [second.bundle.path.stem, "C-P"]
    assert main(["subjects", "show", "S01", *root]) == 0
    shown = capsys.readouterr().out
    assert "SIMULATED" in shown
    assert "Putamen\t" in shown
    name = first.bundle.path.stem
    assert (
        main(["subjects", "show", "S01", "--calibration", name, "--json", *root]) == 0
    )
    assert json.loads(capsys.readouterr().out)["target"] == "Cuneus"
    assert main(["subjects", "compare", "S01", *root]) == 0
    compared = capsys.readouterr().out
    assert len(compared.split("R Cuneus\t")[1].splitlines()[0].split("\t")) == 2
