"""Wishes of namespace /live: limits, parsing, the door; then a room command; always an acknowledgement.

Nothing is decided here: rooms decide in rooms/decide_*.py, membership in live_sessions, media in media_desk.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from server.access import Action, require
from server.db.database import Database, Reading
from server.errors import Internal, Invalid, LecternError, RateLimited
from server.http.problems import problem
from server.live_sessions import service as live_sessions
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from server.metrics import Metrics
from server.settings import Settings
from server.wire import invalid_from, rfc3339
from signaling import protocol
from signaling.asides import Asides
from signaling.client import Client, Phase, Place
from signaling.doorway import Doorway, NotJoined
from signaling.handshake import Handshake
from signaling.limits import Bucket
from signaling.media_desk import MediaDesk
from signaling.protocol import WISHES, Durable
from signaling.room_wishes import ROOM_WISHES, RoomWish
from signaling.rooms import log as timeline_log
from signaling.rooms.presence import Presence
from signaling.rooms.timeline import Answer
from signaling.rooms.writer import Writer
from signaling.transport import Connection

MEDIA = ("media_publish", "media_subscribe", "media_answer", "media_restart", "media_unpublish", "media_prefer")
SIGNALING = frozenset({*MEDIA, "media_level", "peer_signal"})
CHAT = (protocol.ChatSend, protocol.ChatEdit, protocol.ChatReact)  # share the allowance for chat
MOST_CHATTERS = 10_000  # chat allowances kept; full ones are dropped first, being worth nothing
log = structlog.get_logger(__name__)


class UnknownEvent(Invalid):
    code, sentence = "unknown_event", "There is no such event."


class Again(dict[str, Any]):
    """The answer to a repeated wish; it costs nothing."""


class LiveNamespace:
    """Implements signaling.transport.Handlers."""

    events = frozenset(WISHES)

    def __init__(self, settings: Settings, database: Database, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings, self._database, self._metrics, self._clock = settings, database, metrics, clock
        self._done = {event: metrics.wishes.labels(event, "ok") for event in WISHES}
        self._chat: dict[tuple[int, int], Bucket] = {}
        self._handlers: dict[str, Callable[[Client, Any], Awaitable[Mapping[str, Any]]]] = {}

    def use(
        self,
        handshake: Handshake,
        doorway: Doorway,
        writer: Writer,
        presence: Presence,
        media: MediaDesk,
        asides: Asides,
    ) -> None:
        """The parts that need the server this namespace is served by; called once, before the first connection."""
        self._handshake, self._doorway, self._writer = handshake, doorway, writer
        self._presence, self._media = presence, media
        self._handlers = {
            "join": self._join,
            "leave": self._leave,
            "sync": self._sync,
            "session_start": self._session_start,
            "session_end": self._session_end,
            "typing": asides.typing,
            "media_level": asides.media_level,
            "peer_signal": asides.peer_signal,
            "media_publish": media.publish,
            "media_subscribe": media.subscribe,
            "media_answer": media.answer,
            "media_restart": media.restart,
            "media_unpublish": media.unpublish,
            "media_prefer": media.prefer,
            "auth_refresh": self._auth_refresh,
            **{event: partial(self._act, wanted) for event, wanted in ROOM_WISHES.items()},
        }

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        await self._handshake.admit(connection, auth)
        self._metrics.connections.inc()

    async def disconnected(self, connection: Connection, reason: str) -> None:
        client: Client = connection.state
        self._metrics.connections.dec()
        self._handshake.forget(client)
        self._presence.went(client)
        await self._doorway.vanish(client)

    async def unknown(self, connection: Connection, event: str) -> dict[str, Any]:
        return self._refusal(connection, event[:64], self._counted(connection, event, UnknownEvent()))

    async def refused(
        self, connection: Connection, event: str, reason: str, retry_after: float | None
    ) -> dict[str, Any]:
        if retry_after is not None:
            return self._refusal(connection, event[:64], RateLimited(retry_after))
        detail = "Binary data is not accepted." if reason == "binary" else "Send exactly one object."
        return self._refusal(connection, event[:64], self._counted(connection, event, Invalid(detail)))

    async def handle(self, connection: Connection, event: str, payload: object) -> dict[str, Any]:
        """Answer one wish; a refusal is an answer too."""
        client: Client = connection.state
        try:
            wish = self._parsed(event, payload)
        except LecternError as error:
            return self._refusal(connection, event, self._counted(connection, event, error))
        try:
            taken = await self._take_allowance(client, event, wish)
            answer = await self._handlers[event](client, wish)
        except LecternError as error:
            return self._refusal(connection, event, error)
        except Exception:
            log.exception("wish failed", wish=event)
            return self._refusal(connection, event, Internal())
        if isinstance(answer, Again):
            for bucket in taken:
                bucket.give_back()
        self._done[event].inc()
        return {"ok": True, **answer}

    def _refusal(self, connection: Connection, event: str, error: LecternError) -> dict[str, Any]:
        name = event if event in WISHES else "unknown"
        self._metrics.wishes.labels(name, error.code).inc()
        client: Client = connection.state
        if isinstance(error, RateLimited) and client.strikes.strike():
            connection.close("too many refused requests")
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        return {"ok": False, "error": problem(error, request_id)}

    def _parsed(self, event: str, payload: object) -> BaseModel:
        try:
            return WISHES[event].payload.model_validate(payload)
        except ValidationError as error:
            raise invalid_from(error) from error

    @staticmethod
    def _counted(connection: Connection, event: str, error: LecternError) -> LecternError:
        """What cannot be understood costs as much as what can: `error`, or that there were too many."""
        client: Client = connection.state
        wait = _bucket(client, event).take()
        return RateLimited(wait) if wait else error

    async def _take_allowance(self, client: Client, event: str, wish: BaseModel) -> list[Bucket]:
        """Where it was taken from. Raises RateLimited, unless it repeats a wish that was carried out."""
        buckets = [_bucket(client, event)]
        if isinstance(wish, CHAT):
            buckets.append(self._chat_bucket(client.actor.id, wish.live_session_id))
        taken = list[Bucket]()
        for bucket in buckets:
            if wait := bucket.take():
                if isinstance(wish, Durable) and await self._stored(client, wish) is not None:
                    break
                raise RateLimited(wait)
            taken.append(bucket)
        return taken

    def _chat_bucket(self, user_id: int, live_session_id: int) -> Bucket:
        key = (live_session_id, user_id)
        if key not in self._chat:
            if len(self._chat) >= MOST_CHATTERS:
                self._chat = {k: b for k, b in self._chat.items() if not b.is_full}
            self._chat[key] = Bucket(self._settings.limit_chat_per_second, self._settings.limit_chat_burst, self._clock)
        return self._chat[key]

    async def _stored(self, client: Client, wish: Durable) -> Answer | None:
        """The answer this wish was given when it was carried out."""
        async with self._database.read() as read:
            stored = await timeline_log.answer_to(read, wish.live_session_id, client.actor.id, str(wish.client_id))
        return Answer(stored.seq, stored.at, is_repeat=True, extra=stored.extra) if stored is not None else None

    @staticmethod
    def _inside(client: Client, live_session_id: int) -> Place | None:
        """Its place, if this tab is in the room."""
        place = client.places.get(live_session_id)
        return None if place is None or place.phase is Phase.WAITING else place

    async def _act(self, wanted: RoomWish, client: Client, wish: Durable) -> dict[str, Any]:
        """A durable wish inside a room becomes its command."""
        me = client.actor.id
        place = self._inside(client, wish.live_session_id)
        if place is None:
            # The class may be over, or the door closed, since it was carried out: the answer is still owed.
            if (stored := await self._stored(client, wish)) is not None:
                return self._shown(stored)
            raise NotJoined()
        require(place.role, wanted.action(me, wish))
        answer = await self._writer.act(
            wish.live_session_id, wanted.command(me, wish), actor_id=me, client_id=str(wish.client_id)
        )
        return self._shown(answer)

    @staticmethod
    def _shown(answer: Answer, **more: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"seq": answer.seq, "at": rfc3339(answer.at)}
        if answer.is_unchanged:
            shown["unchanged"] = True
        kind = Again if answer.is_repeat else dict
        return kind({**more, **shown, **answer.extra})

    async def _join(self, client: Client, wish: protocol.Join) -> Mapping[str, Any]:
        return await self._doorway.join(client, wish.live_session_id, wish.after, wish.invite_code)

    async def _leave(self, client: Client, wish: protocol.Leave) -> Mapping[str, Any]:
        self._media.close(client, wish.live_session_id)
        await self._doorway.leave(client, wish.live_session_id)
        return {}

    async def _sync(self, client: Client, wish: protocol.Sync) -> Mapping[str, Any]:
        return await self._doorway.sync(client, wish.live_session_id, wish.epoch, wish.after)

    async def _session_start(self, client: Client, wish: protocol.SessionStart) -> Mapping[str, Any]:
        return self._shown(await self._run(client, wish, StartLiveSession), notified=0)

    async def _session_end(self, client: Client, wish: protocol.SessionEnd) -> Mapping[str, Any]:
        return self._shown(await self._run(client, wish, EndLiveSession))

    async def _run(self, client: Client, wish: Durable, command: Any) -> Answer:
        async with self._database.read() as read:
            _, role = await live_sessions.membership(read, client.actor.id, wish.live_session_id)
        require(role, Action.LIVE_SESSION_RUN)
        wanted = command(wish.live_session_id, client.actor.id, str(wish.client_id))
        return await self._writer.act(
            wish.live_session_id,
            wanted,
            actor_id=client.actor.id,
            client_id=str(wish.client_id),
            show=partial(self._live_session, client, wish.live_session_id),
        )

    async def _live_session(self, client: Client, live_session_id: int, read: Reading) -> dict[str, Any]:
        row, role = await live_sessions.membership(read, client.actor.id, live_session_id)
        roles = {row.id: role} if role else {}
        shown = await live_sessions.shown_many(read, [row], roles, base_url=self._settings.base_url)
        return {"live_session": shown[0].model_dump(mode="json")}

    async def _auth_refresh(self, client: Client, wish: protocol.AuthRefresh) -> Mapping[str, Any]:
        await self._handshake.refresh(client, wish.token)
        return {}


def _bucket(client: Client, event: str) -> Bucket:
    return client.signaling if event in SIGNALING else client.events
