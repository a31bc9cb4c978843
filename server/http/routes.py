"""The route declaration: validates, states who may call, and is what /openapi.json is made from.

    route = Routes("courses")

    @route.post("/courses", body=NewCourse, answers=CourseShown, status=201, who=Who.EXPERT)
    async def create(request: Request, wanted: NewCourse) -> CourseShown: ...

The order of judgment is fixed here: 401, then 404 and 403 by the `door`, then the body. A door is an access check that
runs before the body is parsed; the service checks again inside its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel, TypeAdapter, ValidationError

from server.access import Actor, require_admin, require_expert
from server.errors import Invalid, LecternError, Malformed, Missing, Unauthenticated
from server.http import idempotency
from server.http.bodies import read_body
from server.http.etags import is_known
from server.http.keys import ACTOR, AUTHENTICATE
from server.http.paging import Paged, link_header
from server.wire import MAXIMUM_ID, invalid_from

Request = web.Request
Handler = Callable[..., Awaitable[Any]]
Door = Callable[[Request], Awaitable[None]]
FORM = "multipart/form-data"
OFFSET_STREAM = "application/offset+octet-stream"
CAPTIONS = "text/vtt"
STREAMED = (FORM, OFFSET_STREAM, CAPTIONS)  # never held in memory, and judged before they are asked for
MAXIMUM_DEPTH = 64  # deeper JSON is refused as malformed


class Who(str, Enum):
    """Who may call at all; what they may do with one thing is the door's and the service's matter."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    EXPERT = "expert"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler
    tag: str
    who: Who
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: Any
    status: int
    door: Door | None
    refuses: tuple[type[LecternError], ...]
    paged: bool
    consumes: str
    produces: str
    is_idempotent: bool


@dataclass
class Routes:
    """The routes of one area; app.py mounts them."""

    tag: str
    declared: list[Route] = field(default_factory=list)

    def add(
        self,
        method: str,
        path: str,
        *,
        who: Who = Who.SIGNED_IN,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        answers: Any = None,
        status: int | None = None,
        door: Door | None = None,
        refuses: Sequence[type[LecternError]] = (),
        paged: bool = False,
        consumes: str = "application/json",
        produces: str = "application/json",
        idempotent: bool = True,
    ) -> Callable[[Handler], Handler]:
        """Declare one operation; `answers` is the shape of its success, None for 204."""

        def declare(handler: Handler) -> Handler:
            self.declared.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    who=who,
                    body=body,
                    query=query,
                    answers=answers,
                    status=status or (200 if answers is not None else 204),
                    door=door,
                    refuses=tuple(refuses),
                    paged=paged,
                    consumes=consumes,
                    produces=produces,
                    is_idempotent=idempotent and method == hdrs.METH_POST,
                )
            )
            return handler

        return declare

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_GET, path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_POST, path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_PUT, path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_PATCH, path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_DELETE, path, **options)

    def head(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.add(hdrs.METH_HEAD, path, **options)


def mount(app: web.Application, routes: Sequence[Routes], prefix: str = "") -> list[Route]:
    """Add all declared routes to the application; returns them for the OpenAPI document."""
    mounted = [route for area in routes for route in area.declared]
    for route in mounted:
        expect = _judge_first if route.consumes in STREAMED else None
        app.router.add_route(route.method, prefix + _pattern(route.path), _served(route), expect_handler=expect)
    return mounted


async def _judge_first(request: Request) -> None:
    """Of an upload nothing is asked for (100 Continue) before it was judged; whoever reads the form asks."""


def path_id(request: Request, name: str) -> int:
    """The id in the path. Raises Missing when no such id can exist."""
    value = int(request.match_info[name])
    if not 1 <= value <= MAXIMUM_ID:
        raise Missing()
    return value


async def authenticated(request: Request) -> Actor:
    """The caller, by `Authorization: Bearer` (RFC 6750). Raises Unauthenticated, TokenExpired."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated()
    actor = await request.app[AUTHENTICATE](token.strip())
    request[ACTOR] = actor
    structlog.contextvars.bind_contextvars(user_id=actor.id)
    return actor


def _pattern(path: str) -> str:
    """`{course_id}` matches digits only: anything else names nothing, so it is a 404."""
    parts = []
    for part in path.split("/"):
        if part.startswith("{") and part.endswith("_id}"):
            part = part[:-1] + r":[0-9]{1,19}}"
        parts.append(part)
    return "/".join(parts)


@cache
def _adapter_of(answers: Any) -> TypeAdapter[Any]:
    """Made once a process and shape: several applications in one are built in half the time."""
    return TypeAdapter(answers)


def _served(route: Route) -> Callable[[Request], Awaitable[web.StreamResponse]]:
    adapter = _adapter_of(route.answers) if route.answers is not None else None

    async def serve(request: Request) -> web.StreamResponse:
        if route.who is not Who.ANYONE:
            actor = await authenticated(request)
            if route.who is Who.EXPERT:
                require_expert(actor)
            elif route.who is Who.ADMIN:
                require_admin(actor)
        if route.door is not None:
            await route.door(request)
        if route.is_idempotent and (key := request.headers.get("Idempotency-Key")) is not None and ACTOR in request:
            is_streamed = route.consumes in STREAMED
            return await idempotency.once(request, key, lambda: work(request), is_streamed=is_streamed)
        return await work(request)

    async def work(request: Request) -> web.StreamResponse:
        given: list[Any] = []
        if route.query is not None:
            # A form sends the fields nobody filled in, too.
            given.append(_validated(route.query, {name: value for name, value in request.query.items() if value}))
        if route.body is not None:
            given.append(_validated(route.body, await read_json(request)))
        return _shown(request, await route.handler(request, *given), adapter, route.status)

    serve.__name__ = getattr(route.handler, "__name__", "serve")
    return serve


async def read_json(request: Request) -> dict[str, Any]:
    """The body as an object; none or an empty one is {}. Raises Malformed, Stalled, Invalid, TooLarge."""
    raw = await read_body(request)
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error
    if not isinstance(value, dict):
        raise Invalid(errors=[{"pointer": "", "detail": "needs to be one object"}])
    _check_depth(value)
    return value


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAXIMUM_DEPTH:
        raise Malformed("The body is nested too deeply.")
    if isinstance(value, (dict, list)):
        for child in value.values() if isinstance(value, dict) else value:
            _check_depth(child, depth + 1)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _validated(model: type[BaseModel], value: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_from(error) from error


def _shown(request: Request, result: Any, adapter: TypeAdapter[Any] | None, status: int) -> web.StreamResponse:
    """Handlers answer with a shape, a Paged, (shape, status), nothing, or a ready response."""
    if isinstance(result, web.StreamResponse):
        return result
    if isinstance(result, tuple):
        result, status = result
    if result is None or adapter is None:
        return web.Response(status=status if result is not None else 204)
    headers = {"Cache-Control": "no-store"}
    if isinstance(result, Paged):
        if result.next_after is not None:
            headers["Link"] = link_header(request, result.next_after)
        result = list(result.items)
    etag = getattr(result, "_etag", None)
    if etag:
        headers["ETag"] = etag
        headers["Cache-Control"] = "private, no-cache"
        headers["Vary"] = "Authorization"  # several people may share a browser, and its cache
        if is_known(request, etag):
            return web.Response(status=304, headers=headers)
    return web.Response(status=status, body=adapter.dump_json(result), content_type="application/json", headers=headers)
