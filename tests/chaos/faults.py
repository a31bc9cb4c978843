"""Every fault as a coroutine: it breaks something, lets `seconds` pass, and returns when that is whole again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.chaos.stage import Stage
from tests.processes import pause, resume
from tests.services import Service

Fault = Callable[[Stage, float], Awaitable[None]]


async def kill_web(stage: Stage, seconds: float) -> None:
    """kill -9 of the first server, and an immediate start."""
    await stage.servers[0].program.kill()
    await stage.servers[0].program.start()


async def pause_web(stage: Stage, seconds: float) -> None:
    """The first server stands still."""
    held = pause(stage.servers[0].program.pid)
    try:
        await asyncio.sleep(seconds)
    finally:
        resume(held)


async def kill_redis(stage: Stage, seconds: float) -> None:
    """kill -9 of Redis, which is away for a while."""
    assert stage.redis is not None
    await _away(stage.redis, stage.redis.kill, seconds)


async def pause_redis(stage: Stage, seconds: float) -> None:
    """Redis stands still: connections stay up and answer nothing."""
    assert stage.redis is not None
    await _held(stage.redis, seconds)


async def silence_redis(stage: Stage, seconds: float) -> None:
    """The line between servers and Redis is half-open."""
    lines = [server.redis for server in stage.servers if server.redis is not None]
    for line in lines:
        line.silence()
    await asyncio.sleep(seconds)
    for line in lines:
        line.mend()


async def stop_postgresql(stage: Stage, seconds: float) -> None:
    """An operator's fast shutdown, and a start later."""
    assert stage.postgres is not None
    await _away(stage.postgres, stage.postgres.halt, seconds)


async def kill_postgresql(stage: Stage, seconds: float) -> None:
    """kill -9 of all its processes; it recovers from its log when it is started."""
    assert stage.postgres is not None
    await _away(stage.postgres, stage.postgres.kill, seconds)


async def pause_postgresql(stage: Stage, seconds: float) -> None:
    """PostgreSQL stands still."""
    assert stage.postgres is not None
    await _held(stage.postgres, seconds)


async def silence_postgresql(stage: Stage, seconds: float) -> None:
    """The line between the first server and PostgreSQL is half-open; the other server is well."""
    line = stage.servers[0].database
    assert line is not None
    line.silence()
    await asyncio.sleep(seconds)
    line.mend()


async def cut_clients(stage: Stage, seconds: float) -> None:
    """Every client's connection is reset."""
    for server in stage.servers:
        server.clients.cut()


async def silence_clients(stage: Stage, seconds: float) -> None:
    """Every client's connection is half-open, then reset."""
    for server in stage.servers:
        server.clients.silence()
    await asyncio.sleep(seconds)
    for server in stage.servers:
        server.clients.mend()


async def forget_clients(stage: Stage, seconds: float) -> None:
    """Clients' connections fall silent for good; each side has to find out by itself."""
    ended = {person: len(client.ends) for person, client in stage.clients.items()}
    for server in stage.servers:
        server.clients.forget()
    deadline = time.monotonic() + FIND_OUT_SECONDS
    while not all(len(client.ends) > ended[person] for person, client in stage.clients.items()):
        assert time.monotonic() < deadline, "somebody does not notice that nothing comes any more"
        await asyncio.sleep(0.1)


async def slow_clients(stage: Stage, seconds: float) -> None:
    """Clients' lines are slow and uneven in both directions, and dribble towards them."""
    for server in stage.servers:
        for way in (server.clients.to_server, server.clients.to_client):
            way.latency, way.jitter = 0.2, 0.3
        server.clients.to_client.piece_bytes = 512
    await asyncio.sleep(seconds)
    for server in stage.servers:
        server.clients.mend()


FIND_OUT_SECONDS = 25.0  # ping interval and timeout are 20 together
FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_web,
        pause_web,
        kill_redis,
        pause_redis,
        silence_redis,
        stop_postgresql,
        kill_postgresql,
        pause_postgresql,
        silence_postgresql,
        cut_clients,
        silence_clients,
        forget_clients,
        slow_clients,
    )
}


async def _away(service: Service, end: Callable[[], None], seconds: float) -> None:
    end()
    try:
        await asyncio.sleep(seconds)
    finally:
        await service.start_again()


async def _held(service: Service, seconds: float) -> None:
    held = service.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        resume(held)
