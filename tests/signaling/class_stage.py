"""What a played class stands on: the server of the plays, and each person's side of it.

A seat takes what it is told as a page does, and refuses what is missing, doubled, late or none of its business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from server.app import build
from server.db.database import Database
from server.http.keys import READINESS
from server.ports import SilentPublisher
from server.settings import Settings
from signaling.rooms.evolve import evolve
from signaling.rooms.state import Room
from tests.conftest import SECRET
from tests.factories import World
from tests.signaling.conftest import Tab
from tests.signaling.rooms.test_twins import _event

PRIVATE = ('"choices"', '"voters"', "poll_answered")  # in nothing that is told to a room
HEARD_SECONDS = 5  # for what is stored to reach everybody inside


def refuse_private(told: Any) -> None:
    """In nothing that is told to a room is what only its owner may see."""
    found = [word for word in PRIVATE if word in json.dumps(told)]
    assert not found, f"private, and told to others: {found} in {told}"


@dataclass
class Ballots:
    """The hidden polls of a class: `ever` so, and `open_now`, whose tally is the instructor's alone."""

    ever: set[int] = field(default_factory=set)
    open_now: set[int] = field(default_factory=set)

    def refuse_tally(self, name: str, told: Any) -> None:
        """A student was told this."""
        for number in _tallies_in(told):
            is_secret = number in (self.ever if name == "poll_tally" else self.open_now)
            assert not is_secret, f"the tally of the hidden poll {number}, told to a student by {name}: {told}"


def _tallies_in(told: Any) -> Iterator[int]:
    """The polls whose tally is anywhere in this."""
    if isinstance(told, dict):
        if told.get("tally") is not None and "poll" in told:
            yield told["poll"]
        told = list(told.values())
    if isinstance(told, list):
        for part in told:
            yield from _tallies_in(part)


@dataclass
class Seat:
    """One person's side: the connection, and the timeline as their page has put it together."""

    who: str
    ballots: Ballots
    tab: Tab | None = None
    heard: int = 0  # of the tab's messages, how many are worked in
    is_in: bool = False
    epoch: str = ""
    room: Room | None = None
    wishes: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def work_in(self) -> None:
        """Live events, which must continue where this page is."""
        assert self.tab is not None
        told, self.heard = self.tab.told[self.heard :], len(self.tab.told)
        for name, payload in told:
            refuse_private(payload)
            self.refuse_tally(name, payload)
            if name == "room_closed":
                self.is_in = False
            elif name == "timeline":
                assert self.is_in, f"told after it was out: {payload}"
                self.take(payload["epoch"], payload["events"])

    def refuse_tally(self, name: str, told: Any) -> None:
        """The instructor may see them all."""
        if self.who != "ana":
            self.ballots.refuse_tally(name, told)

    async def hear(self, last: int) -> None:
        """Everything up to this position. Raises AssertionError, naming what did not come."""
        assert self.tab is not None and self.room is not None
        heard = {
            event["seq"] for name, told in self.tab.told[self.heard :] if name == "timeline" for event in told["events"]
        }
        try:
            async with asyncio.timeout(HEARD_SECONDS):
                await self.tab.until(lambda tab: any(event["seq"] >= last for event in tab.events))
        except TimeoutError:
            heard = {event["seq"] for event in self.tab.events}
            missing = [seq for seq in range(self.room.seq + 1, last + 1) if seq not in heard]
            raise AssertionError(f"{self.who} was never told {missing} of the {last} events stored") from None

    def take(self, epoch: str, events: list[dict[str, Any]]) -> None:
        assert self.room is not None and epoch == self.epoch
        for event in events:
            assert event["seq"] == self.room.seq + 1, f"{self.who} has {self.room.seq} and is told {event['seq']}"
            refuse_private(event)
            assert event["type"] != "question_voted" or (event["actor_id"], event.get("client_id")) == (None, None)
            self.room = evolve(self.room, _event(event))


class Stage:
    """The server the plays are held on, in a loop of its own; it can be closed and built again on its database."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        generous = {
            f"LECTERN_LIMIT_{name}": 10_000 for name in ("EVENTS_PER_SECOND", "EVENTS_BURST", "CHAT_PER_SECOND")
        }
        given = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET, "LECTERN_DATA_DIR": str(folder), "PORT": 0}
        self.settings = Settings.model_validate({**given, **generous})
        self.database = Database.open(database_url, publisher=SilentPublisher())
        self.world: World = self.run(World.with_cast(self.database, SECRET))
        self.run(self.open())

    def run(self, call: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(call, 30))

    async def open(self) -> None:
        self.app: web.Application = build(self.settings)
        self.server = TestServer(self.app, host="127.0.0.1")
        await self.server.start_server()
        self.app[READINESS].sockets_accepted = True

    async def restart(self) -> None:
        await self.server.close()
        await self.open()

    def close(self) -> None:
        self.run(self.server.close())
        self.run(self.database.close())
        self.loop.close()
