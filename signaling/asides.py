"""What is said in a room and forgotten: who is writing, how loud someone is, how a poll stands, peers' messages.

None of it is stored, and a client that reads slowly misses it first. What comes often is told at most once in
COALESCE_SECONDS, the newest only.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.database import Database
from server.errors import LecternError
from signaling import protocol
from signaling.client import Client, Phase, live_room, user_room
from signaling.doorway import NotJoined
from signaling.rooms import private
from signaling.rooms.private import TallyChanged
from signaling.rooms.registry import Registry
from signaling.rooms.room import require_may_chat, require_may_signal
from signaling.rooms.state import Poll, Room
from signaling.transport import LiveServer

COALESCE_SECONDS = 0.2
MOST_TOLD = 20  # people of one kind and room told of at once; the others are left out
MOST_TALLIES = 50  # polls counted at once; the others wait for the next time


@dataclass(frozen=True, slots=True)
class Aside:
    """An ephemeral event for the members of a room that other processes hold: all, or one person's tabs."""

    live_session_id: int
    event: str
    payload: Mapping[str, Any]
    to_user_id: int | None = None


class Asides:
    """`share(facts)` lets the other processes tell their members too."""

    def __init__(
        self, database: Database, live: LiveServer, registry: Registry, share: Callable[[Sequence[object]], None]
    ) -> None:
        self._database, self._live, self._registry, self._share = database, live, registry, share
        self._said: dict[tuple[int, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)  # by room and event
        self._tallies: dict[tuple[int, int], None] = {}  # rooms and polls, in the order they changed
        self._timer: asyncio.TimerHandle | None = None
        self._counting: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Nothing more is told."""
        if self._timer is not None:
            self._timer.cancel()
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)

    # ------------------------------------------------------------------ wishes

    async def typing(self, client: Client, wish: protocol.Typing) -> Mapping[str, Any]:
        """Raises NotJoined, ChatIsClosed."""
        require_may_chat(self._room(client, wish.live_session_id), client.actor.id)
        self._say(client, wish.live_session_id, "typing", {"on": wish.on})
        return {}

    async def media_level(self, client: Client, wish: protocol.MediaLevel) -> Mapping[str, Any]:
        """Raises NotJoined. Also from those who send to peers alone, whom the media worker does not know."""
        self._room(client, wish.live_session_id)
        self._say(client, wish.live_session_id, "media_level", {"level": wish.level})
        return {}

    async def peer_signal(self, client: Client, wish: protocol.PeerSignal) -> Mapping[str, Any]:
        """Raises NotJoined, NotInRoom, PeersNotAllowed."""
        room = self._room(client, wish.live_session_id)
        require_may_signal(room, client.actor.id, wish.to_user_id)
        told = {"live_session_id": wish.live_session_id, "from_user_id": client.actor.id, "data": wish.data}
        aside = Aside(wish.live_session_id, "peer_signal", told, wish.to_user_id)
        self.hear(aside)
        self._share([aside])
        return {}

    # ------------------------------------------------------------------ telling

    def hear(self, aside: Aside) -> None:
        """Tell the members this process holds."""
        if aside.to_user_id is None:
            self._live.broadcast_droppable(live_room(aside.live_session_id), aside.event, aside.payload)
            return
        for client in self._tabs(aside.live_session_id, aside.to_user_id):
            client.connection.emit_droppable(aside.event, aside.payload)

    def tally_changed(self, fact: TallyChanged) -> None:
        """Somebody answered: whoever may see the tally is told the next time."""
        self._tallies[fact.live_session_id, fact.poll] = None
        self._schedule()

    def _say(self, client: Client, live_session_id: int, event: str, said: Mapping[str, Any]) -> None:
        people = self._said[live_session_id, event]
        if len(people) < MOST_TOLD or client.actor.id in people:
            told = {"live_session_id": live_session_id, "user_id": client.actor.id, **said}
            people[client.actor.id] = told
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        said, self._said = self._said, defaultdict(dict)
        asides = [Aside(room, event, told) for (room, event), people in said.items() for told in people.values()]
        for aside in asides:
            self.hear(aside)
        if asides:
            self._share(asides)
        if self._tallies and (self._counting is None or self._counting.done()):
            self._counting = asyncio.get_running_loop().create_task(self._count())

    async def _count(self) -> None:
        polls = list(self._tallies)[:MOST_TALLIES]
        for key in polls:
            del self._tallies[key]
        try:
            for live_session_id, number in polls:
                await self._tell_tally(live_session_id, number)
        except LecternError:
            self._tallies.update(dict.fromkeys(polls))  # the database is away: tried again
        if self._tallies:
            self._schedule()

    async def _tell_tally(self, live_session_id: int, number: int) -> None:
        if self._open_poll(live_session_id, number) is None:
            return
        async with self._database.read() as read:
            poll = self._open_poll(live_session_id, number)
            found = await private.tally(read, live_session_id, poll) if poll is not None else None
        entry, poll = self._registry.known(live_session_id), self._open_poll(live_session_id, number)
        if poll is None or found is None or entry is None:
            return  # closed meanwhile: its closing told the tally
        told = {"live_session_id": live_session_id, **private.tally_shown(poll, found)}
        if not poll.hidden:
            self._live.broadcast_droppable(live_room(live_session_id), "poll_tally", told)
            return
        for client in self._tabs(live_session_id, entry.room.host_id):
            client.connection.emit_droppable("poll_tally", told)

    def _open_poll(self, live_session_id: int, number: int) -> Poll | None:
        """The poll, if somebody here is in its room and it is open."""
        entry = self._registry.known(live_session_id)
        if entry is None or not self._live.members(live_room(live_session_id)):
            return None
        return next((poll for poll in entry.room.polls if poll.poll == number and poll.open), None)

    def _tabs(self, live_session_id: int, user_id: int) -> list[Client]:
        inside = self._live.members(live_room(live_session_id))
        return [member.state for member in list(self._live.members(user_room(user_id))) if member in inside]

    def _room(self, client: Client, live_session_id: int) -> Room:
        """The room as told so far. Raises NotJoined."""
        place, entry = client.places.get(live_session_id), self._registry.known(live_session_id)
        if place is None or place.phase is Phase.WAITING or entry is None:
            raise NotJoined()
        return entry.room
