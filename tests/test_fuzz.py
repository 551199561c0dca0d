"""Whatever bytes come from outside: they are read, or refused with an error of ours."""

from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from hypothesis import HealthCheck, given, settings, strategies as st

pytestmark = pytest.mark.heavy
FEW, MANY = 20, 150
FOUND = Path(__file__).parent / "data" / "fuzz"  # by atheris, and mended
SPECIAL = (b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"NaN", b"1e999", b"-1",
           b"[" * 2000, b"{\"a\":" * 2000, b"\xef\xbb\xbf", b"\r\n", b"\xed\xa0\x80",
           b"9" * 400)  # fmt: skip


@pytest.fixture(scope="module", params=TARGETS)
def target(request, tmp_path_factory):
    found = TARGETS[request.param]
    seeds = found.seeds(tmp_path_factory.mktemp("seeds"))
    return found, seeds, tmp_path_factory.mktemp("work")


edits = st.lists(
    st.tuples(
        st.floats(0, 1),  # where
        st.sampled_from([0, 0, 1, 1, 2, 8, 64]),  # bytes that go
        st.sampled_from(SPECIAL) | st.binary(max_size=8),  # bytes that come
    ),
    min_size=1,
    max_size=4,
)


def edited(seed, changes):
    data = bytearray(seed)
    for where, gone, come in changes:
        first = round(where * len(data))
        data[first : first + gone] = come
    return bytes(data)


@pytest.mark.parametrize(
    "kept",
    sorted(FOUND.glob("*/*.bin")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_what_was_found_once_does_no_harm(kept, tmp_path):
    found = TARGETS[kept.parent.name]
    assert found.survives(kept.read_bytes(), tmp_path) in (True, False)


def test_good_bytes_are_read(target):
    found, seeds, folder = target
    assert seeds
    assert any(found.survives(seed, folder) for seed in seeds)


def test_damaged_bytes_are_read_or_refused(target):
    found, seeds, folder = target

    @settings(
        max_examples=FEW if found.slow else MANY,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.sampled_from(seeds), edits, st.floats(0.1, 1.5))
    def run(seed, changes, share):
        data = edited(seed, changes)
        found.survives(data[: round(share * len(data))], folder)

    run()


@settings(max_examples=MANY, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(target, data):
    found, _, folder = target
    if not found.slow:
        found.survives(data, folder)
