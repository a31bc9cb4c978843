"""Starting: which ports, which folder, what runs; serving.py takes over from there.

A demo may move to other ports when its usual ones are taken, and says so; a port that was set explicitly never moves.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import structlog
from aiohttp import web

from server import logs, media_ports, pace
from server.accounts import invites
from server.accounts import service as accounts
from server.db.database import Database
from server.demo import LessonsMissing, add_lessons, seed
from server.http.keys import DATABASE
from server.instance import Instance
from server.listening import PortTaken, listen, port_of
from server.ports import SilentPublisher
from server.private_folder import private_folder
from server.schema_check import prepare_schema
from server.serving import (
    Plan,
    configured_addresses,
    is_loopback,
    media_host,
    media_hosts,
    media_supervisors,
    serve,
    tls_context,
)
from server.settings import Settings
from server.supervisor import MediaSupervisors
from server.terminal import show_demo, show_serving
from server.web_worker import command
from server.workers import Signals, Worker, supervise
from signaling.media.carrier import addresses_in
from signaling.transport import Place

log = structlog.get_logger(__name__)


def start(settings: Settings, workers: int = 1) -> None:
    """Serve until told to stop, everything in one place. Raises SystemExit with one line when it cannot."""
    if workers > 1:
        _start_many(settings, workers, with_media=True, with_jobs=True)
    else:
        _start(settings, with_media=True, with_jobs=True)


def start_web(settings: Settings, workers: int = 1) -> None:
    """Serve pages, REST and sockets; media and, on PostgreSQL, jobs run elsewhere. Raises SystemExit."""
    if workers > 1:
        _start_many(settings, workers, with_media=False, with_jobs=False)
    else:
        _start(settings, with_media=False, with_jobs=settings.is_embedded)


def start_jobs(settings: Settings) -> None:
    """Do what is queued and listen nowhere. Raises SystemExit."""
    if settings.is_embedded:
        raise SystemExit("With SQLite the server does its jobs itself: --only jobs needs DATABASE_URL on PostgreSQL.")
    assert settings.secret_key
    prepare_schema(settings)

    async def ready(app: web.Application) -> None:
        log.info("jobs are worked on")

    pace.run(serve(Plan(settings, [], ready, with_media=False)))


def start_media(settings: Settings) -> None:
    """Become a media worker, or keep several, for web processes that reach them at LECTERN_MEDIA_ADDRESS."""
    if not settings.media_address or not settings.media_secret:
        raise SystemExit("Set these before starting: LECTERN_MEDIA_ADDRESS (tcp:host:port), LECTERN_MEDIA_SECRET")
    addresses = addresses_in(settings.media_address)
    if len(addresses) > 1:
        asyncio.run(_keep_media(media_supervisors(settings, controls=addresses)))
        return
    command = [sys.executable, "-m", "signaling.media.worker", "--control", settings.media_address]
    command += ["--udp-port", str(settings.media_port)]
    for host in media_hosts(settings):
        command += ["--udp-host", host]
    for address in configured_addresses(settings):
        command += ["--public-address", address]
    os.execv(sys.executable, command)


async def _keep_media(workers: MediaSupervisors) -> None:
    """Until told to stop."""
    signals = Signals()
    try:
        await workers.start()
        log.info("media workers ready", count=len(workers.each))
        await signals.stop.wait()
    finally:
        await workers.close()


def start_demo(settings: Settings) -> None:
    """Serve the seeded classroom on this machine alone. Raises SystemExit with one line when it cannot."""
    if not is_loopback(settings.host):
        raise SystemExit(
            f"The demo's links open every door, so it serves this machine only: unset HOST ({settings.host})."
        )
    moved: list[str] = []
    _log(settings, "error")
    with ExitStack() as held:
        inherited = _hold_folder(settings, held)
        prepare_schema(settings)
        sockets = _demo_sockets(settings, moved)
        settings = settings.model_copy(update={"port": port_of(sockets)})
        settings = media_ports.for_demo(settings, media_host(settings), moved)
        links: dict[str, int] = {}

        async def ready(app: web.Application) -> asyncio.Task[None]:
            demo = await seed(app, settings, links)
            show_demo(settings.base_url, demo, moved=moved, data_dir=str(settings.data_dir))
            _log(settings, "warning")
            return asyncio.create_task(_lessons(app, settings), name="demo lessons")

        pace.run(serve(Plan(settings, sockets, ready, sign_in_links=links, inherited=inherited)))


def _start(settings: Settings, *, with_media: bool, with_jobs: bool) -> None:
    assert settings.secret_key  # a missing one ends the start here, before anything runs
    with ExitStack() as held:
        inherited = _hold_folder(settings, held)
        prepare_schema(settings)
        sockets = listen(settings.host, settings.port)
        settings = settings.model_copy(update={"port": port_of(sockets)})
        if with_media and not settings.media_address:
            settings = media_ports.awaited(settings, media_host(settings))

        async def ready(app: web.Application) -> None:
            show_serving(settings.base_url, await _setup_link(app[DATABASE], settings))

        plan = Plan(settings, sockets, ready, with_media=with_media, with_jobs=with_jobs, inherited=inherited)
        pace.run(serve(plan))


def _start_many(settings: Settings, count: int, *, with_media: bool, with_jobs: bool) -> None:
    """Several web processes on one port, and the media workers they share. Raises SystemExit."""
    missing = [name for name, is_missing in _needed_by_many(settings) if is_missing]
    if missing:
        raise SystemExit(f"More than one worker needs PostgreSQL and Redis: set {' and '.join(missing)}.")
    assert settings.secret_key
    tls_context(settings)  # what is wrong with it is said once, here
    prepare_schema(settings)
    sockets = listen(settings.host, settings.port)
    settings = settings.model_copy(update={"port": port_of(sockets)})
    if with_media and not settings.media_address:
        settings = media_ports.awaited(settings, media_host(settings))
    with private_folder() as folder:
        asyncio.run(_serve_many(settings, count, sockets, folder, with_media=with_media, with_jobs=with_jobs))


async def _serve_many(
    settings: Settings,
    count: int,
    sockets: Sequence[socket.socket],
    folder: Path,
    *,
    with_media: bool,
    with_jobs: bool,
) -> None:
    async def when_ready() -> None:
        database = Database.open(settings.database_url, publisher=SilentPublisher())
        try:
            show_serving(settings.base_url, await _setup_link(database, settings))
        finally:
            await database.close()

    signals = Signals()
    async with AsyncExitStack() as opened:
        media = settings.media_address
        if with_media and not media:
            supervisor = media_supervisors(settings)
            opened.push_async_callback(supervisor.close)
            await supervisor.start()
            media = supervisor.address
        descriptors = [one.fileno() for one in sockets]
        workers = []
        for number in range(count):
            place = Place(number, count, folder)
            words = command(place, descriptors, settings.port, media, with_media=with_media, with_jobs=with_jobs)
            workers.append(Worker(number, words, descriptors, place.http(number)))
        await supervise(workers, when_ready, signals)


def _needed_by_many(settings: Settings) -> list[tuple[str, bool]]:
    return [("DATABASE_URL", settings.is_embedded), ("REDIS_URL", not settings.redis_url)]


def _hold_folder(settings: Settings, held: ExitStack) -> Sequence[int]:
    """An embedded server has its folder to itself; the lock's descriptor is for its children."""
    return [held.enter_context(Instance(settings.data_dir)).fd] if settings.is_embedded else []


def _demo_sockets(settings: Settings, moved: list[str]) -> list[socket.socket]:
    if "port" in settings.model_fields_set:
        return listen(settings.host, settings.port)
    try:
        return listen(settings.host, settings.port, retry_seconds=0)
    except PortTaken:
        sockets = listen(settings.host, 0)
        moved.append(f"Port {settings.port} is taken; this is {port_of(sockets)}.")
        return sockets


async def _setup_link(database: Database, settings: Settings) -> str | None:
    """A link for the first instructor while nobody is here."""
    async with database.work("set-up link") as work:
        if not await accounts.is_empty(work):
            return None
        return f"{settings.base_url}/app/register#{await invites.make_setup_link(work)}"


async def _lessons(app: web.Application, settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        await add_lessons(app, settings, f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.port}")
    except LessonsMissing as error:
        log.warning("the demo has no lessons", reason=str(error))
    except Exception:
        log.exception("the demo has no lessons")


def _log(settings: Settings, level: str) -> None:
    """A visitor's terminal stays readable unless LECTERN_LOG_LEVEL asks for more."""
    if "log_level" not in settings.model_fields_set:
        logs.configure(settings.log_format, level)
