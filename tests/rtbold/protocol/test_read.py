import pytest

from rtbold.errors import ConfigError
from rtbold.protocol import example, parse_protocol, read_protocol

SMALL = """\
name = "small"
tr_s = 2.0

[blocks.rest]
task = "rest"
volumes = 10

[blocks.up]
task = "regulate"
direction = "up"
seconds = 30

[[runs]]
kind = "training"
blocks = ["rest", "up", "rest"]
"""


def parse(text):
    return parse_protocol(text.encode(), where="nf.toml")


def changed(*pairs):
    text = SMALL
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_the_example_is_sound_and_has_what_a_study_needs():
    study = parse_protocol(example(), where="example.toml").study
    kinds = [study.run(n).kind for n in range(1, study.n_runs + 1)]
    assert kinds == ["localiser", "baseline", *["training"] * 3, "transfer"]


def test_a_small_protocol_is_read_and_keeps_its_feedback_table():
    protocol = parse(SMALL + '[feedback]\nsmooth = "mean"\n')
    assert protocol.study.feedback == {"smooth": "mean"}
    assert protocol.place("feedback", "smooth") == "nf.toml, line 17"
    assert protocol.place("feedback", "smooth", "deeper") == "nf.toml, line 17"
    assert protocol.place("seed") == "nf.toml"
    assert len(protocol.sha256) == 64


@pytest.mark.parametrize(
    ("pairs", "line", "words"),
    [
        ([("volumes = 10", "volumes = 0")], 6, "the block is empty"),
        ([("volumes = 10", "volumes = -3")], 6, "the block is empty"),
        ([("seconds = 30", "seconds = 0.4")], 11, "the block is empty"),
        ([("seconds = 30", "seconds = inf")], 11, "not finite"),
        ([("seconds = 30", "seconds = 30\njitter = nan")], 11, "not finite"),
        ([("volumes = 10", "")], 4, "no duration"),
        ([("volumes = 10", "volumes = 10\nseconds = 3")], 4, "both volumes"),
        ([("volumes = 10", "volumes = 10\njitter = 10")], 7, "can be empty"),
        ([("volumes = 10", "volumes = 10\njitter = 0.5")], 7, "less than a volume"),
        ([("volumes = 10", "volumes = 10\njitter = 1.5")], 7, "whole volumes"),
        ([("volumes = 10", "volumes = 10\njitter = -1")], 7, "expected 0 or more"),
        ([("volumes = 10", "volumes = '10'")], 6, "volumes: Expected `int"),
        ([("volumes = 10", "volums = 10")], 6, "Did you mean 'volumes'"),
        ([("task =", "tsk =")], 5, "Did you mean 'task'"),
        ([('"rest"\n', '"sleep"\n')], 5, "Expected one of rest, baseline, regulate"),
        ([('direction = "up"', "")], 8, "needs a direction"),
        ([("volumes = 10", 'direction = "up"\nvolumes = 1')], 6, "has no direction"),
        ([("volumes = 10", 'volumes = 1\nfeedback = "continuous"')], 7, "nowhere else"),
        ([('"up", "rest"]', '"upp", "rest"]')], 15, "Did you mean 'up'"),
        ([('["rest", "up", "rest"]', "[]")], 13, "no blocks"),
        ([('["rest", "up", "rest"]', '["rest"]')], 15, "nothing would be shown"),
        (
            [('kind = "training"', 'kind = "train"')],
            14,
            "Expected one of localiser, baseline",
        ),
        ([('"up"\n', '"upp"\n')], 10, "Expected one of up, down, bidirectional."),
        ([("volumes = 10", 'volumes = 9\nfeedback = "no"')], 7, "block_end, none."),
        ([("volumes = 10", 'volumes = 9\ninstruction = "\\u001b[2J"')], 7, "a screen"),
        ([("volumes = 10", 'volumes = 9\ninstruction = "\\u202E"')], 7, "a screen"),
        ([("tr_s = 2.0", "tr_s = inf")], 2, "tr_s is inf, expected 0.1 to 10."),
        ([('kind = "training"', 'kind = "training"\ncycles = 0')], 15, "cycles is 0"),
        ([('kind = "training"', 'kind = "training"\nrepeats = 101')], None, "101 runs"),
        ([("tr_s = 2.0", "tr_s = 2000")], 2, "looks like milliseconds"),
        ([("tr_s = 2.0", "tr_s = nan")], 2, "tr_s is nan"),
        ([("tr_s = 2.0", "tr = 2.0")], 2, "Did you mean 'tr_s'"),
        ([("tr_s = 2.0", "")], None, "required field `tr_s`"),
        ([("tr_s = 2.0", "tr_s = 2.0\nformat = 2")], 3, "another version"),
        ([('"small"', '""')], 1, "expected 1 to 64"),
        ([("[blocks.up]", '[blocks."u\\np"]')], 8, "can be printed"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(pairs, line, words):
    with pytest.raises(ConfigError) as caught:
        parse(changed(*pairs))
    told = [text for text in str(caught.value).splitlines() if words in text]
    where = "nf.toml" if line is None else f"nf.toml, line {line}: "
    assert told, str(caught.value)
    assert told[0].startswith(where), told[0]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ('{ block = "up", at_volume = 8 }', "overlaps the one before it"),
        ('{ block = "up", at_volume = -1 }', "overlaps the one before it"),
        ('{ block = "up", at_second = 18.0 }', "overlaps the one before it"),
        ('{ block = "up", at_volume = 12 }', "volumes 10 to 11 before"),
        ('{ block = "up", at_volume = 10, at_second = 20 }', "both given"),
        ('{ block = "up", at_volum = 10 }', "Did you mean 'at_volume'"),
    ],
)
def test_blocks_with_a_place_may_neither_overlap_nor_leave_a_hole(second, words):
    text = changed(('"up", "rest"]', f'\n  {second},\n  "rest"]'))
    with pytest.raises(ConfigError, match=words) as caught:
        parse(text)
    assert str(caught.value).startswith("nf.toml, line 16: ")


def test_a_block_at_its_place_is_taken_and_jitter_before_it_is_not():
    place = ('"up", "rest"]', '{ block = "up", at_second = 20.0 }, "rest"]')
    assert parse(changed(place)).study.n_runs == 1
    with pytest.raises(ConfigError, match="a block before it has jitter"):
        parse(changed(place, ("volumes = 10", "volumes = 10\njitter = 2")))


@pytest.mark.parametrize(("volumes", "good"), [(67, False), (68, True)])
def test_a_baseline_needs_sixty_volumes_that_have_predictions(volumes, good):
    block = f'[blocks.base]\ntask = "baseline"\nvolumes = {volumes}\n'
    text = SMALL + '[[runs]]\nkind = "baseline"\nblocks = ["base"]\n' + block
    if good:
        parse(text)
        return
    with pytest.raises(ConfigError, match=r"line 18: .*too short: 59 volumes"):
        parse(text)


@pytest.mark.parametrize(
    ("table", "needed"),
    [
        ("", 68),
        ('smooth = "mean"\nsmooth_n = 5', 72),
        ('smooth = "exponential"\nsmooth_s = 6.0', 71),
        ("skip_n = 20", 80),
    ],
)
def test_a_baseline_that_feedback_is_scaled_by_counts_what_feedback_counts(
    table, needed
):
    for volumes in (needed - 1, needed):
        block = f'[blocks.base]\ntask = "baseline"\nvolumes = {volumes}\n'
        text = SMALL + '[[runs]]\nkind = "baseline"\nblocks = ["base"]\n' + block
        text += f'[feedback]\nbaseline = "block"\n{table}\n'
        if volumes == needed:
            parse(text)
            continue
        with pytest.raises(ConfigError, match="too short: 59 volumes"):
            parse(text)


def test_feedback_takes_one_baseline_block_not_two_half_ones():
    block = '[blocks.base]\ntask = "baseline"\nvolumes = 50\n'
    run = '[[runs]]\nkind = "baseline"\nblocks = ["base", "rest", "base"]\n'
    parse(SMALL + run + block)
    with pytest.raises(ConfigError, match="too short: 47 volumes"):
        parse(SMALL + run + block + '[feedback]\nbaseline = "block"\n')


def test_of_a_baseline_with_jitter_the_shortest_counts():
    block = '[blocks.base]\ntask = "baseline"\nvolumes = 60\njitter = 5\n'
    run = '[[runs]]\nkind = "baseline"\nblocks = ["rest", "base"]\n'
    with pytest.raises(ConfigError, match="too short: 55 volumes"):
        parse(SMALL + run + block)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("longest_run_minutes = 1", "the run may last 1.2 min"),
        ("longest_regulation_seconds = 20", "30 s of regulation without a block"),
        ("longest_run_minutes = 0", "expected more than 0"),
        ("sleepiness_every_minutes = -1", "expected more than 0"),
        ("break_minutes = nan", "expected 0 or more"),
        ('stop_marker = " "', "stop_marker is empty"),
        ('risky = [{ direction = "left" }]', "Invalid enum value"),
        ('risky = [{ dirction = "up" }]', "Did you mean 'direction'"),
    ],
)
def test_what_the_protocol_calls_safe_is_held(table, words):
    with pytest.raises(ConfigError, match=words):
        parse(f"{SMALL}[safety]\n{table}\n")


def test_questions_are_checked():
    ask = ('kind = "training"', 'kind = "training"\nquestions = ["effrt"]')
    text = changed(ask) + '[questions.effort]\ntext = "How hard?"\n'
    with pytest.raises(ConfigError, match=r"line 15: .*Did you mean 'effort'"):
        parse(text)
    with pytest.raises(ConfigError, match="cannot be moved"):
        parse(f'{SMALL}[questions.q]\ntext = "?"\nminimum = 5\nmaximum = 5\n')
    with pytest.raises(ConfigError, match="asks nothing"):
        parse(changed(("volumes = 10", 'volumes = 10\nquestions = ["effort"]')))


def test_feedback_in_a_run_that_shows_none_is_refused():
    transfer = 'kind = "transfer"\nfeedback = "continuous"'
    with pytest.raises(ConfigError, match=r"line 15: .*which shows none"):
        parse(changed(('kind = "training"', transfer)))


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ('smoth = "mean"', 17, "Did you mean 'smooth'"),
        ('smooth = "median"', 17, "feedback.smooth is 'median'"),
        ('smooth_n = "three"', 17, "Expected `int`, got `str`"),
        ("memory_n = 5\nsmooth_n = 3", 17, "feedback.memory_n is 5"),
        ("reward = 0.6", 17, "no range was given"),
    ],
)
def test_the_feedbacks_own_settings_are_checked_with_their_line(table, line, words):
    with pytest.raises(ConfigError) as caught:
        parse(f"{SMALL}[feedback]\n{table}\n")
    assert str(caught.value).startswith(f"nf.toml, line {line}: ")
    assert words in str(caught.value)


def test_many_problems_are_told_together_and_not_without_end():
    with pytest.raises(ConfigError) as caught:
        parse(SMALL + "".join(f"[blocks.b{i}]\ntsk = 1\n" for i in range(30)))
    told = str(caught.value).splitlines()
    assert len(told) == 11
    assert told[-1] == "and 20 problems more"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "is not valid TOML"),
        (b"a = [1", "is not valid TOML"),
        (b"runs = []\nblocks = 4\nname = 'x'\ntr_s = 2", "line 2: blocks: Expected"),
        (b"a = " + b"[" * 100_000, "nested deeper|not valid TOML"),
        (b"blocks = { a = 3 }", "line 1: a: Expected `object`"),
    ],
)
def test_what_is_no_protocol_is_refused_in_words(data, words):
    with pytest.raises(ConfigError, match=words):
        parse_protocol(data, where="nf.toml")


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="rtbold protocol new FILE"):
        read_protocol(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="cannot read the protocol"):
        read_protocol(large)
