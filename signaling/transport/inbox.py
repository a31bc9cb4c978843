"""A client's wishes, worked in order by one task that exists only while there are any.

Reading from the transport never waits for a handler, so pings are answered and acknowledgements seen meanwhile.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from signaling.transport import packets

if TYPE_CHECKING:
    from signaling.transport.connection import Connection
    from signaling.transport.hub import Hub

log = structlog.get_logger(__name__)

QUEUE_FULL: Final = "queue_full"


@dataclass(frozen=True, slots=True)
class Wish:
    """One event from a client; `refused` names why it is only refused, without an `ack_id` no answer is wanted."""

    event: str
    args: list[Any]
    ack_id: int | None
    refused: str | None = None


class Inbox:
    """Bounded: a full inbox refuses wishes, too many refusals close the connection."""

    __slots__ = ("_connection", "_hub", "_is_last", "_is_worked", "_served", "_wishes")

    def __init__(self, connection: Connection, hub: Hub) -> None:
        self._connection = connection
        self._hub = hub
        self._wishes: deque[Wish] | None = None  # most connections are idle most of the time
        self._is_worked = False
        self._is_last = False
        self._served = 0

    def put(self, wish: Wish) -> None:
        """Take a wish in; called by the reader, never waits."""
        if self._wishes is None:
            self._wishes = deque()
        limits = self._hub.limits
        if len(self._wishes) >= limits.inbox + limits.inbox_refusals:
            self._wishes.clear()
            self._connection.close("flooding")
            return
        if len(self._wishes) >= limits.inbox and wish.refused is None:
            wish = Wish(wish.event, wish.args, wish.ack_id, QUEUE_FULL)
        self._wishes.append(wish)
        self._work()

    @property
    def is_worked(self) -> bool:
        """Whether a wish is being answered or waits for its turn."""
        return self._is_worked

    def end(self) -> None:
        """The connection is over: work what arrived before, then tell the namespace, once."""
        self._is_last = True
        self._work()

    def forget(self) -> None:
        """Nothing comes any more: without the circles through here and through `state` all is freed at once."""
        self._connection.state = None
        del self._connection

    def _work(self) -> None:
        if not self._is_worked:
            self._is_worked = True
            self._hub.tasks.spawn(self._run())

    async def _run(self) -> None:
        connection = self._connection
        structlog.contextvars.bind_contextvars(connection_id=connection.id)
        while self._wishes:
            await self._answer(self._wishes.popleft())
        self._wishes = None
        self._is_worked = False  # no await between the last look and here: nothing can slip in
        if self._is_last:
            self._is_last = False
            await self._disconnected()
            self.forget()

    async def _answer(self, wish: Wish) -> None:
        connection, hub = self._connection, self._hub
        self._served += 1
        structlog.contextvars.bind_contextvars(request_id=f"{connection.trace}-{self._served}", event_name=wish.event)
        answer = await hub.handle(connection, wish)
        if wish.ack_id is None or answer is None or not connection.connected:
            return
        try:
            ready = packets.with_attachments(packets.ACK, connection.namespace, answer, wish.ack_id)
        except (TypeError, ValueError):
            log.exception("answer_is_not_json")
            ready = packets.acknowledgement(connection.namespace, wish.ack_id, [hub.internal_problem()])
        connection.send(ready)

    async def _disconnected(self) -> None:
        structlog.contextvars.bind_contextvars(request_id=f"{self._connection.trace}-end", event_name="disconnect")
        try:
            await self._hub.handling.within(
                self._hub.namespace_of(self._connection).disconnected(self._connection, self._connection.reason)
            )
        except Exception:
            self._hub.counters.handler_failures += 1
            log.exception("disconnect_handler_failed")
