"""The only way in: a token becomes an actor, the actor's courses become the rooms that tell about them.

A connection is personal at once (notifications arrive without joining anything); it ends with its token unless that is
refreshed, with its sign-in, or with the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from server.access import Actor
from server.db.database import Database
from server.errors import Away, Draining, Invalid, LecternError, RateLimited, Unauthenticated
from server.http.keys import Authenticate, Readiness
from server.http.problems import problem
from server.ports import Clock
from server.settings import Settings
from server.wire import rfc3339
from signaling.arrivals import Arrival, Arrivals
from signaling.client import Client, course_room, user_room
from signaling.rooms.presence import Presence
from signaling.tab_limit import TabLimit
from signaling.transport import Connection, ConnectRefused, LiveServer

WARN_SECONDS = 60.0  # before the end; a token that lives shorter is warned about half-way
GRACE_SECONDS = 3.0  # after the end, for a refresh that is on its way


class TooManyConnections(RateLimited):
    code, sentence = "too_many_connections", "You have too many Lectern tabs open; close one and try again."


class Handshake:
    """Admits connections and keeps watch over their tokens."""

    def __init__(
        self, settings: Settings, database: Database, authenticate: Authenticate, presence: Presence,
        readiness: Readiness, clock: Clock,
    ) -> None:  # fmt: skip
        self._settings, self._arrivals, self._authenticate = settings, Arrivals(database), authenticate
        self._presence, self._readiness, self._clock = presence, readiness, clock
        self._tab_limit = TabLimit(presence, database, settings.limit_connections_per_user)
        self.live: LiveServer  # set by the gateway, which needs the namespace first

    async def admit(self, connection: Connection, auth: Mapping[str, Any]) -> Client:
        """The client of an accepted connection. Raises ConnectRefused."""
        try:
            return await self._admitted(connection, auth)
        except LecternError as error:
            if isinstance(error, Away):
                connection.close(error.code)  # a refusal would keep the official client from coming back
            raise ConnectRefused(error.code, problem(error, connection.trace)) from error

    async def _admitted(self, connection: Connection, auth: Mapping[str, Any]) -> Client:
        if self._readiness.draining:
            connection.close("server going away")
            raise Draining()
        after = auth.get("notifications_after")
        if isinstance(after, str) and after.isascii() and after.isdigit() and len(after) < 19:
            after = int(after)
        if after is not None and (not isinstance(after, int) or isinstance(after, bool) or not 0 <= after < 2**63):
            raise Invalid(errors=[{"pointer": "/notifications_after", "detail": "needs the id of a notification"}])
        actor = await self.actor_of(auth.get("token"))
        admitting = self._tab_limit.admitting
        admitting[actor.id] += 1
        try:
            if self._tab_limit.is_over(actor.id):
                if not await self._tab_limit.comes_down(actor.id, connection):
                    raise TooManyConnections(5)
                actor = await self.actor_of(auth.get("token"))  # its sign-in may have ended meanwhile
            client = Client.of(connection, actor, self._settings)
            connection.state = client
            # In before the inbox is read: what is written after that reading reaches this tab by itself.
            self.live.enter(connection, user_room(actor.id))
            arrival = await self._arrival(client, after)
            client.courses = arrival.courses
            for course_id, role in client.courses.items():
                self.live.enter(connection, course_room(course_id, role))
            for notification in arrival.missed:
                connection.emit("notification", notification)
            self.watch(client)
            self._presence.came(client)
            return client
        finally:
            admitting[actor.id] -= 1
            if not admitting[actor.id]:
                del admitting[actor.id]

    async def _arrival(self, client: Client, after: int | None) -> Arrival:
        """Read again when an enrollment began or ended meanwhile: what was read may be older than that."""
        while True:
            heard = client.course_changes
            arrival = await self._arrivals.of(client.actor.id, after)
            if client.course_changes == heard:
                return arrival

    async def actor_of(self, token: object) -> Actor:
        """Raises Unauthenticated, TokenExpired."""
        if not isinstance(token, str) or not token:
            raise Unauthenticated()
        return await self._authenticate(token)

    async def refresh(self, client: Client, token: str) -> None:
        """A fresh token for the same person. Raises Unauthenticated, also for anybody else's."""
        actor = await self.actor_of(token)
        if actor.id != client.actor.id:
            raise Unauthenticated("That token belongs to somebody else.")
        client.actor = actor
        self.watch(client)

    def watch(self, client: Client) -> None:
        """Warn before the token's end, close at it; starts over with a fresh token."""
        self.forget(client)
        left = client.actor.token_expires_at - self._clock.now().timestamp()
        warn_in = left - WARN_SECONDS if left > 2 * WARN_SECONDS else left / 2
        loop = asyncio.get_running_loop()
        client.expiry = loop.call_later(max(0.0, warn_in), self._warn, client)

    def forget(self, client: Client) -> None:
        if client.expiry is not None:
            client.expiry.cancel()
            client.expiry = None

    def _warn(self, client: Client) -> None:
        expires_at = datetime.fromtimestamp(client.actor.token_expires_at, UTC)
        client.connection.emit("auth_expiring", {"expires_at": rfc3339(expires_at)})
        left = client.actor.token_expires_at - self._clock.now().timestamp()
        loop = asyncio.get_running_loop()
        client.expiry = loop.call_later(max(0.0, left) + GRACE_SECONDS, client.connection.close, "token expired")
