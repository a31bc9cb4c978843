"""What operators ask: is it alive, is it ready, which version, how busy; and the documents programs read."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from aiohttp import hdrs, web

from server import VERSION
from server.errors import Forbidden, LecternError
from server.http.keys import DATABASE, READINESS, SETTINGS
from server.http.middleware import METRICS
from server.http.routes import Request, Routes, Who

route = Routes("service")


class Documents:
    """The interface documents, made when first asked for: a start must not wait for them."""

    def __init__(self, rest: Callable[[], dict[str, Any]], events: Callable[[], dict[str, Any]]) -> None:
        self._rest, self._events = rest, events

    @cached_property
    def rest(self) -> dict[str, Any]:
        return self._rest()

    @cached_property
    def events(self) -> dict[str, Any]:
        return self._events()


DOCUMENTS = web.AppKey("DOCUMENTS", Documents)


@route.get("/healthz", who=Who.ANYONE, answers=dict[str, str])
async def healthz(request: Request) -> dict[str, str]:
    """Whether this process serves; no I/O."""
    return {"status": "ok"}


@route.get("/readyz", who=Who.ANYONE, answers=dict[str, Any])
async def readyz(request: Request) -> tuple[dict[str, Any], int]:
    """Whether it may be sent traffic; `degraded` names what was lost later and is missed.

    Who asks means the address, so a process that leaves it to siblings is no less ready than they are.
    """
    state = request.app[READINESS]
    waiting, degraded = list[str](), list[str]()
    if state.draining and not state.is_replaced():
        waiting.append("draining")
    if not state.schema_at_head:
        waiting.append("schema")
    if not state.sockets_accepted:
        waiting.append("sockets")
    if state.demo_seeding:
        waiting.append("seeding")
    if not state.draining:  # which lets go of both by itself
        if state.media_needed and not state.media_answers:
            (degraded if state.media_answered_once else waiting).append("media")
        if not state.bus_is_up():
            degraded.append("redis")
    try:
        await request.app[DATABASE].ping()
    except LecternError:
        waiting.append("database")
    answer: dict[str, Any] = {"status": "waiting" if waiting else "ready", "waiting": waiting, "degraded": degraded}
    return answer, 503 if waiting else 200


@route.get("/version", who=Who.ANYONE, answers=dict[str, str])
async def version(request: Request) -> dict[str, str]:
    """Name and version of this program."""
    return {"name": "lectern", "version": VERSION}


@route.get("/metrics", who=Who.ANYONE, answers=str, produces="text/plain")
async def metrics(request: Request) -> web.Response:
    """Prometheus metrics, for the holder of METRICS_TOKEN or, without one, an unproxied loopback peer."""
    if not _may_read_metrics(request):
        raise Forbidden("Send the METRICS_TOKEN as a bearer token.")
    return web.Response(
        body=await request.app[METRICS].text(), headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4"}
    )


@route.get("/openapi.json", who=Who.ANYONE, answers=dict[str, Any])
async def openapi(request: Request) -> web.Response:
    """This REST interface (OpenAPI 3.1)."""
    return _document(request.app[DOCUMENTS].rest)


@route.get("/asyncapi.json", who=Who.ANYONE, answers=dict[str, Any])
async def asyncapi(request: Request) -> web.Response:
    """The Socket.IO interface (AsyncAPI 3)."""
    return _document(request.app[DOCUMENTS].events)


def _document(value: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(value, indent=1).encode(), content_type="application/json")


def _may_read_metrics(request: Request) -> bool:
    settings = request.app[SETTINGS]
    if settings.metrics_token:
        given = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        # Bytes that are no UTF-8 arrive as lone surrogates, which do not encode.
        return hmac.compare_digest(given.encode(errors="replace"), settings.metrics_token.encode())
    if settings.trusted_proxies or any(h.lower().startswith(("forwarded", "x-forwarded-")) for h in request.headers):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
