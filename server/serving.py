"""Run the program until it is told to stop: media workers, application, a drain, and status 0.

Order matters and is all here: the media workers before anybody can join, the banner only when the address answers.
SIGTERM, Ctrl-C and the end of the terminal drain; a second of the first two ends at once. One of several workers also
drains when it is REPLACED: then this address goes on, and whoever asks it is not told that it closes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

import structlog
from aiohttp import web

from server import app as application
from server.http.keys import READINESS
from server.http.protocol import Runner, Server
from server.listening import BACKLOG
from server.media_ports import ports_of
from server.settings import Settings
from server.supervisor import MediaSupervisor, MediaSupervisors
from server.terminal_end import TerminalEnd
from signaling.child import when_parent_ends
from signaling.transport import Place
from signaling.transport.adoption import Door

SHUTDOWN_SECONDS = 3.0  # open requests may go on for this long after the drain; then they are cut
DRAIN_SECONDS = 15.0  # from the signal to the end, whatever clients and the database do
SPEAK_SECONDS = 1.0  # for those just accepted to say their first word, when siblings take all others
IDLE_SECONDS = 75.0  # for the next request, or the rest of its head; longer than proxies keep a connection
READ_BYTES = 256 * 1024  # of a body wait for its reader, then its sender waits; less stops a fast one at every read
ALONE_BACKLOG = 32  # connections accepted in one turn of the loop
SHARED_BACKLOG = 1  # by one of several workers, so that its siblings have their share
REPLACED = signal.SIGUSR1  # to one of several workers: drain, a successor comes
LOOK_SECONDS = 0.01
log = structlog.get_logger(__name__)

# Called when the address answers; the task it may return is ended before the application is.
Ready = Callable[[web.Application], Awaitable[asyncio.Task[None] | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """One start: where it listens (nowhere for jobs alone), what runs, and what to do when the address answers.

    `sign_in_links` (token hash to user id) is given in a demo alone; `ready` may still fill it. `inherited` are file
    descriptors that children keep. `place` says which of several web processes on these sockets this is.
    """

    settings: Settings
    sockets: Sequence[socket.socket]
    ready: Ready
    with_media: bool = True
    with_jobs: bool = True
    sign_in_links: Mapping[str, int] | None = None
    inherited: Sequence[int] = ()
    place: Place | None = None


async def serve(plan: Plan) -> None:
    """Serve until told to stop, then drain and return. Raises SystemExit with one line when it cannot start."""
    settings, told = plan.settings, _Told(is_worker=plan.place is not None)
    tls = tls_context(settings)
    async with AsyncExitStack() as opened:
        media_address = settings.media_address or None
        media_starts: asyncio.Task[None] | None = None
        if plan.with_media and media_address is None:
            supervisor = media_supervisors(settings, plan.inherited)
            opened.push_async_callback(supervisor.close)
            media_starts = asyncio.create_task(supervisor.start())  # meanwhile the application is built
            opened.push_async_callback(_settled, media_starts)
            media_address = supervisor.address
        app = application.build(
            settings,
            media_address=media_address,
            sign_in_links=plan.sign_in_links,
            runs_jobs=plan.with_jobs,
            place=plan.place,
        )
        if not plan.with_media:
            app[READINESS].media_needed = False
        runner = runner_of(app)
        opened.push_async_callback(runner.cleanup)
        await runner.setup()
        if media_starts is not None:
            await media_starts
        app[READINESS].is_replaced = lambda: told.is_replaced
        app[READINESS].demo_seeding = plan.sign_in_links is not None
        if plan.place is not None:
            await _meet_siblings(runner, plan.place, opened)
        backlog = ALONE_BACKLOG if plan.place is None else SHARED_BACKLOG
        sites = [web.SockSite(runner, one, ssl_context=tls, backlog=backlog) for one in plan.sockets]
        for site in sites:
            await site.start()
        for one in plan.sockets:
            one.listen(BACKLOG)  # the site's argument says how many it takes at once, and shortens the line
        beside = await plan.ready(app)
        app[READINESS].sockets_accepted = True  # last, so that whoever waits for /readyz finds the links printed
        await told.stop.wait()
        log.info("draining")
        opened.callback(_leave_at_last().cancel)
        if plan.place is not None:
            for site in sites:
                await site.stop()  # the siblings take whoever comes now
            await first_words(runner)
        if beside is not None:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
        await application.drain(app)


async def first_words(runner: web.AppRunner, seconds: float = SPEAK_SECONDS) -> None:
    """Until everybody accepted has said something, and is served; whoever is silent for longer is let go."""
    for _ in range(round(seconds / LOOK_SECONDS)):
        if not getattr(runner.server, "silent", None):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _meet_siblings(runner: web.AppRunner, place: Place, opened: AsyncExitStack) -> None:
    """Answer what siblings pass on, and take the connections they give away."""
    path = place.http(place.number)
    path.unlink(missing_ok=True)  # a predecessor's
    await web.UnixSite(runner, str(path)).start()
    assert runner.server is not None
    opened.push_async_callback(Door(place.door(place.number), runner.server).close)


def _leave_at_last() -> threading.Timer:
    """The end of a drain that does not end by itself: everything acknowledged is committed by then."""

    def leave() -> None:
        log.error("the drain did not end", seconds=DRAIN_SECONDS)
        os._exit(0)

    timer = threading.Timer(DRAIN_SECONDS, leave)
    timer.daemon = True
    timer.start()
    return timer


def runner_of(app: web.Application, *, idle_seconds: float = IDLE_SECONDS) -> web.AppRunner:
    """What serves `app`; a connection without a whole request for `idle_seconds` is closed."""
    runner = Fronted if application.GATEWAY in app else Runner
    return runner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
        handle_signals=False,
        keepalive_timeout=idle_seconds,
        read_bufsize=READ_BYTES,
    )


class Fronted(Runner):
    """Lets the real-time transport see each connection first: its WebSockets never become requests."""

    async def _make_server(self) -> Server:
        made, live = await super()._make_server(), self.app[application.GATEWAY].live
        return cast(Server, live.in_front_of(made, idle_seconds=self._kwargs["keepalive_timeout"]))


async def _settled(task: asyncio.Task[None]) -> None:
    """End what a start that failed elsewhere has left half done; its own failure was told by then."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def media_supervisors(
    settings: Settings, inherited: Sequence[int] = (), controls: Sequence[str] = ()
) -> MediaSupervisors:
    """What keeps the media workers of these settings, or one at each of `controls`; not yet started."""
    settings = settings.model_copy(update={"media_workers": len(controls) or settings.media_workers})
    return MediaSupervisors(
        [
            MediaSupervisor(
                settings.data_dir,
                number=number,
                control=controls[number] if controls else "",
                udp_hosts=media_hosts(settings),
                udp_port=port,
                public_addresses=configured_addresses(settings),
                inherited=inherited,
                allow_test_loss=settings.media_test_loss,
            )
            for number, port in enumerate(ports_of(settings))
        ]
    )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings name it, 1.2 or newer; None without a certificate. Raises SystemExit with one line."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise SystemExit("Set both TLS_CERT and TLS_KEY, or neither.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SystemExit(f"TLS_CERT and TLS_KEY cannot be used: {error.strerror or error}") from error
    return context


def media_host(settings: Settings) -> str:
    """Where the media worker binds: loopback when only this machine is served, else every address.

    Behind a proxy HOST is loopback and PUBLIC_ADDRESS is not: media does not pass the proxy.
    """
    if is_loopback(settings.host) and all(is_loopback(address) for address in configured_addresses(settings)):
        return "127.0.0.1"
    return "::" if ":" in settings.host else "0.0.0.0"


def media_hosts(settings: Settings) -> list[str]:
    """The same, and the other kind (IPv4, IPv6) beside it where PUBLIC_ADDRESS tells browsers an address of that."""
    first = media_host(settings)
    others = ["::1" if first == "127.0.0.1" else "::" if first == "0.0.0.0" else "0.0.0.0"]
    addresses = configured_addresses(settings)
    return [first, *(other for other in others if any(_may_be_like(other, address) for address in addresses))]


def _may_be_like(one: str, other: str) -> bool:
    """Are they both IPv6, or both IPv4? A name may be either."""
    try:
        return ip_address(one).version == ip_address(other).version
    except ValueError:
        return other != "localhost"


def configured_addresses(settings: Settings) -> list[str]:
    """The addresses of PUBLIC_ADDRESS; with none the worker tells browsers those it is bound to."""
    return [address.strip() for address in settings.public_address.split(",") if address.strip()]


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


class _Told:
    """What this process was told: `stop` by the first signal; the next SIGTERM or SIGINT has its usual effect.

    A worker that is replaced was not asked to hurry: a SIGTERM after it is a first one.
    """

    def __init__(self, *, is_worker: bool) -> None:
        self.stop, self.is_replaced = asyncio.Event(), False
        self._loop = asyncio.get_running_loop()
        for which in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(which, self._end)
        if not TerminalEnd().is_nothing_to_us:
            self._loop.add_signal_handler(signal.SIGHUP, self.stop.set)
        if is_worker:
            self._loop.add_signal_handler(REPLACED, self._be_replaced)
            when_parent_ends(self.stop.set)

    def _end(self) -> None:
        self.is_replaced = False
        self.stop.set()
        for which in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(which)

    def _be_replaced(self) -> None:
        self.is_replaced = not self.stop.is_set()
        self.stop.set()
