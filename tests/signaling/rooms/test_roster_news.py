"""Rosters are told in bundles; the more are told, the longer the next bundle gathers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from signaling.client import live_room
from signaling.rooms.roster_news import RosterNews
from signaling.transport import LiveServer

ROOM = 7


class Crowd:
    """A server with so many in one room, which notes what they are told."""

    def __init__(self, people: int) -> None:
        self.people = people
        self.told: list[dict[str, Any]] = []

    def members(self, room: str) -> range:
        return range(self.people if room == live_room(ROOM) else 0)

    def broadcast_droppable(self, room: str, event: str, payload: dict[str, Any], **_: Any) -> None:
        self.told.append(payload)


@pytest.mark.parametrize(("people", "seconds"), [(3, 0.2), (400, 0.2), (1_000, 0.5), (10_000, 1.0)])
async def test_a_bundle_for_many_is_followed_by_one_that_gathers_longer(people: int, seconds: float) -> None:
    crowd = Crowd(people)
    news = RosterNews(cast(LiveServer, crowd), lambda key: 1, lambda: None)

    def pause() -> float:
        news.mark((1, ROOM), [])
        news.mark((2, ROOM), [])
        assert news._timer is not None
        return news._timer.when() - asyncio.get_running_loop().time()

    assert pause() == pytest.approx(0.2, abs=0.05)
    news.flush()
    assert [change["user_id"] for change in crowd.told[0]["changes"]] == [1, 2]
    assert pause() == pytest.approx(seconds, abs=0.05)
    crowd.people = 3
    news.flush()
    assert pause() == pytest.approx(0.2, abs=0.05)
    news.close()
