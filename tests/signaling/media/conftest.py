"""A real media worker for these tests, and a client that writes down what it is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
    """A running worker process; its ready line said the rest."""

    process: subprocess.Popen[str]
    control: str
    udp_port: int
    incarnation: str

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Close its supervisor's pipe and wait for its end; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(10)


def start_worker(control: str, *options: str, port: int = 0, secret: str | None = None) -> Worker:
    """Start a worker on a free UDP port of loopback and wait for its ready line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if secret is not None:
        environment["LECTERN_MEDIA_SECRET"] = secret
    command = [sys.executable, "-m", "signaling.media.worker", "--control", control, "--udp-port", str(port), *options]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    return Worker(process, ready["control"], ready["udp_port"], ready["incarnation"])


def other_address() -> str:
    """IPv6's loopback; a machine without IPv6 has another of IPv4's, which shows the rest."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return "127.0.0.2"
    return "::1"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for the tests of a file, on a Unix socket, allowed to lose packets on purpose."""
    running = start_worker(f"unix:{tmp_path_factory.mktemp('media')}/media.sock", "--allow-test-loss")
    yield running
    assert running.process.poll() is None, "the worker ended by itself"
    assert running.stop() == 0


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
