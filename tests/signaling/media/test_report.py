"""What a worker tells of itself is bounded, whatever goes on in it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from signaling.media.carrier import pack
from signaling.media.report import ROOMS_REPORTED, SOURCES_REPORTED, report
from signaling.media.room import Room


def a_source(user: int, watched: int) -> Any:
    outs = list(range(watched))
    numbers = {"received": 2**40, "octets": 2**50, "lost": 9, "retransmitted": 9, "keyframes_asked": 9, "newest": 1}
    return SimpleNamespace(user=user, name="screen_audio", outs=outs, **numbers)


def a_room(number: int, people: int) -> Room:
    sources = [a_source(2**40 + user, watched=user) for user in range(people)]
    publishers = {one.user: SimpleNamespace(tracks={"0": SimpleNamespace(layers={"h": one})}) for one in sources}
    return cast(Room, SimpleNamespace(room_id=number, publishers=publishers, subscribers={}))


def test_the_largest_rooms_and_their_most_watched_sources_fit_in_a_frame() -> None:
    rooms = {number: a_room(number, people=number) for number in range(ROOMS_REPORTED + 30)}
    told = report(rooms)
    assert told["rooms"] == len(rooms)
    assert [room["room"] for room in told["each"]] == list(range(len(rooms) - 1, 29, -1))
    largest = told["each"][0]
    assert (largest["publishers"], len(largest["sources"])) == (len(rooms) - 1, SOURCES_REPORTED)
    assert largest["sources"][0]["subscribers"] == len(rooms) - 2
    assert pack({"n": 1, "ok": told})


def test_a_room_with_nobody_connected_is_counted_and_not_shown() -> None:
    assert report({1: a_room(1, people=0)}) == {"rooms": 1, "each": []}
