"""The official JavaScript client as tests use it: a Node process told what to do, and what its clients hear."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("official_client.mjs")
PATIENCE = 20.0  # seconds; only a failing test waits that long


class OfficialClient:
    """One client by name; `heard` is everything it told, in order."""

    def __init__(self, name: str, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self.name = name
        self.heard: list[dict[str, Any]] = []
        self._tell = tell
        self._changed = asyncio.Event()
        self._acks = itertools.count(1)

    def hear(self, line: dict[str, Any]) -> None:
        self.heard.append(line)
        self._changed.set()

    async def until(self, reached: Callable[[list[dict[str, Any]]], Any]) -> Any:
        """Wait until `reached(heard)` is truthy and return that."""
        async with asyncio.timeout(PATIENCE):
            while not (found := reached(self.heard)):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def first(self, on: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th line of this kind, waited for."""
        lines = await self.until(lambda heard: [x for x in heard if x["on"] == on][count - 1 :])
        line: dict[str, Any] = lines[0]
        return line

    def events(self, name: str) -> list[Any]:
        """First arguments of all events of this name so far."""
        return [x["args"][0] for x in self.heard if x["on"] == "event" and x["event"] == name]

    async def said(self, payload: Any) -> None:
        """Wait until the last `said` event heard is this one."""
        await self.until(lambda _: self.events("said")[-1:] == [payload])

    def connect(self, url: str, *, auth: Any = None, **options: Any) -> None:
        self._tell({"do": "connect", "client": self.name, "url": url, "options": {"auth": auth or {}, **options}})

    async def connected(self, url: str, **options: Any) -> dict[str, Any]:
        self.connect(url, **options)
        return await self.first("connect")

    def emit(self, event: str, *args: Any) -> None:
        self._tell({"do": "emit", "client": self.name, "event": event, "args": args})

    def emit_for_ack(self, ack: int, event: str, *args: Any) -> None:
        """Emit; the acknowledgement is heard as a line with this number."""
        self._tell({"do": "emit", "client": self.name, "event": event, "args": args, "ack": ack})

    async def wish(self, event: str, *args: Any) -> Any:
        """Emit with an acknowledgement and return its only argument."""
        ack = next(self._acks)
        self.emit_for_ack(ack, event, *args)
        lines = await self.until(lambda heard: [x for x in heard if x["on"] == "ack" and x["ack"] == ack])
        (answer,) = lines[0]["answers"]
        return answer

    def disconnect(self) -> None:
        self._tell({"do": "disconnect", "client": self.name})


class OfficialClients:
    """A Node process with any number of official clients; an async context."""

    def __init__(self) -> None:
        self._clients: dict[str, OfficialClient] = {}

    async def __aenter__(self) -> OfficialClients:
        self._process = await asyncio.create_subprocess_exec(
            "node", str(DRIVER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reader

    def client(self, name: str) -> OfficialClient:
        return self._clients.setdefault(name, OfficialClient(name, self._tell))

    def _tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            self.client(told["client"]).hear(told)
