"""The page of keys has each key, and the pages' examples are sound."""

import inspect
import re
from pathlib import Path

import pytest

from rtbold.protocol import parse_protocol
from rtbold.protocol.study import Block, Placed, Question, Run, Safety, Study
from rtbold.publish.wire import Phase

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "reference" / "protocol.md").read_text(encoding="utf-8")
HOW_TO = (DOCS / "how-to" / "write-a-protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [Study, Block, Run, Placed, Question, Safety])
def test_every_key_is_on_the_page(kind):
    for key in inspect.signature(kind).parameters:
        assert re.search(rf"\b{key}\b", PAGE), key


def test_every_key_that_a_protocol_adds_to_the_phase_is_on_the_page():
    known = ("topic session seq t_lsl t_unix_ms replayed run run_type block name t_on "
             "t_off_planned").split()  # fmt: skip
    for key in inspect.signature(Phase).parameters:
        assert key in known or f"`{key}`" in PAGE, key


def test_the_blocks_of_the_how_to_are_sound():
    inside = re.findall(r"((?:^    .*\n|^\n(?=    ))+)", HOW_TO, re.MULTILINE)
    tables = [text for text in inside if text.lstrip().startswith("[")]
    parts = "".join(re.sub(r"(?m)^    ", "", text) for text in tables)
    ask = '\n[questions.effort]\ntext = "How hard?"\n'
    text = f'name = "how-to"\ntr_s = 2.1\n{parts}{ask}'
    study = parse_protocol(text.encode(), where="how-to").study
    assert study.n_runs == 3
    assert study.safety.risky
