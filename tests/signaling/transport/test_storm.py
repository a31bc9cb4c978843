"""Many leave at once: what that costs, and how a whole server takes it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.storm import CLIENTS, MOST_STALL_SECONDS, storm
from server import pace
from signaling.transport.rooms import RoomIndex

SHORT_STORM = 500
SHORT_STALL_SECONDS = 1.0  # beside other programs; the long proof has the machine for itself
MEMORY_GROWTH = 1.25  # the second storm may leave this much of what the first one left


class CountedDict(dict[Any, Any]):
    """Says how often it was looked through."""

    walks = 0

    def __iter__(self) -> Any:
        CountedDict.walks += 1
        return super().__iter__()


def test_leaving_looks_through_no_room() -> None:
    class Somebody:
        def __init__(self) -> None:
            self.rooms: set[str] = set()

    index = RoomIndex()
    index._members = CountedDict()
    people: list[Any] = [Somebody() for _ in range(200)]
    for number, person in enumerate(people):
        index.enter(person, f"own:{number}")
        index.enter(person, "class")
    index._members["class"] = CountedDict(index._members["class"])
    CountedDict.walks = 0
    for person in people:
        index.leave_all(person)
    assert len(index) == 0
    assert CountedDict.walks == 0


@pytest.mark.serial
@pytest.mark.timeout(300)
async def test_five_hundred_vanish_and_all_come_back() -> None:
    weather = await storm(SHORT_STORM)
    assert weather.failures == 0, weather.reasons
    assert weather.stall <= SHORT_STALL_SECONDS
    assert weather.rss_after[-1] <= MEMORY_GROWTH * weather.rss_after[0]


@pytest.mark.prove
@pytest.mark.serial
@pytest.mark.timeout(1800)
async def test_ten_thousand_vanish_and_all_come_back_without_a_stall() -> None:
    if pace.raise_descriptor_limit() < CLIENTS + 100:
        pytest.skip("this system allows too few open files for ten thousand clients")
    weather = await storm(CLIENTS)
    assert weather.failures == 0, weather.reasons
    assert weather.stall <= MOST_STALL_SECONDS
    assert weather.rss_after[-1] <= MEMORY_GROWTH * weather.rss_after[0]
