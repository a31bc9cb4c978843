"""What surrounds every request: an id, a log line, a metric, CORS, and refusals turned into problems once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web

from server.errors import Draining, Internal, LecternError, Malformed, OriginNotAllowed
from server.http.keys import READINESS, REQUEST_ID
from server.http.origins import Origins
from server.http.problems import from_http_error, problem_response
from server.metrics import Metrics

log = structlog.get_logger("http")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ORIGINS = web.AppKey("ORIGINS", Origins)
METRICS = web.AppKey("METRICS", Metrics)
SAFE = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
QUIET = ("/healthz", "/readyz", "/metrics")
TORN = "The body cannot be read; it is damaged or ends too early."
COMMON = {  # of every answer that does not say otherwise
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, log and count its end, and show every refusal as a problem."""
    request_id = secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    started = time.perf_counter()
    try:
        response = await _answered(request, handler, request_id)
    finally:
        took = time.perf_counter() - started
    route = request.match_info.route.resource
    name = route.canonical if route is not None else "none"
    if _is_socket(request):
        return response  # a transport's whole life is no request time
    request.app[METRICS].http_seconds.labels(request.method, name, response.status).observe(took)
    if not request.path.endswith(QUIET):
        log.info("request", method=request.method, path=request.path, status=response.status, ms=round(took * 1e3, 1))
    return response


async def _answered(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except LecternError as error:
        return problem_response(error, request_id)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {str(hdrs.ALLOW): error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
        return problem_response(from_http_error(error), request_id, kept)
    except web.RequestPayloadError as error:
        log.info(
            "unreadable body", method=request.method, path=request.path, reason=str(error.__cause__ or error)[:200]
        )
        return problem_response(Malformed(TORN), request_id)
    except ConnectionResetError:
        if request.transport is not None and not request.transport.is_closing() and request.content.exception():
            return problem_response(Malformed(TORN), request_id)  # it only sends no more, and may still listen
        log.info("caller went away", method=request.method, path=request.path)
        raise  # nobody is there to read an answer; the server below us lets go of the connection
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return problem_response(Internal(), request_id)


@web.middleware
async def cross_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer preflights of listed origins without a token; keep strangers' pages away from the cookie."""
    origins, origin = request.app[ORIGINS], request.headers.get(hdrs.ORIGIN)
    if (
        request.method == hdrs.METH_OPTIONS
        and origin is not None
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        and not request.path.startswith("/socket.io")
    ):
        if origins.is_listed(origin):
            return web.Response(status=204, headers=origins.preflight_headers(origin))
        raise OriginNotAllowed()
    if "/auth/" in request.path and not origins.may_call(request, origin):
        raise OriginNotAllowed()
    return await handler(request)


@web.middleware
async def refuse_while_draining(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A closing server takes no new writes; what is under way ends.

    With siblings it serves to its end whoever reached it before it stopped listening: nobody who writes notices.
    """
    state = request.app[READINESS]
    if (
        state.draining
        and not state.has_siblings
        and request.method not in (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
    ):
        raise Draining()
    return await handler(request)


def _is_socket(request: web.Request) -> bool:
    return request.path.endswith("/socket.io/")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers every answer carries, streams and errors too; a listed origin's page may read it."""
    headers = response.headers
    if request.app[READINESS].draining and not isinstance(response, web.WebSocketResponse):
        response.force_close()  # the caller's next request finds a process that stays
        headers[hdrs.CONNECTION] = "close"
    for name, value in COMMON.items():
        headers.setdefault(name, value)
    if REQUEST_ID in request:
        headers.setdefault("X-Request-Id", request[REQUEST_ID])
    origins = request.app[ORIGINS]
    origin = request.headers.get(hdrs.ORIGIN)
    if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in headers:
        headers.update(origins.headers_for(origin))
    if origins.has_listed and "Origin" not in headers.get(hdrs.VARY, ""):
        headers.add(hdrs.VARY, "Origin")
