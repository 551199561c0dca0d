"""The pieces of scripts/bench run; what they measure is for docs/data/benchmarks.md."""

import json
import re
from collections import Counter
from functools import partial

import pytest
from script_packages import scripts

from rtbold.client import Message

NAMES = ("run", "cpu", "latency", "micro", "models")


@pytest.fixture(scope="module")
def bench():
    with scripts("pages", "runner", *(f"bench.{name}" for name in NAMES)) as found:
        yield found


def rows(table):
    return [line for line in table.splitlines() if re.match(r"\| (?!---)", line)][1:]


def test_stages_measures_four(bench):
    measured = bench.micro.stages(repeats=1)
    assert len(rows(bench.pages.render("bench_stages", {"rows": measured}))) == 4


def prediction(index, *, t_received_s=100.2, value=0.3, **latency_ms):
    stages = {"arrive": 60.0, "acquire": 70.0, "prepare": 2.0, "infer": 8.0,
              "publish": 1.0, **latency_ms}  # fmt: skip
    body = {
        "volume_index": index, "trigger_locked": True, "status": "ok",
        "value": value, "age_ms": 171.0, "latency_ms": stages,
        "window": {"t_start": 84.0, "t_end": 100.0},
    }  # fmt: skip
    return Message("pred.fb", body, t_received_s)


def test_latencies_go_back_from_the_subscriber_to_each_moment(bench):
    seen = bench.latency.LatencyRun()
    # T = 100.0; the pipeline got it 160 ms later (age 171 less 2, 8 and 1), the inlet
    # at 150 ms, and the sample is of 90 ms after T. The subscriber had it at 200 ms.
    seen.take(prediction(0))
    assert seen.from_window_ms == pytest.approx([200.0])
    assert seen.from_lsl_ms == pytest.approx([110.0])
    assert seen.from_arrival_ms == pytest.approx([50.0])


def test_a_prediction_without_inference_has_no_latency_but_counts(bench):
    seen = bench.latency.LatencyRun()
    seen.take(prediction(0, infer=None, value=None))
    assert (seen.volumes, seen.from_window_ms) == ([0], [])


def test_missed_and_doubled_volumes_are_counted(bench):
    seen = bench.latency.LatencyRun()
    for index in (0, 1, 1, 4):
        seen.take(prediction(index))
    seen.take(Message("trigger", {"volume_index": 5}, 101.0))  # not yet answered
    assert (seen.n_missed, seen.n_doubled) == (2, 1)  # 2 and 3; 1
    assert seen.n_by_status == Counter(ok=4)


def test_a_section_of_the_page_is_replaced_and_a_new_one_appended(bench, tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text("# B\n\n<!-- bench:cpu -->\nold\n<!-- /bench:cpu -->\n\nend\n")
    bench.pages.put("cpu", r"new \1", page=page)
    bench.pages.put("ring", "flat", page=page)
    text = page.read_text()
    assert "old" not in text
    assert text.index("new \\1") < text.index("end") < text.index("flat")


def test_the_page_has_a_place_for_each_bench(bench):
    questions = bench.run.SUITE.questions
    page = bench.pages.page_of("bench_latency").read_text()
    marks = set(re.findall(r"<!-- bench:(\w+) -->", page))
    assert marks == set(questions)


def test_facts_say_where_and_of_what(bench):
    facts = bench.runner.conditions((0.1, 0.2, 0.3))["facts"]
    assert re.search(r"load average 0\.10 before, .* commit \w{7}", facts)
    assert "pylsl" in facts


def test_memory_that_grows_is_said_so_and_start_up_is_not_held_against_it(bench):
    seen = bench.latency.LatencyRun()
    mib = bench.latency.MIB
    for k in range(241):  # 20 minutes; 40 MiB more at first, then 12 MiB an hour
        t_s = 5.0 * k
        uss = mib * (100 + 12 * t_s / 3600 + 40 * (k == 0))
        seen.looks.append((t_s, {"loop": (0.03 * t_s, int(uss)), "in": (0.0, mib)}))
    plan = bench.latency.LatencyPlan(minutes=20)
    seen.take(prediction(0))
    found = bench.latency.figures(plan, seen)
    text = bench.pages.render("bench_latency", found)
    assert "at most **141.0 MiB**" in text
    assert "+12.00 MiB an hour" in text
    assert "| loop | 0.0300 | 100.5 MiB | 103.5 MiB | 140.0 MiB |" in text


def test_a_look_at_a_session_that_ends_is_not_counted(bench):
    before = {"loop": (2.0, 100), "inlets": (0.5, 60)}
    assert not bench.latency.ending(before, {"loop": (2.1, 90), "inlets": (0.5, 60)})
    assert bench.latency.ending(before, {"loop": (2.1, 90), "inlets": (0.3, 30)})
    assert bench.latency.ending(before, {"loop": (2.1, 90)})


@pytest.mark.integration
@pytest.mark.realtime
def test_every_way_to_take_the_stream_gets_all_of_it(bench):
    cpu = bench.cpu
    usages = cpu.measure(cpu.VARIANTS[:3], seconds=1.0, repeats=1, warm_up_s=0.2)
    assert [u.variant for u in usages] == list(cpu.VARIANTS[:3])
    assert all(u.cpu_share > 0 for u in usages)
    assert all(u.received_share > 0.5 for u in usages)
    plan = {"seconds": 1.0, "repeats": 1, "warm_up_s": 0.2}
    table = bench.pages.render("bench_cpu", {**plan, "rows": cpu.rows(usages)})
    assert len(rows(table)) == 3


def test_the_eager_baseline_is_the_same_network(bench):
    torch = pytest.importorskip("torch")
    from eager_neurobolt import EagerNeuroBolt

    models = bench.models
    model = models.drawn_neurobolt(n_rois=2)
    eager = EagerNeuroBolt(model.state_dict(), model.position_index)
    eeg_uv = 20 * torch.randn(2, 26, 3200, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        models.check_agreement(eager(eeg_uv).numpy(), model(eeg_uv).numpy())
        with pytest.raises(SystemExit, match="not the same network"):
            models.check_agreement(eager(eeg_uv).numpy(), model(1.1 * eeg_uv).numpy())


def test_what_is_compared_takes_turns_and_the_ratio_is_of_each_turn(bench, monkeypatch):
    models, order = bench.models, []
    monkeypatch.setattr(models.time, "sleep", lambda seconds: None)
    rows = [models.Timed(name, lambda window, n=name: order.append(n)) for name in "ab"]
    assert models.in_turns(rows, None, turns=3) == 3
    assert "".join(order) == ("a" * models.CALLS_PER_TURN + "b" * 2) * 4
    assert [len(row.ms) for row in rows] == [3, 3]
    slow = models.Timed("slow", None, [10.0, 90.0, 12.0])
    fast = models.Timed("fast", None, [5.0, 30.0, 4.0])
    assert models.ratio(slow, fast) == 3.0
    assert slow.spread() == "**12.0** (11.0 to 51.0)"


def test_turns_end_with_their_time_but_there_are_three(bench, monkeypatch):
    models = bench.models
    monkeypatch.setattr(models.time, "sleep", lambda seconds: None)
    now_s = iter(range(1000))
    monkeypatch.setattr(models.time, "perf_counter", lambda: float(next(now_s)))
    rows = [models.Timed("a", lambda window: None)]
    assert models.in_turns(rows, None, turns=30, seconds=1.0) == 3
    rows = [models.Timed("a", lambda window: None)]
    kept = models.in_turns(rows, None, turns=30, seconds=25.0)
    assert 3 < kept == len(rows[0].ms) < 30


def test_the_rows_of_a_table_follow_each_other(bench):
    parts = ["About it.", "It:\n\n| model |\n|---|", "| `a` |", "| `b` |", "Last."]
    assert bench.run.joined(parts) == (
        "About it.\n\nIt:\n\n| model |\n|---|\n| `a` |\n| `b` |\n\nLast."
    )


def test_deviation_is_relative_to_what_a_roi_varies(bench):
    rng = bench.models.np.random.default_rng(0)
    reference = rng.standard_normal((200, 3)) * [1.0, 1.0, 0.1] + 5.0
    typical, worst = bench.models.shares(reference + 0.05, reference)
    assert typical == pytest.approx(0.05, rel=0.15)
    assert worst == pytest.approx(0.5, rel=0.15)


def test_figures_are_kept_with_day_machine_and_commit(bench, tmp_path):
    found = {**bench.runner.conditions((0.1, 0.2, 0.3)), "architectures": {"efp": 1}}
    path = bench.pages.keep("bench_models", found, tmp_path)
    content = json.loads(path.read_text("utf-8"))
    assert path == tmp_path / "data" / "bench_models.json"
    assert content["architectures"] == {"efp": 1}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content["measured"])
    assert content["machine"] in content["facts"]
    assert f"commit {content['commit']};" in content["facts"]


def test_the_command_says_what_it_measures_keeps_it_and_builds_the_page(
    bench, tmp_path, monkeypatch, capsys
):
    runner, pages = bench.runner, bench.pages

    def measure(options):
        """Take two stages apart."""
        row = {"label": "a", "median": 2.0, "least": 1.0, "most": options.most}
        return {"rows": [row, {**row, "label": "b"}]}

    (tmp_path / "b.md").write_text(
        "<!-- bench:stages -->\nold\n<!-- /bench:stages -->\n"
    )
    for call in (pages.keep, pages.build):
        monkeypatch.setattr(pages, call.__name__, partial(call, docs=tmp_path))
    suite = runner.Suite("bench_", {"stages": measure})
    parser = suite.parser("text")
    parser.set_defaults(most=4.0)
    assert suite.run(parser.parse_args(["all", "--write"])) == 0
    printed = capsys.readouterr()
    assert "stages: Take two stages apart ..." in printed.err
    assert "load average" in printed.out
    page = (tmp_path / "b.md").read_text()
    assert "old" not in page
    assert rows(page)[1] == "| b | **2.00** | 1.0 to 4.0 |"
    assert "Data: [bench_stages.json](data/bench_stages.json)." in page
