"""How a tab gets into a room and catches up: from a position, from a snapshot, or by waiting until the class begins.

The last step of catching up is taken without an await: the answer is made from the room as told so far and the tab
joins the audience in the same breath, so live events begin exactly behind the answer.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import structlog
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from server.access import Role
from server.db.database import Database
from server.errors import Away, Conflict, LecternError, Missing
from server.live_sessions import service as live_sessions
from server.live_sessions.door import Door
from server.live_sessions.tables import LiveSession, LiveSessionGuest
from server.settings import Settings
from signaling.client import Client, Phase, Place, entering_room, live_room, room_of, waiting_room
from signaling.protocol import WISHES, After
from signaling.rooms import log as timeline_log
from signaling.rooms import private
from signaling.rooms.presence import Presence
from signaling.rooms.registry import Entry
from signaling.rooms.room import Leave, SessionNotLive, Vacate
from signaling.rooms.state import Room, TimelineEvent
from signaling.rooms.timeline import Timeline
from signaling.rooms.writer import Writer
from signaling.rosters import Rosters
from signaling.seats import entering
from signaling.transport import LiveServer
from signaling.turn import ice_servers

PAGE_EVENTS, PAGE_BYTES = 500, 256 * 1024
OPEN_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)  # while the database is away; then the tab has to join again
MOST_MISSED = 5_000  # beyond it a snapshot is quicker
WHO_IS = {  # what a wish's `who` means for a role; the floor comes and goes, and is in the room's state
    Role.INSTRUCTOR: ("member", "instructor", "who has the floor"),
    Role.STUDENT: ("member", "student"),
    Role.GUEST: ("member", "student"),
}
MAY = {role: [name for name, wish in WISHES.items() if wish.who in who] for role, who in WHO_IS.items()}
log = structlog.get_logger(__name__)


class NotJoined(Conflict):
    code, sentence = "not_joined", "Join the class first."


class NoSuchClass(Missing):
    sentence = "There is no such class, or you are not in its course."


class WrongInviteCode(NoSuchClass):
    """The same answer as for a class that does not exist; it counts like a wrong password."""


class Guess(Protocol):
    """Around anything that may be guessed: limits failures by account and address. Raises RateLimited."""

    def __call__(self, account: str, address: str, wrong: type[LecternError]) -> AbstractAsyncContextManager[None]: ...


class Doorway:
    """Joining, leaving, catching up."""

    def __init__(
        self, settings: Settings, database: Database, live: LiveServer, timeline: Timeline, writer: Writer,
        presence: Presence, rosters: Rosters, guess: Guess,
    ) -> None:  # fmt: skip
        self._settings, self._database, self._live = settings, database, live
        self._timeline, self._registry = timeline, timeline.registry
        self._writer, self._presence, self._rosters, self._guess = writer, presence, rosters, guess
        self._door = Door(database)

    async def join(
        self, client: Client, live_session_id: int, after: After | None, invite_code: str | None
    ) -> dict[str, Any]:
        """The acknowledgement of `join`. Raises Missing, SessionNotLive, RoomFull."""
        heard = client.course_changes
        row, role = await self._membership(client, live_session_id, invite_code)
        if row.status == "scheduled":
            self._place(client, row, role, Phase.WAITING)
            heard = client.course_changes
            row, _ = await self._membership(client, live_session_id, None)
            if row.status == "scheduled":  # looked again: it did not begin between the look and the seat
                return {"waiting": True, "live_session": await self._shown(row, role)}
        if row.status != "live":
            self._displace(client, live_session_id)
            raise SessionNotLive()
        return await self._enter(client, row, role, after, heard)

    async def open(self, client: Client, live_session_id: int) -> None:
        """The class a tab waited for is live: it enters, and is told as by the answer to `join`."""
        for pause in (*OPEN_PAUSES_SECONDS, None):
            place = client.places.get(live_session_id)
            if place is None or place.phase is not Phase.WAITING:
                return
            heard = client.course_changes
            try:
                row, role = await self._membership(client, live_session_id, None)
                if client.places.get(live_session_id) is not place:
                    return  # it left, or was put out, while its membership was read
                body = await self._enter(client, row, role, None, heard)
            except Away as error:
                log.info("waiting tab waits on", live_session_id=live_session_id, reason=error.code)
                if pause is None or client.connection.gone:
                    return
                client.places.setdefault(live_session_id, place).phase = Phase.WAITING
                self._set_phase(client, live_session_id, client.places[live_session_id], Phase.WAITING)
                await asyncio.sleep(pause)
            except LecternError as error:
                log.info("waiting tab not let in", live_session_id=live_session_id, reason=error.code)
                return
            else:
                client.connection.emit("room_opened", {"live_session_id": live_session_id, "ok": True, **body})
                return

    async def sync(self, client: Client, live_session_id: int, epoch: str, after: int) -> dict[str, Any]:
        """The next page of what was missed. Raises NotJoined, Missing."""
        _, role = await self._membership(client, live_session_id, None)
        place = client.places.get(live_session_id)
        if place is None or place.phase is Phase.WAITING:
            raise NotJoined()
        place.role = role
        return await self._page(client, live_session_id, place, After(epoch=epoch, seq=after))

    async def leave(self, client: Client, live_session_id: int) -> None:
        """Out of the room, by wish."""
        place = self._displace(client, live_session_id)
        if place is not None and place.phase is not Phase.WAITING:
            await self._writer.act(live_session_id, Leave(client.actor.id, client.connection.id))

    async def vanish(self, client: Client) -> None:
        """The connection is gone: seats are held for its person."""
        for live_session_id in list(client.places):
            place = self._displace(client, live_session_id)
            if place is not None and place.phase is not Phase.WAITING:
                await self._vacate(client, live_session_id)

    async def _give_back(self, client: Client, live_session_id: int, *, is_in_doubt: bool) -> None:
        """The seat of a tab that did not get in is held for its person, if that still belongs to the class."""
        try:
            if is_in_doubt and (await self._door.membership(client.actor.id, live_session_id))[1] is None:
                await self._writer.act(live_session_id, Leave(client.actor.id))
                return
        except LecternError as error:
            log.warning("seat not given up", live_session_id=live_session_id, reason=error.code)
        await self._vacate(client, live_session_id)

    async def _vacate(self, client: Client, live_session_id: int) -> None:
        try:
            await self._writer.act(live_session_id, Vacate(client.actor.id, client.connection.id))
        except LecternError as error:
            log.warning("seat not vacated", live_session_id=live_session_id, reason=error.code)

    def put_out(self, client: Client, live_session_id: int, reason: str) -> None:
        """Out of the room, by another's will: told why, and nothing of the room after it."""
        if self._displace(client, live_session_id) is not None:
            client.connection.emit("room_closed", {"live_session_id": live_session_id, "reason": reason})

    def audience(self, live_session_id: int) -> list[Client]:
        """Every tab that is in the room, entering it or waiting for it."""
        rooms = (live_room(live_session_id), entering_room(live_session_id), waiting_room(live_session_id))
        return [member.state for room in rooms for member in list(self._live.members(room))]

    def roster_changed(self, course_id: int) -> None:
        """Somebody belongs to this course now, or no more."""
        self._rosters.forget(course_id)

    async def _membership(
        self, client: Client, live_session_id: int, invite_code: str | None
    ) -> tuple[LiveSession, Role]:
        row, role = await self._door.membership(client.actor.id, live_session_id)
        if role is None and row.course_id is None and row.invite_code and invite_code:
            async with self._guess(f"person {client.actor.id}", client.connection.remote_address, WrongInviteCode):
                if not hmac.compare_digest(row.invite_code.encode(), invite_code.encode()):
                    raise WrongInviteCode()
            await self._admit_guest(client, live_session_id)
            role = Role.GUEST
        if role is None:
            raise NoSuchClass()
        return row, role

    async def _admit_guest(self, client: Client, live_session_id: int) -> None:
        try:
            async with self._database.work("admit guest") as work:
                await work.execute(
                    insert(LiveSessionGuest).values(
                        live_session_id=live_session_id, user_id=client.actor.id, created_at=work.now
                    )
                )
        except IntegrityError:
            log.info("guest admitted already", live_session_id=live_session_id)

    async def _enter(
        self, client: Client, row: LiveSession, role: Role, after: After | None, heard: int
    ) -> dict[str, Any]:
        """`heard` is how many changes of this person's courses were heard before `role` was asked for."""
        actor, room_id = client.actor, row.id
        # An enrollment that ended before this place was taken puts nobody out of it. Later ends do.
        is_overtaken = client.course_changes != heard
        before = self._told_to(client, room_id)
        place = self._place(client, row, role, Phase.CATCHING_UP)
        may_have_seat = True  # also when the end of its commit was not seen
        try:
            try:
                answer = await self._writer.act(room_id, entering(client, role))
            except LecternError as error:
                may_have_seat = isinstance(error, Away)
                raise
            entry = await self._registry.reached(room_id, answer.seq)
            if is_overtaken:
                _, role_now = await self._door.membership(actor.id, room_id)
                if role_now is None:
                    await self._writer.act(room_id, Leave(actor.id))
                    raise NoSuchClass()
            roster = await self._rosters.of(row, actor.id)
            own = await self._own(entry.room, actor.id)
            page = await self._page(client, room_id, place, after)
        except BaseException as error:
            if before is not None and isinstance(error, Away) and self._goes_on(client, room_id, place, before):
                raise
            # Put out by another's will meanwhile, or failed: either way this connection holds no seat.
            if client.places.get(room_id) is place:
                self._displace(client, room_id)
            if may_have_seat and room_id not in client.places:
                await self._give_back(client, room_id, is_in_doubt=client.course_changes != heard)
            raise
        you = {**self._you(client, place), **own}
        relays = ice_servers(self._settings.turn_urls, self._settings.turn_secret, actor.id, time.time())
        place.has_roster = True
        return {**page, "you": you, "roster": self._rosters.ready(room_id, roster), "ice_servers": relays}

    def _told_to(self, client: Client, live_session_id: int) -> After | None:
        """How far a tab that is in the room already was told."""
        place, entry = client.places.get(live_session_id), self._registry.known(live_session_id)
        if place is None or place.phase is not Phase.LIVE or entry is None:
            return None
        return After(epoch=entry.epoch, seq=entry.room.seq)

    def _goes_on(self, client: Client, live_session_id: int, place: Place, told: After) -> bool:
        """A tab that was in and could not join once more stays in, and is told what it missed by trying.

        False when that is not in memory.
        """
        entry = self._registry.known(live_session_id)
        if client.places.get(live_session_id) is not place or entry is None or entry.epoch != told.epoch:
            return False
        if (events := entry.events_after(told.seq)) is None:
            return False
        if events:
            missed = [event.wire() for event in events]
            page = {"live_session_id": live_session_id, "epoch": entry.epoch, "events": missed}
            client.connection.emit("timeline", page)
        self._set_phase(client, live_session_id, place, Phase.LIVE)
        return True

    async def _page(self, client: Client, live_session_id: int, place: Place, after: After | None) -> dict[str, Any]:
        """One page; with the last one the tab is live. Nothing awaits between reading the room and entering it."""
        self._set_phase(client, live_session_id, place, Phase.CATCHING_UP)
        entry = await self._registry.entry(live_session_id)
        if after is not None and after.epoch == entry.epoch and after.seq > entry.room.seq:
            await self._registry.catch_up(live_session_id)  # another process may have written it
            await self._timeline.renew_epoch(live_session_id, after.epoch, after.seq, said_by=client.actor.id)
            entry = await self._registry.entry(live_session_id)
        if after is None or after.epoch != entry.epoch or not 0 <= entry.room.seq - after.seq <= MOST_MISSED:
            return self._shown_anew(client, live_session_id, place, entry)
        events = entry.events_after(after.seq)
        if events is None:
            async with self._database.read() as read:
                events = await timeline_log.events_after(read, live_session_id, after.seq, PAGE_EVENTS)
            entry = await self._registry.entry(live_session_id)
            if after.epoch != entry.epoch:  # these events may be of another log than those before
                return self._shown_anew(client, live_session_id, place, entry)
            events = [event for event in events if event.seq <= entry.room.seq]
        shown = _bounded(events)
        seq = shown[-1]["seq"] if shown else after.seq
        more = seq < entry.room.seq
        if not more:
            self._set_phase(client, live_session_id, place, Phase.LIVE)
        return {"epoch": entry.epoch, "seq": seq, "events": shown, "more": more}

    def _shown_anew(self, client: Client, live_session_id: int, place: Place, entry: Entry) -> dict[str, Any]:
        """The room as it is, whatever the tab knew before."""
        self._set_phase(client, live_session_id, place, Phase.LIVE)
        return {"epoch": entry.epoch, "seq": entry.room.seq, "snapshot": entry.snapshot()}

    def _place(self, client: Client, row: LiveSession, role: Role, phase: Phase) -> Place:
        live_session_id = row.id
        place = client.places.get(live_session_id)
        if place is None:
            place = client.places[live_session_id] = Place(role, phase, row.course_id)
            is_entering = phase is not Phase.WAITING
        else:
            is_entering = place.phase is Phase.WAITING and phase is not Phase.WAITING
        if is_entering:
            self._presence.entered(client, live_session_id, row.course_id)
        place.role = role
        self._set_phase(client, live_session_id, place, phase)
        return place

    def _displace(self, client: Client, live_session_id: int) -> Place | None:
        place = client.places.pop(live_session_id, None)
        if place is None:
            return None
        self._live.leave(client.connection, place.audience)
        place.audience = ""
        if place.phase is not Phase.WAITING:
            self._presence.left(client, live_session_id, place.course_id)
        return place

    def _set_phase(self, client: Client, live_session_id: int, place: Place, phase: Phase) -> None:
        """A tab that was put out meanwhile stays out."""
        if client.places.get(live_session_id) is not place:
            raise NotJoined("You are not in this class any more.")
        place.phase = phase
        audience = room_of(phase, live_session_id)
        if place.audience != audience:
            self._live.leave(client.connection, place.audience)
            self._live.enter(client.connection, audience)
            place.audience = audience

    async def _shown(self, row: LiveSession, role: Role) -> dict[str, Any]:
        async with self._database.read() as read:
            shown = await live_sessions.shown_many(read, [row], {row.id: role}, base_url=self._settings.base_url)
        return shown[0].model_dump(mode="json")

    async def _own(self, room: Room, user_id: int) -> dict[str, Any]:
        """What this person gave to what is open; most of the time nothing is."""
        if not private.has_open(room):
            return {}
        async with self._database.read() as read:
            return await private.own(read, room, user_id)

    @staticmethod
    def _you(client: Client, place: Place) -> dict[str, Any]:
        return {"user_id": client.actor.id, "role": place.role.value, "may": MAY[place.role]}


def _bounded(events: Sequence[TimelineEvent]) -> list[dict[str, Any]]:
    """As many as one page may hold, at least one."""
    shown: list[dict[str, Any]] = []
    size = 0
    for event in events[:PAGE_EVENTS]:
        line = event.wire()
        size += len(json.dumps(line, separators=(",", ":")))
        if shown and size > PAGE_BYTES:
            break
        shown.append(line)
    return shown
