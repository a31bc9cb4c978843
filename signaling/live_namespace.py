"""Wishes of namespace /live: limits, parsing, the door; then a room command; always an acknowledgement.

Nothing is decided here: rooms decide in rooms/room.py, membership in live_sessions, media in media_desk.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from server.access import Action, require
from server.db.database import Database
from server.errors import Internal, Invalid, LecternError, RateLimited
from server.http.problems import problem
from server.live_sessions import service as live_sessions
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from server.metrics import Metrics
from server.settings import Settings
from server.wire import invalid_from, rfc3339
from signaling import protocol
from signaling.client import Client, Phase, Place
from signaling.doorway import Doorway, NotJoined
from signaling.handshake import Handshake
from signaling.limits import Bucket
from signaling.media_desk import MediaDesk
from signaling.protocol import WISHES, Durable
from signaling.rooms import log as timeline_log
from signaling.rooms.presence import Presence
from signaling.rooms.room import GiveFloor, LowerHand, PostChat, RaiseHand, TakeFloor
from signaling.rooms.timeline import Answer
from signaling.rooms.writer import Writer
from signaling.transport import Connection

SIGNALING = frozenset({"media_publish", "media_subscribe", "media_answer", "media_restart", "media_unpublish"})
MOST_CHATTERS = 10_000  # chat allowances kept; full ones are dropped first, being worth nothing
log = structlog.get_logger(__name__)


class UnknownEvent(Invalid):
    code, sentence = "unknown_event", "There is no such event."


class LiveNamespace:
    """Implements signaling.transport.Handlers."""

    events = frozenset(WISHES)

    def __init__(self, settings: Settings, database: Database, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings, self._database, self._metrics, self._clock = settings, database, metrics, clock
        self._chat: dict[tuple[int, int], Bucket] = {}
        self._handlers: dict[str, Callable[[Client, Any], Awaitable[Mapping[str, Any]]]] = {}

    def use(self, handshake: Handshake, doorway: Doorway, writer: Writer, presence: Presence, media: MediaDesk) -> None:
        """The parts that need the server this namespace is served by; called once, before the first connection."""
        self._handshake, self._doorway, self._writer = handshake, doorway, writer
        self._presence, self._media = presence, media
        self._handlers = {
            "join": self._join,
            "leave": self._leave,
            "sync": self._sync,
            "session_start": self._session_start,
            "session_end": self._session_end,
            "chat_send": self._chat_send,
            "hand_raise": self._hand_raise,
            "hand_lower": self._hand_lower,
            "floor_give": self._floor_give,
            "floor_take": self._floor_take,
            "media_publish": media.publish,
            "media_subscribe": media.subscribe,
            "media_answer": media.answer,
            "media_restart": media.restart,
            "media_unpublish": media.unpublish,
            "auth_refresh": self._auth_refresh,
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
        return self._refusal(connection, event[:64], UnknownEvent())

    async def refused(
        self, connection: Connection, event: str, reason: str, retry_after: float | None
    ) -> dict[str, Any]:
        if retry_after is not None:
            return self._refusal(connection, event[:64], RateLimited(retry_after))
        detail = "Binary data is not accepted." if reason == "binary" else "Send exactly one object."
        return self._refusal(connection, event[:64], Invalid(detail))

    async def handle(self, connection: Connection, event: str, payload: object) -> dict[str, Any]:
        """Answer one wish; a refusal is an answer too."""
        client: Client = connection.state
        try:
            wish = self._parsed(event, payload)
            await self._require_allowance(client, event, wish)
            answer = await self._handlers[event](client, wish)
        except LecternError as error:
            return self._refusal(connection, event, error)
        except Exception:
            log.exception("wish failed", wish=event)
            return self._refusal(connection, event, Internal())
        self._metrics.wishes.labels(event, "ok").inc()
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

    async def _require_allowance(self, client: Client, event: str, wish: BaseModel) -> None:
        """Raises RateLimited, unless it repeats a wish that was carried out: that costs nothing."""
        bucket = client.signaling if event in SIGNALING else client.events
        wait = bucket.take()
        if not wait and isinstance(wish, protocol.ChatSend):
            wait = self._chat_bucket(client.actor.id, wish.live_session_id).take()
        if wait and not (isinstance(wish, Durable) and await self._is_repeat(client, wish)):
            raise RateLimited(wait)

    def _chat_bucket(self, user_id: int, live_session_id: int) -> Bucket:
        key = (live_session_id, user_id)
        if key not in self._chat:
            if len(self._chat) >= MOST_CHATTERS:
                self._chat = {k: b for k, b in self._chat.items() if not b.is_full}
            self._chat[key] = Bucket(self._settings.limit_chat_per_second, self._settings.limit_chat_burst, self._clock)
        return self._chat[key]

    async def _is_repeat(self, client: Client, wish: Durable) -> bool:
        async with self._database.read() as read:
            stored = await timeline_log.answer_to(read, wish.live_session_id, client.actor.id, str(wish.client_id))
        return stored is not None

    def _inside(self, client: Client, live_session_id: int) -> Place:
        """Raises NotJoined for a tab that is not in the room."""
        place = client.places.get(live_session_id)
        if place is None or place.phase is Phase.WAITING:
            raise NotJoined()
        return place

    async def _act(self, client: Client, wish: Durable, action: Action, command: Any) -> dict[str, Any]:
        place = self._inside(client, wish.live_session_id)
        require(place.role, action)
        return self._shown(
            await self._writer.act(
                wish.live_session_id, command, actor_id=client.actor.id, client_id=str(wish.client_id)
            )
        )

    @staticmethod
    def _shown(answer: Answer) -> dict[str, Any]:
        shown: dict[str, Any] = {"seq": answer.seq, "at": rfc3339(answer.at)}
        if answer.is_unchanged:
            shown["unchanged"] = True
        return {**shown, **answer.extra}

    async def _join(self, client: Client, wish: protocol.Join) -> Mapping[str, Any]:
        return await self._doorway.join(client, wish.live_session_id, wish.after, wish.invite_code)

    async def _leave(self, client: Client, wish: protocol.Leave) -> Mapping[str, Any]:
        self._media.close(client, wish.live_session_id)
        await self._doorway.leave(client, wish.live_session_id)
        return {}

    async def _sync(self, client: Client, wish: protocol.Sync) -> Mapping[str, Any]:
        return await self._doorway.sync(client, wish.live_session_id, wish.epoch, wish.after)

    async def _session_start(self, client: Client, wish: protocol.SessionStart) -> Mapping[str, Any]:
        answer = await self._run(client, wish, StartLiveSession)
        shown = await self._live_session(client, wish.live_session_id)
        return {"notified": 0, **self._shown(answer), "live_session": shown}

    async def _session_end(self, client: Client, wish: protocol.SessionEnd) -> Mapping[str, Any]:
        answer = await self._run(client, wish, EndLiveSession)
        return {**self._shown(answer), "live_session": await self._live_session(client, wish.live_session_id)}

    async def _run(self, client: Client, wish: Durable, command: Any) -> Answer:
        async with self._database.read() as read:
            _, role = await live_sessions.membership(read, client.actor.id, wish.live_session_id)
        require(role, Action.LIVE_SESSION_RUN)
        wanted = command(wish.live_session_id, client.actor.id, str(wish.client_id))
        return await self._writer.act(
            wish.live_session_id, wanted, actor_id=client.actor.id, client_id=str(wish.client_id)
        )

    async def _live_session(self, client: Client, live_session_id: int) -> dict[str, Any]:
        async with self._database.read() as read:
            row, role = await live_sessions.membership(read, client.actor.id, live_session_id)
            roles = {row.id: role} if role else {}
            shown = await live_sessions.shown_many(read, [row], roles, base_url=self._settings.base_url)
        return shown[0].model_dump(mode="json")

    async def _chat_send(self, client: Client, wish: protocol.ChatSend) -> Mapping[str, Any]:
        command = PostChat(client.actor.id, wish.text, wish.reply_to)
        return await self._act(client, wish, Action.ROOM_CHAT, command)

    async def _hand_raise(self, client: Client, wish: protocol.HandRaise) -> Mapping[str, Any]:
        return await self._act(client, wish, Action.ROOM_RAISE_HAND, RaiseHand(client.actor.id))

    async def _hand_lower(self, client: Client, wish: protocol.HandLower) -> Mapping[str, Any]:
        of_user_id = wish.user_id or client.actor.id
        action = Action.ROOM_ENTER if of_user_id == client.actor.id else Action.ROOM_MANAGE_HANDS
        return await self._act(client, wish, action, LowerHand(client.actor.id, of_user_id))

    async def _floor_give(self, client: Client, wish: protocol.FloorGive) -> Mapping[str, Any]:
        return await self._act(client, wish, Action.ROOM_MANAGE_FLOOR, GiveFloor(client.actor.id, wish.user_id))

    async def _floor_take(self, client: Client, wish: protocol.FloorTake) -> Mapping[str, Any]:
        action = Action.ROOM_ENTER if wish.user_id == client.actor.id else Action.ROOM_MANAGE_FLOOR
        return await self._act(client, wish, action, TakeFloor(client.actor.id, wish.user_id))

    async def _auth_refresh(self, client: Client, wish: protocol.AuthRefresh) -> Mapping[str, Any]:
        await self._handshake.refresh(client, wish.token)
        return {}
