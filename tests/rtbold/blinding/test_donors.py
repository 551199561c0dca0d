"""Which recording may be a donor, and how its holes are filled."""

import numpy as np
import pytest

from rtbold.blinding.donors import (
    DonorRefused,
    PlannedBlock,
    RecordedBlock,
    choose_donor,
    filled_series,
    fitted_donor,
)


def plan(*blocks):
    return [
        PlannedBlock(run=1, block=k, direction=direction, n_volumes=n)
        for k, (direction, n) in enumerate(blocks, 1)
    ]


def had(*blocks):
    return [
        RecordedBlock(run=1, block=k, direction=direction, z=tuple(z))
        for k, (direction, z) in enumerate(blocks, 1)
    ]


def test_a_longer_donor_is_cut_block_by_block():
    donor = fitted_donor(
        "d",
        had((None, [0.0] * 9), ("up", np.arange(8.0)), ("down", [5.0] * 3)),
        plan((None, 5), ("up", 4)),
    )
    assert donor.z == {(1, 1): (0.0,) * 5, (1, 2): (0.0, 1.0, 2.0, 3.0)}


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([("up", 11)], "run 1, block 1 has 10 volumes, expected 11. It is too short"),
        ([("up", 9), ("up", 1)], "run 1, block 2 has no such block"),
        ([("down", 9)], "has direction up, expected direction down"),
        ([(None, 9)], "has direction up, expected direction None"),
    ],
)
def test_a_donor_that_is_too_short_or_of_other_blocks_is_refused(blocks, said):
    with pytest.raises(DonorRefused, match=said):
        fitted_donor("d", had(("up", np.arange(10.0))), plan(*blocks))


def test_holes_are_filled_by_the_line_between_their_neighbours():
    series = [*range(20), None, None, 22.0, *range(23, 40)]
    assert filled_series("d", series) == list(map(float, range(40)))


def test_the_beginning_and_the_end_are_mirrored_so_that_no_number_stands_still():
    series = [None, None, 1.0, 3.0, 2.0, *range(5, 20), None]
    filled = filled_series("d", series)
    assert filled[:5] == [2.0, 3.0, 1.0, 3.0, 2.0]
    assert filled[-3:] == [18.0, 19.0, 18.0]


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([None] * 40, "no value at all"),
        ([*range(20), *[None] * 6, *range(20)], "6 of them in a row"),
        ([*range(20), *[None] * 6], "6 of them in a row"),
        ([1.0, None] * 30, "lacks 30 of 60 volumes"),
        ([*[None] * 26, *range(100)], "first value at volume 26 of 126"),
        ([*[None] * 9, *range(9)], "first value at volume 9 of 18"),
    ],
)
def test_a_donor_that_lacks_too_much_is_refused(series, said):
    with pytest.raises(DonorRefused, match=said):
        filled_series("d", series)


def test_each_place_has_a_person_of_its_own_and_each_run_their_next_recording():
    donors = [
        fitted_donor(f"{who}{run}", had(("up", [1.0] * 9)), plan(("up", 9)), person=who)
        for who in "cab"
        for run in (2, 1)
    ]
    for draw, number, name in ((0, 1, "a1"), (0, 2, "a2"), (1, 1, "b1"), (5, 3, "c1")):
        for each in (donors, donors[::-1]):
            assert choose_donor(each, [], draw=draw, number=number).name == name


def test_where_none_fits_each_says_why():
    with pytest.raises(DonorRefused, match=r"no donor fits.*d1 is odd.*whatever the"):
        choose_donor([], [DonorRefused("d1 is odd")], draw=0)
    with pytest.raises(DonorRefused, match="there are no recordings"):
        choose_donor([], [], draw=0)
