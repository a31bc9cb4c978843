"""Facts that were committed become emits, or the end of somebody's connection. Implements server.ports.Publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from server import events
from server.access import Role
from server.settings import Settings
from signaling.asides import Aside, Asides
from signaling.client import Client, course_room, user_room, waiting_room
from signaling.doorway import Doorway
from signaling.media_desk import MediaDesk
from signaling.rooms.effects import RoomClosed, RoomOpened
from signaling.rooms.private import TallyChanged
from signaling.transport import LiveServer

OPENING = 64  # waiting tabs let in at once when a class begins; the rest follow
log = structlog.get_logger(__name__)


class Errands:
    """Tasks nobody waits for, until close()."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, call: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("errand failed", exc_info=error)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Announcer:
    """Tells connected clients what happened. A failure here is logged and undoes nothing."""

    def __init__(
        self,
        settings: Settings,
        live: LiveServer,
        doorway: Doorway,
        media: MediaDesk,
        asides: Asides,
        errands: Errands,
    ) -> None:
        self._settings, self._live, self._doorway, self._media = settings, live, doorway, media
        self._errands = errands
        self._opening = asyncio.Semaphore(OPENING)
        self._being_let_in = set[tuple[str, int]]()  # connections and the class that opens for them
        self._tells: dict[type, Callable[[Any], None]] = {
            events.NotificationsAdded: self._notifications,
            events.LiveSessionChanged: self._live_session,
            events.EnrollmentActivated: self._enrolled,
            events.EnrollmentEnded: self._enrollment_ended,
            events.SignInsEnded: self._sign_ins_ended,
            events.RoleChanged: self._role_changed,
            events.ContentProgressed: self._content_progressed,
            events.ContentReady: self._content_ready,
            events.ContentFailed: self._content_failed,
            RoomOpened: self._room_opened,
            RoomClosed: self._room_closed,
            TallyChanged: asides.tally_changed,
            Aside: asides.hear,
        }

    def publish(self, facts: Sequence[object]) -> None:
        for fact in facts:
            tell = self._tells.get(type(fact))
            if tell is None:
                continue
            try:
                tell(fact)
            except Exception:
                log.exception("announcement failed", fact=type(fact).__name__)

    def _clients(self, user_id: int) -> list[Client]:
        return [member.state for member in list(self._live.members(user_room(user_id)))]

    def _notifications(self, fact: events.NotificationsAdded) -> None:
        for user_id, shown in fact.items:
            self._live.broadcast(user_room(user_id), "notification", shown)

    def _live_session(self, fact: events.LiveSessionChanged) -> None:
        shown = dict(fact.shown)
        shown["join_url"] = self._settings.base_url + str(shown["join_url"])
        if fact.course_id is None:
            self._live.broadcast(user_room(fact.host_id), "live_session", {**shown, "my_role": "instructor"})
            return
        for role in (Role.INSTRUCTOR, Role.STUDENT):
            told = {**shown, "my_role": role.value}
            self._live.broadcast(course_room(fact.course_id, role), "live_session", told)

    def _enrolled(self, fact: events.EnrollmentActivated) -> None:
        self._doorway.roster_changed(fact.course_id)
        for client in self._clients(fact.user_id):
            client.course_changes += 1
            client.courses[fact.course_id] = Role.STUDENT
            self._live.enter(client.connection, course_room(fact.course_id, Role.STUDENT))

    def _enrollment_ended(self, fact: events.EnrollmentEnded) -> None:
        self._doorway.roster_changed(fact.course_id)
        for client in self._clients(fact.user_id):
            client.course_changes += 1
            client.courses.pop(fact.course_id, None)
            self._live.leave(client.connection, course_room(fact.course_id, Role.STUDENT))
            for live_session_id, place in list(client.places.items()):
                if place.course_id == fact.course_id:
                    self._media.close(client, live_session_id, "revoked")
                    self._doorway.put_out(client, live_session_id, "revoked")

    def _sign_ins_ended(self, fact: events.SignInsEnded) -> None:
        for client in self._clients(fact.user_id):
            if not fact.sign_in_ids or client.actor.sign_in_id in fact.sign_in_ids:
                self._cut(client, "signed_out")

    def _role_changed(self, fact: events.RoleChanged) -> None:
        """Out, and in again by themselves as who they are now; their seats are held meanwhile."""
        for client in self._clients(fact.user_id):
            self._cut(client, "role_changed")

    def _cut(self, client: Client, reason: str) -> None:
        for live_session_id in list(client.places):
            self._media.close(client, live_session_id, reason)
        client.connection.close(reason.replace("_", " "))

    def _content_progressed(self, fact: events.ContentProgressed) -> None:
        told = {
            "content_id": fact.content_id,
            "course_id": fact.course_id,
            "stage": fact.stage,
            "percent": fact.percent,
            "revision": fact.revision,
        }
        self._live.broadcast_droppable(user_room(fact.user_id), "content_processing", told)

    def _content_ready(self, fact: events.ContentReady) -> None:
        told = {
            "content_id": fact.content_id,
            "course_id": fact.course_id,
            "stage": "ready",
            "percent": 100,
            "revision": fact.revision,
        }
        self._live.broadcast(user_room(fact.user_id), "content_ready", told)

    def _content_failed(self, fact: events.ContentFailed) -> None:
        told = {
            "content_id": fact.content_id,
            "course_id": fact.course_id,
            "stage": "failed",
            "percent": 0,
            "code": fact.code,
            "revision": fact.revision,
        }
        self._live.broadcast(user_room(fact.user_id), "content_failed", told)

    def put_out(self, live_session_id: int, user_id: int, reason: str) -> None:
        """All tabs of one person leave a room, and the media worker forgets them."""
        for client in self._clients(user_id):
            if live_session_id in client.places:
                self._media.close(client, live_session_id, reason)
                self._doorway.put_out(client, live_session_id, reason)

    def _room_opened(self, fact: RoomOpened) -> None:
        for member in self._live.members(waiting_room(fact.live_session_id)):
            if (key := (member.id, fact.live_session_id)) not in self._being_let_in:  # it is said again and again
                self._being_let_in.add(key)
                self._errands.spawn(self._open(member.state, fact.live_session_id))

    async def _open(self, client: Client, live_session_id: int) -> None:
        try:
            async with self._opening:
                await self._doorway.open(client, live_session_id)
        finally:
            self._being_let_in.discard((client.connection.id, live_session_id))

    def _room_closed(self, fact: RoomClosed) -> None:
        for client in self._doorway.audience(fact.live_session_id):
            self._media.close(client, fact.live_session_id, fact.reason)
            # The last events of the room go out before its closing is told.
            self._errands.spawn(self._put_out(client, fact))

    async def _put_out(self, client: Client, fact: RoomClosed) -> None:
        await asyncio.sleep(0)
        self._doorway.put_out(client, fact.live_session_id, fact.reason)
