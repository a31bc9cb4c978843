"""Many leave at once: what that costs, and how a whole server takes it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from bench.storm import CLIENTS, MOST_STALL_SECONDS, storm
from server import pace
from signaling.transport.rooms import RoomIndex
from tests.signaling.transport.conftest import Start
from tests.signaling.transport.raw import RawClient

SHORT_STORM = 500
SHORT_BUSY_SECONDS = 0.1  # of a stall computed by the loop itself
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


async def calls_of_a_leaving(start: Start, raw: RawClient, *, others: int, rooms: int) -> int:
    """How many calls one client's end takes, the client's own included, beside others in rooms of their own."""
    live = await start()
    sockets = [await raw.live(live.url) for _ in range(others)]
    for connection in live.classroom.connections:
        for number in range(rooms):
            live.server.enter(connection, f"{connection.id}:{number}")
    one = await raw.live(live.url)
    live.server.broadcast("class", "said", {})
    await one.receive()
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        await one.ws.close()
        await live.classroom.until(lambda: live.classroom.left)
    finally:
        sys.setprofile(None)
    assert len(live.server.members("class")) == len(sockets)
    return calls


async def test_leaving_costs_the_same_beside_a_few_and_beside_many(start: Start, raw: RawClient) -> None:
    few = await calls_of_a_leaving(start, raw, others=3, rooms=1)
    many = await calls_of_a_leaving(start, raw, others=60, rooms=20)
    assert many <= 1.25 * few  # a look at each other client or room would be thousands of calls more


@pytest.mark.serial
@pytest.mark.timeout(300)
async def test_five_hundred_vanish_and_all_come_back() -> None:
    weather = await storm(SHORT_STORM)
    assert weather.failures == 0, weather.reasons
    assert weather.busy <= SHORT_BUSY_SECONDS
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
    assert weather.busy <= MOST_STALL_SECONDS
    assert weather.stall <= MOST_STALL_SECONDS
    assert weather.rss_after[-1] <= MEMORY_GROWTH * weather.rss_after[0]
