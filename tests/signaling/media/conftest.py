"""A real media worker for these tests, and a client that writes down what it is told."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from signaling.media.client import MediaClient

ROOT = Path(__file__).parents[3]


@dataclass
class Told:
    """A listener that keeps everything."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def bindings(self, room: int, peer: str, revision: int, bindings: dict[str, Any]) -> None:
        """Kept."""
        self.events.append(("bindings", room, peer, revision, bindings))

    def offer(self, room: int, peer: str, revision: int, sdp: str, bindings: dict[str, Any]) -> None:
        """Kept."""
        self.events.append(("offer", room, peer, revision, sdp, bindings))

    def flowing(self, room: int, user: int, source: str, on: bool) -> None:
        """Kept."""
        self.events.append(("flowing", room, user, source, on))

    def closed(self, room: int, peer: str, side: str, reason: str) -> None:
        """Kept."""
        self.events.append(("closed", room, peer, side, reason))

    def worker_lost(self) -> None:
        """Kept."""
        self.events.append(("worker_lost",))

    def worker_ready(self, incarnation: str) -> None:
        """Kept."""
        self.events.append(("worker_ready", incarnation))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Those of one kind."""
        return [event for event in self.events if event[0] == name]

    def bindings_of(self, peer: str) -> dict[str, Any]:
        """The newest bindings a peer was told."""
        told = [event for event in self.named("bindings") if event[2] == peer]
        return dict(told[-1][4]) if told else {}


@dataclass
class Worker:
    """A running worker process."""

    process: asyncio.subprocess.Process
    control: str
    udp_port: int
    incarnation: str

    async def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Close its supervisor's pipe and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await asyncio.wait_for(self.process.wait(), 10)


async def start_worker(control: str, *options: str, port: int = 0, secret: str | None = None) -> Worker:
    """Start a worker on a free UDP port of loopback."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if secret is not None:
        environment["LECTERN_MEDIA_SECRET"] = secret
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signaling.media.worker", "--control", control, "--udp-port", str(port), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    ready = json.loads(line)
    return Worker(process, ready["control"], ready["udp_port"], ready["incarnation"])


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    """One worker on a Unix socket, allowed to lose packets on purpose."""
    running = await start_worker(f"unix:{tmp_path}/media.sock", "--allow-test-loss")
    yield running
    if running.process.returncode is None:
        assert await running.stop() == 0


Connect = Callable[[], Awaitable[tuple[MediaClient, Told]]]


@pytest.fixture
async def connect(worker: Worker) -> AsyncIterator[Connect]:
    """Web processes connected to the worker, as many as wanted."""
    clients: list[MediaClient] = []

    async def make() -> tuple[MediaClient, Told]:
        told = Told()
        client = MediaClient(worker.control, told)
        clients.append(client)
        await client.start()
        assert await client.wait_ready()
        return client, told

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def web(connect: Connect) -> tuple[MediaClient, Told]:
    """One web process connected to the worker, and what it was told."""
    return await connect()
