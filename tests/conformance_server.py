"""This transport under the protocols' published checks: `python -m tests.conformance_server --port N [--engine]`.

With `--engine` an Engine.IO echo at /engine.io/; without it Socket.IO at /socket.io/ with the namespaces `/` and
`/custom` as the Socket.IO checks describe them. Intervals and sizes are the checks' own.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that it can be run as a plain file too

from aiohttp import web

from signaling.transport import Connection, TransportCounters, TransportLimits, packets
from signaling.transport.engine import Engine
from signaling.transport.engine_socket import EngineSocket
from signaling.transport.front import Caller, FrontRunner
from signaling.transport.server import SocketServer
from signaling.transport.wire import Part, wire_of

LIMITS = TransportLimits(ping_interval=0.3, ping_timeout=0.2, message_bytes=1_000_000, attachments=10)

ECHO = web.AppKey("ECHO", Engine)
SERVER = web.AppKey("SERVER", SocketServer)


class AnyOrigin:
    """Every page may call."""

    def may_call(self, request: web.BaseRequest | Caller, origin: str | None) -> bool:
        return True

    def headers_for(self, origin: str | None) -> Mapping[str, str]:
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"} if origin else {}

    def preflight_headers(self, origin: str) -> Mapping[str, str]:
        return {**self.headers_for(origin), "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "Content-Type"}  # fmt: skip

    def client_address(self, request: web.BaseRequest | Caller) -> str:
        return request.remote or "unknown"


class Echo:
    """Engine.IO messages sent back as they came, text or binary."""

    def crowded(self) -> float | None:
        return None

    def opened(self, socket: EngineSocket) -> None:
        pass

    def moved(self, socket: EngineSocket) -> None:
        pass

    def received(self, socket: EngineSocket, data: Part) -> None:
        socket.send(wire_of("4" + data if isinstance(data, str) else data))

    def ended(self, socket: EngineSocket, reason: str) -> None:
        pass


class Custom:
    """Tells a new connection its own auth payload."""

    async def connect(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        connection.emit("auth", auth)

    async def event(self, connection: Connection, name: str, args: list[Any], refused: str | None) -> list[Any] | None:
        return None

    async def disconnected(self, connection: Connection, reason: str) -> None:
        pass


class Main(Custom):
    """Answers two events with what they carried."""

    async def event(self, connection: Connection, name: str, args: list[Any], refused: str | None) -> list[Any] | None:
        if name == "message":
            connection.send(packets.with_attachments(packets.EVENT, "/", ["message-back", *args]))
        return args if name == "message-with-ack" else None


def application(*, engine: bool, limits: TransportLimits = LIMITS) -> web.Application:
    """The server of one protocol's checks."""
    app = web.Application()
    if engine:
        echo = Engine(Echo(), worker=0, limits=limits, origins=AnyOrigin(), counters=TransportCounters())
        app.router.add_route("*", "/engine.io/", echo.handle_request)
        app[ECHO] = echo
        return app
    server = SocketServer({"/": Main(), "/custom": Custom()}, limits=limits, origins=AnyOrigin())
    server.attach(app)
    app[SERVER] = server
    app.on_shutdown.append(lambda _: server.close())
    return app


def runner_of(app: web.Application) -> web.AppRunner:
    """What serves it, as the product is served."""
    if ECHO in app:
        return FrontRunner(app, "/engine.io/", app[ECHO].take, shutdown_timeout=1)
    return app[SERVER].runner(app, shutdown_timeout=1)


async def _serve(port: int, engine: bool) -> None:
    runner = runner_of(application(engine=engine))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"listening on {runner.addresses[0][1]}", flush=True)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--engine", action="store_true")
    given = parser.parse_args()
    asyncio.run(_serve(given.port, given.engine))
