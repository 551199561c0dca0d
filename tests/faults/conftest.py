"""The stories run some at a time; ``--matrix`` writes what they found into the docs."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fault_catalogue import STORIES as ON_THE_WAY, known_subject
from fault_matrix import write_matrix
from fault_surroundings import STORIES as AROUND
from known_eeg import typical_sd

STORIES = (*ON_THE_WAY, *AROUND)
AT_ONCE = 7
APART_S = 2.5  # to start a session costs seconds of both cores
LIMIT_S = 550.0


def pytest_addoption(parser):
    parser.addoption("--matrix", action="store_true", help="write docs/data/faults.md")


def pytest_configure(config):
    if config.getoption("--matrix", default=False):
        os.environ["RTBOLD_FAULT_BENCH"] = "1"


def later(story, folder, wait_s):
    time.sleep(wait_s)
    return story(folder)


@pytest.fixture(scope="session")
def stories(request, tmp_path_factory):
    """Return a function from a story to its bench and what was seen."""
    asked = [
        item.callspec.params["story"]
        for item in request.session.items
        if "stories" in getattr(item, "fixturenames", ())
    ]
    typical_sd(), known_subject()  # made once, before anything is timed
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            story: pool.submit(
                later, story, tmp_path_factory.mktemp(story.__name__),
                n * APART_S if n < AT_ONCE else 0.0,
            )
            for n, story in enumerate(s for s in STORIES if s in asked)
        }  # fmt: skip
        yield lambda story: running[story].result(LIMIT_S)
        if request.config.getoption("--matrix", default=False):
            done = [running[s].result(LIMIT_S) for s in STORIES if s in running]
            write_matrix(done)
