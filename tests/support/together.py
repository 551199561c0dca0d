"""Scenarios that take a minute of the wall clock each, and little else: all at once.

Their starts are spread: to start a session costs seconds of both cores. The longest
start first, so that the last to start is not the last to end.

A module lists its own in ``TOGETHER``, each with about how many seconds it plays; those
of the selected tests start together with the first test that asks for one.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

LIMIT_S = 170.0
APART_S = 3.0


def later(scenario, folder, wait_s):
    time.sleep(wait_s)
    return scenario(folder)


@pytest.fixture(scope="session")
def together(request, tmp_path_factory):
    """Return a function from a scenario to its result, which it waits for."""
    asking = [i for i in request.session.items if "together" in i.fixturenames]
    lasts_s = {s: t for item in asking for s, t in item.module.TOGETHER.items()}
    scenarios = sorted(lasts_s, key=lasts_s.__getitem__, reverse=True)
    with ThreadPoolExecutor(len(scenarios)) as pool:
        running = {
            scenario: pool.submit(
                later, scenario, tmp_path_factory.mktemp(scenario.__name__), n * APART_S
            )
            for n, scenario in enumerate(scenarios)
        }
        yield lambda scenario: running[scenario].result(LIMIT_S)
