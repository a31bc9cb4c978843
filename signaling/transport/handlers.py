"""What the transport asks of its user, and the two ways to answer no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from signaling.transport.connection import Connection


class ConnectRefused(Exception):
    """Raised by a connect handler: the client gets `problem` as `error.data`, then the transport is closed.

    `code` is the stable word refusals are counted by; `problem["detail"]`, if any, becomes `error.message`.
    """

    def __init__(self, code: str, problem: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.problem = dict(problem)


class Handlers(Protocol):
    """A namespace's behavior. Wishes of one connection come in order, one at a time; nothing here blocks its pings.

    While a handler runs, structlog's context holds `connection_id` and `request_id`. An exception is logged and
    answered with an `internal` problem.
    """

    @property
    def events(self) -> frozenset[str]:
        """The names that reach `handle`; all others go to `unknown`, `connect` and `disconnect` among them."""

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """Accept by returning, or raise `ConnectRefused`. What is emitted meanwhile arrives after the acceptance."""

    async def handle(self, connection: Connection, event: str, payload: object) -> dict[str, Any]:
        """Do what is wished (`payload` is an object); the result is the acknowledgement."""

    async def unknown(self, connection: Connection, event: str) -> dict[str, Any]:
        """The acknowledgement for a name outside `events`."""

    async def refused(
        self, connection: Connection, event: str, reason: str, retry_after: float | None
    ) -> dict[str, Any]:
        """The acknowledgement for a wish that was not looked at: `payload`, `binary` or `queue_full`."""

    async def disconnected(self, connection: Connection, reason: str) -> None:
        """Once for every connection that was accepted, after its last wish."""


class Namespace(Protocol):
    """The wider form underneath: any arguments, binary too. Only the conformance server needs it directly."""

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None: ...
    async def event(
        self, connection: Connection, name: str, args: list[Any], refused: str | None
    ) -> list[Any] | None: ...
    async def disconnected(self, connection: Connection, reason: str) -> None: ...


class Wishes:
    """`Handlers` as a namespace: the allow-list first, then exactly one object, and always an answer."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        await self._handlers.connect(connection, auth)

    async def event(self, connection: Connection, name: str, args: list[Any], refused: str | None) -> list[Any]:
        handlers = self._handlers
        if refused is not None:
            return [await handlers.refused(connection, name, refused, 1.0 if refused == "queue_full" else None)]
        if name not in handlers.events:
            return [await handlers.unknown(connection, name)]
        if len(args) != 1 or not isinstance(args[0], dict):
            return [await handlers.refused(connection, name, "payload", None)]
        return [await handlers.handle(connection, name, args[0])]

    async def disconnected(self, connection: Connection, reason: str) -> None:
        await self._handlers.disconnected(connection, reason)
