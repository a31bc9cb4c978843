"""The composition root: the only file that sees all parts and joins them.

build() returns an application that opens its parts when it starts and closes them, once, when it ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiohttp import web

from server.accounts import web as accounts_web
from server.accounts.wiring import ACCOUNTS, SIGN_IN_LINKS, Accounts
from server.content import analytics_web, tus_web, uploads_web
from server.content import web as content_web
from server.content.early_ranges import EarlyRanges
from server.content.links import TICKETS
from server.content.short_way import media_first
from server.content.wiring import LIBRARY, Library, runner_of
from server.courses import roster_web
from server.courses import web as courses_web
from server.db.database import Database
from server.db.migrate import current, head
from server.http import docs, idempotency, middleware, openapi, pages, service
from server.http.early import EARLY, Early
from server.http.keys import AUTHENTICATE, DATABASE, PRESENCE, READINESS, ROOMS, SETTINGS, Authenticate, Readiness
from server.http.lingering import linger
from server.http.origins import Origins
from server.http.routes import Routes, mount
from server.live_sessions import web as live_sessions_web
from server.metrics import Metrics
from server.notifications import web as notifications_web
from server.pace import Pulse
from server.ports import Clock, Publisher, SystemClock
from server.settings import Settings
from signaling import asyncapi
from signaling.gateway import Gateway
from signaling.transport import Place

BODY_BYTES = 1024 * 1024  # of a request that is no upload; more is refused with 413
GATEWAY = web.AppKey("GATEWAY", Gateway)
log = structlog.get_logger(__name__)


class FanOut:
    """Publishes facts to every listener here and over the bus; complete before the first fact."""

    def __init__(self) -> None:
        self.listeners: list[Publisher] = []
        self.tell_others: Callable[[Sequence[object]], None] = lambda facts: None

    def publish(self, facts: Sequence[object]) -> None:
        self.hear(facts)
        self.tell_others(facts)

    def hear(self, facts: Sequence[object]) -> None:
        """Facts of another process: for the listeners here alone."""
        for listener in self.listeners:
            try:
                listener.publish(facts)
            except Exception:
                log.exception("listener failed", listener=type(listener).__name__)


def areas() -> list[Routes]:
    """Every area's routes, in the order the documents show them."""
    return [
        accounts_web.route,
        courses_web.route,
        roster_web.route,
        uploads_web.route,
        content_web.route,
        analytics_web.route,
        tus_web.route,
        live_sessions_web.route,
        notifications_web.route,
        service.route,
        docs.route,
    ]


def build(
    settings: Settings,
    *,
    media_address: str | None = None,
    sign_in_links: Mapping[str, int] | None = None,
    clock: Clock | None = None,
    runs_jobs: bool = True,
    place: Place | None = None,
) -> web.Application:
    """The application. Without `media_address` it serves everything but media (and /readyz asks for none).

    `sign_in_links` (token hash to user id) exists in a demo alone. Without `runs_jobs` somebody else does the jobs.
    `place` says which of several web processes on one port this is.
    """
    clock = clock or SystemClock()
    told = FanOut()
    app = web.Application(
        client_max_size=BODY_BYTES,
        middlewares=[
            media_first,
            linger,
            middleware.observe,
            middleware.cross_origin,
            middleware.refuse_while_draining,
        ],
    )
    metrics = Metrics(place.number if place is not None else None)
    readiness = Readiness(media_needed=media_address is not None, has_siblings=place is not None)
    database = Database.open(settings.database_url, publisher=told, clock=clock)
    accounts = Accounts.of(settings, database)
    gateway = Gateway(
        settings, database, accounts.authenticate, metrics, readiness, clock, accounts.limits.guess, told.hear, place
    )
    library = Library.of(settings, database)
    told.tell_others = accounts.limits.tell = gateway.bus.tell
    told.listeners += [accounts.authenticate, accounts.limits, library.gate, gateway.announcer]
    app[SETTINGS], app[DATABASE], app[READINESS] = settings, database, readiness
    app[ACCOUNTS] = accounts
    authenticate: Authenticate = accounts.authenticate
    app[AUTHENTICATE] = authenticate
    app[LIBRARY], app[TICKETS] = library, library.tickets
    app[ROOMS], app[PRESENCE], app[GATEWAY] = gateway.timeline, gateway.presence, gateway
    app[middleware.ORIGINS], app[middleware.METRICS] = Origins(settings), metrics
    if not settings.x_accel_prefix:  # with it, whoever asks is looked at first
        vary = {"Vary": "Origin"} if settings.allowed_origins else {}
        early: Early = EarlyRanges(library, metrics, readiness, prefix=settings.api_prefix, also=vary)
        app[EARLY] = early
    served = areas()
    if sign_in_links is not None:
        app[SIGN_IN_LINKS] = sign_in_links
        served.append(accounts_web.link_route)
    mounted = mount(app, served, settings.api_prefix)
    if settings.api_prefix:
        mount(app, [service.route])  # probes and documents answer where operators look for them, too
    app[service.DOCUMENTS] = service.Documents(
        rest=lambda: openapi.document(mounted, settings.base_url, settings.api_prefix), events=asyncapi.document
    )
    gateway.attach(app)
    pages.add_pages(app)
    app.on_response_prepare.extend([middleware.add_headers, tus_web.add_headers])
    app.cleanup_ctx.extend(
        [
            _database,
            _watch_loop,
            _gateway(media_address, settings.media_secret or None),
            _content(told, runs_jobs=runs_jobs),
        ]
    )
    return app


async def drain(app: web.Application) -> None:
    """Take nothing new, tell clients to come back, finish what was begun."""
    app[READINESS].draining = True
    await app[GATEWAY].close()


def openapi_document() -> dict[str, Any]:
    """What /openapi.json shows, without a server."""
    declared = [route for area in areas() for route in area.declared]
    return openapi.document(declared, "http://127.0.0.1:8080", "")


def asyncapi_document() -> dict[str, Any]:
    """What /asyncapi.json shows, without a server."""
    return asyncapi.document()


async def _database(app: web.Application) -> AsyncIterator[None]:
    app[READINESS].schema_at_head = await current(app[DATABASE]) == head()
    if app[SETTINGS].is_embedded and app[READINESS].schema_at_head:
        await idempotency.free_all(app[DATABASE])
    yield
    app[ACCOUNTS].close()
    await app[DATABASE].close()


def _gateway(media_address: str | None, secret: str | None) -> Any:
    async def opened(app: web.Application) -> AsyncIterator[None]:
        await app[GATEWAY].open()
        if media_address is not None:
            await app[GATEWAY].use_media(media_address, secret)
        yield
        await app[GATEWAY].end()

    return opened


def _content(told: FanOut, *, runs_jobs: bool) -> Any:
    async def opened(app: web.Application) -> AsyncIterator[None]:
        runner = None
        if runs_jobs:
            runner = runner_of(app[SETTINGS], app[DATABASE], app[middleware.METRICS])
            told.listeners.append(runner)
            await runner.start()
        yield
        if runner is not None:
            await runner.close()
        await app[LIBRARY].close()

    return opened


async def _watch_loop(app: web.Application) -> AsyncIterator[None]:
    """Measure how late the event loop is: the one number that says whether this process keeps up."""
    pulse = Pulse(app[middleware.METRICS])
    pulse.start()
    yield
    pulse.close()
