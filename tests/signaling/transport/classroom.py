"""Handlers that remember everything and can be told to refuse, fail or wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from signaling.transport import Connection, ConnectRefused, LiveServer

PATIENCE = 20.0  # seconds; only a failing test waits that long


class Classroom:
    """Everybody is let in and joins room `class`, unless their auth asks for something else."""

    events = frozenset({"say", "echo", "fail", "wait", "shout", "odd"})
    server: LiveServer

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.wishes: list[tuple[str, Any]] = []
        self.unknown_events: list[str] = []
        self.refusals: list[tuple[str, str]] = []
        self.left: list[tuple[Connection, str]] = []
        self.contexts: list[dict[str, Any]] = []
        self.deciding: list[Connection] = []
        self.decide = asyncio.Event()  # lets connects with auth {"slow": true} go on
        self.go_on = asyncio.Event()  # lets `wait` wishes go on
        self._changed = asyncio.Event()

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        if "early" in auth:
            self.server.enter(connection, "class")
            connection.emit("welcome", {"early": auth["early"]})
        if auth.get("slow"):
            self.deciding.append(connection)
            self._changed.set()
            await self.decide.wait()
        if auth.get("broken"):
            raise RuntimeError("the connect handler is broken")
        if (code := auth.get("refuse")) is not None:
            raise ConnectRefused(code, {"code": code, "status": 401, "detail": "Sign in again."})
        connection.state = auth.get("name")
        self.connections.append(connection)
        self.server.enter(connection, "class")
        self._changed.set()

    async def handle(self, connection: Connection, event: str, payload: object) -> dict[str, Any]:
        assert isinstance(payload, dict)
        self.contexts.append(structlog.contextvars.get_contextvars())
        self.wishes.append((event, payload))
        self._changed.set()
        if event == "fail":
            raise RuntimeError("the handler is broken")
        if event == "wait":
            await self.go_on.wait()
        if event == "odd":
            return {"ok": object()}
        if event == "say":
            self.server.broadcast("class", "said", payload)
        if event == "shout":
            for number in range(payload["times"]):
                self.server.broadcast("class", "said", {"n": number})
        return {"ok": True, "payload": payload}

    async def unknown(self, connection: Connection, event: str) -> dict[str, Any]:
        self.unknown_events.append(event)
        return {"ok": False, "error": {"code": "unknown_event"}}

    async def refused(
        self, connection: Connection, event: str, reason: str, retry_after: float | None
    ) -> dict[str, Any]:
        self.refusals.append((event, reason))
        return {"ok": False, "error": {"code": reason, "retry_after": retry_after}}

    async def disconnected(self, connection: Connection, reason: str) -> None:
        self.left.append((connection, reason))
        self._changed.set()

    async def until(self, reached: Callable[[], Any]) -> Any:
        """Wait until something the classroom remembers makes `reached()` truthy, and return that."""
        async with asyncio.timeout(PATIENCE):
            while not (found := reached()):
                self._changed.clear()
                await self._changed.wait()
        return found
