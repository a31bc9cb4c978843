"""The Engine.IO server: the library judges and routes requests, this decides who may ask and what a session is.

`handle_request` puts the origin rule in front of the library's own; `_handle_connect` makes our session class. Both are
overrides on one instance, nothing is patched, and versions.py refuses libraries they were not proven with.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from typing import Any, Protocol

import engineio
import structlog
from aiohttp import web
from engineio.exceptions import EngineIOError

from signaling.transport.counters import TransportCounters
from signaling.transport.crowds import Audience, Flusher
from signaling.transport.direct import DirectLink
from signaling.transport.engine_socket import EngineSocket
from signaling.transport.front import Opening
from signaling.transport.gate import CROWDED
from signaling.transport.heartbeat import Heartbeat
from signaling.transport.ids import unguessable
from signaling.transport.intake import Malformed
from signaling.transport.limits import TransportLimits
from signaling.transport.link import Link, accept
from signaling.transport.origins import OriginPolicy
from signaling.transport.siblings import Siblings, is_passed_on
from signaling.transport.wire import Part, Wire, dumps, framed, polling_body

METHODS = frozenset({"GET", "POST", "OPTIONS"})
MALFORMED_LINES = 20  # log lines about malformed frames in one second; beyond it they are only counted

log = structlog.get_logger(__name__)
_silent = logging.getLogger("lectern.engineio")  # the library's own lines say nothing that ours do not
_silent.setLevel(logging.CRITICAL)


class Upper(Protocol):
    """The layer above: told of a session, its change to WebSocket, its messages, and exactly once of its end."""

    def crowded(self) -> float | None: ...  # seconds after which somebody new should ask again; None to take them
    def opened(self, socket: EngineSocket) -> None: ...
    def moved(self, socket: EngineSocket) -> None: ...
    def received(self, socket: EngineSocket, data: Part) -> None: ...
    def ended(self, socket: EngineSocket, reason: str) -> None: ...


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Sessions by id. `received` of the layer above may raise `Malformed`, which closes that session."""

    def __init__(
        self,
        upper: Upper,
        *,
        worker: int,
        limits: TransportLimits,
        origins: OriginPolicy,
        counters: TransportCounters,
        siblings: Siblings | None = None,
    ) -> None:
        super().__init__(
            async_mode="aiohttp",
            ping_interval=limits.ping_interval,
            ping_timeout=limits.ping_timeout,
            max_http_buffer_size=limits.message_bytes,
            cors_allowed_origins=[],  # judged below, before the library sees the request
            http_compression=False,
            monitor_clients=False,  # every session has its own deadline
            logger=_silent,
        )
        self.sockets: dict[str, EngineSocket] = {}
        self.limits = limits
        self.counters = counters
        self.is_accepting = True
        self._upper = upper
        self._worker = worker
        self._origins = origins
        self._siblings = siblings
        self._flusher = Flusher(counters)
        self.heartbeat = Heartbeat(limits.ping_interval, limits.ping_timeout)
        told = {
            "pingInterval": round(limits.ping_interval * 1000),
            "pingTimeout": round(limits.ping_timeout * 1000),
            "maxPayload": limits.message_bytes,
        }
        self._limits_told = dumps(told)[1:]
        self._malformed_second, self._malformed_lines = 0, 0

    # ------------------------------------------------------------------ requests

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer any request to the Socket.IO path."""
        origin = request.headers.get("Origin")
        is_judged = self._siblings is not None and is_passed_on(request)
        if not is_judged and not self._origins.may_call(request, origin):
            self.counters.foreign_origins += 1
            return _problem(403, "origin_not_allowed", "Pages of this origin may not connect here.")
        if request.method == "OPTIONS":
            headers = self._origins.preflight_headers(origin) if origin else {}
            return web.Response(status=204, headers={**headers, "Vary": "Origin"})
        response = self._ended_early(request) or await self._late_websocket(request)
        if response is None and self._siblings is not None:
            response = await self._siblings.answer(request)
        if response is None:
            answer: web.StreamResponse = await super().handle_request(request)
            response = answer
        if not response.prepared:
            response.headers.update(self._origins.headers_for(origin))
            response.headers["Vary"] = "Origin"
            response.headers["Cache-Control"] = "no-store"
        return response

    def _ended_early(self, request: web.Request) -> web.StreamResponse | None:
        if request.method not in METHODS:
            return _problem(400, "invalid", "Only GET and POST are spoken here.")
        if "transport" not in request.query or "j" in request.query:  # JSONP would pass by the origin rule
            return _problem(400, "invalid", "The transport must be polling or websocket.")
        if "sid" in request.query:
            return None
        if not self.is_accepting:
            return _problem(503, "draining", "This server is going away; connect again.", retry_after=1)
        if (wait := self._upper.crowded()) is not None:
            self.counters.refused[CROWDED] += 1
            return _problem(503, CROWDED, "Too many are coming at this moment; connect again.", retry_after=wait)
        return None

    async def _late_websocket(self, request: web.Request) -> web.StreamResponse | None:
        """A second WebSocket for one session: accepted and closed, as peers do, not refused."""
        socket = self.sockets.get(request.query.get("sid", ""))
        if socket is None or not (socket.upgraded or socket.upgrading) or "Upgrade" not in request.headers:
            return None
        link = await self.accept(request)
        if link is None:
            return None
        link.close()
        if link.closing is not None:
            await link.closing
        return link.response

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> web.StreamResponse | dict[str, Any]:
        request: web.Request = environ["aiohttp.request"]
        link = None
        if transport == "websocket" and (link := await self.accept(request)) is None:
            return self.bad_request("Not a WebSocket handshake")
        socket = self._opened(self._origins.client_address(request))
        opening = self._opening(socket, ["websocket"] if link is None else [])
        if link is None:
            socket.start()
            return self.answer(polling_body([opening]))
        await socket.serve(link, opening)
        return link.response

    def take(self, transport: asyncio.Transport, opening: Opening, rest: bytes) -> bool:
        """Serve a session on the WebSocket that `opening` asks for; False, and nothing done, when it may not."""
        caller = opening.caller
        if not self.is_accepting or self._upper.crowded() is not None:
            return False
        if not self._origins.may_call(caller, caller.headers.get("Origin")):
            return False
        link = DirectLink(transport, self._flusher, self.limits, self.counters)
        transport.set_protocol(link)
        socket = self._opened(self._origins.client_address(caller))
        socket.open_on(link, opening.answer + framed(self._opening(socket, [])))  # one write for both
        if rest:
            link.data_received(rest)
        return True

    def _opened(self, remote_address: str) -> EngineSocket:
        socket = EngineSocket(self, self.generate_id(), remote_address)
        self.sockets[socket.sid] = socket
        self.counters.opened += 1
        self._upper.opened(socket)
        return socket

    def _opening(self, socket: EngineSocket, upgrades: list[str]) -> str:
        """The first packet (Engine.IO v4 "Handshake")."""
        return f'0{{"sid":"{socket.sid}","upgrades":{dumps(upgrades)},{self._limits_told}'

    def generate_id(self) -> str:
        """Unguessable, and beginning with this worker's number, so that a sibling can pass a stray request on."""
        return f"{self._worker}-{unguessable()}"

    async def disconnect(self, sid: str | None = None) -> None:
        """End one session; the library asks for it after a refused request."""
        socket = self.sockets.get(sid or "")
        if socket is not None:
            socket.abort("transport error")

    def tell(self, audience: Audience, frame: bytes) -> int:
        """Send a packet, framed, to all of an audience; how many were reached."""
        self._flusher.tell(audience, frame)
        told = len(audience.links)
        if audience.others:
            wire = Wire(None, frame)
            told += sum(member.send(wire) for member in audience.others)
        return told

    # ------------------------------------------------------------------ what sessions ask of their server

    async def accept(self, request: web.Request) -> Link | None:
        return await accept(request, self._flusher, self.limits, self.counters)

    def moved(self, socket: EngineSocket) -> None:
        self._upper.moved(socket)

    def received(self, socket: EngineSocket, data: Part) -> None:
        self._upper.received(socket, data)

    def ended(self, socket: EngineSocket, reason: str) -> None:
        self.counters.closed[reason] += 1
        self._upper.ended(socket, reason)

    def forget(self, socket: EngineSocket) -> None:
        self.sockets.pop(socket.sid, None)

    def log_malformed(self, socket: EngineSocket, error: Malformed) -> None:
        """One line, no trace; the frame itself stays out of the log."""
        second = int(time.monotonic())
        if second != self._malformed_second:
            self._malformed_second, self._malformed_lines = second, 0
        self._malformed_lines += 1
        if self._malformed_lines <= MALFORMED_LINES:
            log.warning("malformed_frame", detail=str(error), remote_address=socket.remote_address)

    # ------------------------------------------------------------------ answers, in the shape the library sends on

    def answer(self, body: bytes) -> dict[str, Any]:
        return {"status": "200 OK", "headers": [("Content-Type", "text/plain; charset=UTF-8")], "response": body}

    def bad_request(self, message: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._bad_request(message)
        return answer

    def refusal(self, message: str) -> EngineIOError:
        """The exception the library answers with 400."""
        return EngineIOError(message)

    def _ok(
        self, packets: list[Any] | None = None, headers: list[Any] | None = None, jsonp_index: int | None = None
    ) -> dict[str, Any]:
        return self.answer(b"ok")  # the answer to a POST; polls are answered by the session


def _problem(status: int, code: str, detail: str, *, retry_after: float | None = None) -> web.Response:
    """RFC 9457; `retry_after` in seconds; the request id is added by whoever wraps this."""
    body = {"type": f"urn:lectern:problem:{code}", "title": "Connection refused", "status": status, "detail": detail,
            "message": detail, "code": code}  # fmt: skip
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    return web.Response(status=status, text=json.dumps(body), headers=headers, content_type="application/problem+json")
