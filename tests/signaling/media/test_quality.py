"""Which layer of each picture a viewer gets: from plain values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.quality import Picture, Rung, allot, cost, fitting

LOW, MIDDLE, HIGH = Rung(2, 320, 120_000), Rung(1, 640, 400_000), Rung(0, 1280, 1_200_000)
THREE, TWO, ONE = (LOW, MIDDLE, HIGH), (LOW, HIGH), (Rung(0, 640, 900_000),)


def a_picture(rungs: tuple[Rung, ...] = THREE, wanted: int | None = None, current: int | None = None) -> Picture:
    return Picture(rungs, wanted, current)


@pytest.mark.parametrize(
    ("rungs", "wanted", "current", "index"),
    [
        (THREE, None, None, 0),  # never told: the largest
        (THREE, 0, None, 2),
        (THREE, 320, None, 2),
        (THREE, 400, None, 2),  # drawn a quarter larger at most
        (THREE, 401, None, 1),
        (THREE, 1000, None, 0),
        (THREE, 4000, None, 0),
        (TWO, 700, None, 0),
        (ONE, 10, None, 0),  # there is no other
        (THREE, 401, 2, 1),  # up: too small by more than a quarter
        (THREE, 400, 1, 1),  # stays: the smaller one would be drawn larger
        (THREE, 320, 1, 2),  # down: the smaller one is large enough in full
        (THREE, 700, 0, 0),
        (THREE, 640, 0, 1),
        (THREE, 300, 9, 2),  # what it carried is not there any more
    ],
)
def test_the_layer_follows_the_width_with_room_between_up_and_down(
    rungs: tuple[Rung, ...], wanted: int | None, current: int | None, index: int
) -> None:
    assert rungs[fitting(a_picture(rungs, wanted, current))].index == index


def test_a_width_unknown_counts_as_not_large_enough() -> None:
    unknown = (Rung(0, None, 100), Rung(1, None, 200))
    assert unknown[fitting(a_picture(unknown, 100))].index == 1


@pytest.mark.parametrize(
    ("budget", "given"),
    [
        (None, [0, 0]),
        (3_000_000, [0, 0]),
        (2_000_000, [0, 1]),  # the first in order is the first to get more
        (1_000_000, [1, 1]),
        (700_000, [1, 2]),
        (300_000, [2, 2]),
        (200_000, [2, None]),  # the last in order is the first to pause
        (100_000, [None, None]),
    ],
)
def test_a_budget_gives_everybody_the_smallest_before_anybody_more(budget: int | None, given: list[int | None]) -> None:
    assert allot([a_picture(), a_picture()], budget) == given


def test_what_fits_barely_is_kept_but_not_begun() -> None:
    assert allot([a_picture(ONE, current=0)], 900_000) == [0]
    assert allot([a_picture(ONE)], 900_000) == [None]


def test_a_picture_that_does_not_fit_leaves_its_place_to_the_next() -> None:
    assert allot([a_picture(ONE), a_picture()], 500_000) == [None, 1]


budgets = st.one_of(st.none(), st.integers(0, 6_000_000))
pictures = st.lists(
    st.builds(
        Picture,
        st.sampled_from([THREE, TWO, ONE]),
        st.one_of(st.none(), st.integers(0, 2000)),
        st.one_of(st.none(), st.integers(0, 2)),
    ),
    max_size=5,
)


@given(pictures, budgets)
def test_nobody_gets_more_than_wanted_and_all_together_not_more_than_there_is(
    some: list[Picture], budget: int | None
) -> None:
    given_to = allot(some, budget)
    spent = 0
    for picture, index in zip(some, given_to, strict=True):
        if index is None:
            assert budget is not None
            continue
        rate = next(rung.rate for rung in picture.rungs if rung.index == index)
        assert rate <= picture.rungs[fitting(picture)].rate
        spent += rate
    assert budget is None or spent * 0.95 <= budget
    assert budget is not None or spent == cost(some)


@given(pictures, budgets)
def test_choosing_again_changes_nothing(some: list[Picture], budget: int | None) -> None:
    once = allot(some, budget)
    settled = [Picture(p.rungs, p.wanted, index) for p, index in zip(some, once, strict=True)]
    assert [a if a is not None else b for a, b in zip(allot(settled, budget), once, strict=True)] == [
        b if b is not None else a for a, b in zip(allot(settled, budget), once, strict=True)
    ]
