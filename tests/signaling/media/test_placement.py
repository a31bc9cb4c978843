"""Which worker takes one more room."""

from __future__ import annotations

import pytest

from signaling.media.placement import Standing, least_loaded

ALMOST = 0.79


@pytest.mark.parametrize(
    ("standings", "chosen"),
    [
        ([], None),
        ([Standing(1, 0.9, is_full=True)], None),
        ([Standing(1, 0.2), Standing(2, 0.1)], 2),
        ([Standing(1, 0.1, is_full=True), Standing(2, ALMOST)], 2),
        ([Standing(1, 0.1), Standing(2, 0.1)], 1),
        ([Standing(1, 0.1, rooms=3), Standing(2, 0.1, rooms=2)], 2),
        ([Standing(1, 0.101, rooms=3), Standing(2, 0.104, rooms=2)], 2),  # a breath of difference is none
        ([Standing(1, 0.0, rooms=5, fresh=5), Standing(2, 0.1, rooms=9)], 2),  # the new ones will need their share
    ],
)
def test_the_least_loaded_that_takes_new_people_is_chosen(standings: list[Standing], chosen: int | None) -> None:
    assert least_loaded(standings) == chosen


def test_a_row_of_classes_that_begin_together_is_spread_before_any_load_is_measured() -> None:
    rooms = {1: 0, 2: 0, 3: 0}
    for _ in range(12):
        taken = least_loaded([Standing(n, 0.0, rooms=count, fresh=count) for n, count in rooms.items()])
        assert taken is not None
        rooms[taken] += 1
    assert set(rooms.values()) == {4}
