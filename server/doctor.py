"""What would keep Lectern from serving here, and what would only be better: one line each, with the remedy.

Nothing is changed: ports are tried and let go, the database is asked for its revision, no file is written for good.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from server import turn_check
from server.listening import PortTaken, await_udp, listen
from server.media_ports import ports_of
from server.schema_check import is_at_head
from server.serving import configured_addresses, is_loopback, media_host, tls_context
from server.settings import Settings

SMALLEST_FREE_BYTES = 1024**3  # a few lessons and the database's log
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact; a needed one that is not fine would end the start."""

    is_fine: bool
    text: str
    is_needed: bool = True


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order a start would meet them."""
    return [
        finding
        for look in (
            _python,
            _packages,
            _pages,
            _data_directory,
            _secret,
            _database,
            _redis,
            _ports,
            _tls,
            _reach,
            _turn,
        )
        for finding in look(settings)
    ]


def _python(settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info >= (3, 11), f"Python {found} (3.11 or newer is needed)")


def _packages(settings: Settings) -> Iterator[Finding]:
    wrong = []
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        name, _, wanted = line.partition(";")[0].rstrip(" \\").partition("==")
        if not wanted or ";" in line:
            continue
        try:
            if version(name) != wanted.strip():
                wrong.append(f"{name} {version(name)} instead of {wanted.strip()}")
        except PackageNotFoundError:
            wrong.append(f"{name} missing")
    yield Finding(
        not wrong, f"Packages: {', '.join(wrong) + '; run make install' if wrong else 'as locked'}", bool(wrong)
    )


def _pages(settings: Settings) -> Iterator[Finding]:
    is_there = (ROOT / "static" / "vendor" / "vendor.js").is_file()
    yield Finding(is_there, f"Browser modules: {'installed' if is_there else 'missing; run make install'}")


def _data_directory(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding(False, f"{folder} cannot be written ({error.strerror}): set LECTERN_DATA_DIR to a folder of ours")
        return
    free = shutil.disk_usage(folder).free
    yield Finding(free >= SMALLEST_FREE_BYTES, f"{folder} is writable, {free / 1024**3:.1f} GB free", is_needed=False)


def _secret(settings: Settings) -> Iterator[Finding]:
    has_one = settings.is_embedded or bool(settings.secret_key_given)
    yield Finding(has_one, "SECRET_KEY: fine" if has_one else "SECRET_KEY is not set; PostgreSQL needs it")


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.is_embedded:
        yield Finding(True, "Database: SQLite in the data directory")
        return
    try:
        is_ready = is_at_head(settings)
    except SystemExit as error:
        yield Finding(False, str(error))
        return
    yield Finding(is_ready, f"Database: PostgreSQL answers{'' if is_ready else '; run python -m server migrate'}")


def _redis(settings: Settings) -> Iterator[Finding]:
    if not settings.redis_url:
        text = "REDIS_URL is not set: one web process here, and no --workers"
        yield Finding(settings.is_embedded, text, is_needed=False)
        return
    try:
        with Redis.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=2) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        yield Finding(False, f"REDIS_URL does not answer ({error}): start Redis, or correct it", is_needed=False)
        return
    what = "; --workers needs PostgreSQL too" if settings.is_embedded else "; --workers may be used"
    yield Finding(True, f"Redis answers{what}", is_needed=False)


def _ports(settings: Settings) -> Iterator[Finding]:
    def tcp() -> None:
        for opened in listen(settings.host, settings.port, retry_seconds=0):
            opened.close()

    def udp() -> None:
        for port in ports_of(settings):
            await_udp(media_host(settings), port, retry_seconds=0)

    last = settings.media_port + settings.media_workers - 1
    media = f"{settings.media_port}{f' to {last}' if settings.media_workers > 1 else ''} (UDP)"
    yield _tried(f"PORT {settings.port} on {settings.host} is free", tcp)
    yield _tried(f"MEDIA_PORT {media} {'are' if settings.media_workers > 1 else 'is'} free", udp)


def _tls(settings: Settings) -> Iterator[Finding]:
    if settings.tls_cert or settings.tls_key:
        yield _tried("TLS_CERT and TLS_KEY fit together", lambda: tls_context(settings))
    elif not is_loopback(settings.host) and not settings.is_https:
        yield Finding(
            False,
            "Browsers allow cameras only over HTTPS: set TLS_CERT and TLS_KEY, or PUBLIC_URL behind a proxy"
            " (docs/reverse-proxy.md)",
            is_needed=False,
        )


def _reach(settings: Settings) -> Iterator[Finding]:
    if is_loopback(settings.host):
        yield Finding(True, "Only this machine can reach it (HOST is a loopback address)", is_needed=False)
        return
    given = ", ".join(configured_addresses(settings))
    text = f"Browsers send sound and picture to {given or 'the addresses of this machine'}, UDP {settings.media_port}"
    if not given:
        text += "; set PUBLIC_ADDRESS if people reach it by another one"
    yield Finding(bool(given), text, is_needed=False)


def _turn(settings: Settings) -> Iterator[Finding]:
    if not settings.turn_urls and not is_loopback(settings.host):
        text = "No TURN server: where a network lets no UDP through there is no sound and picture (docs/turn.md)"
        yield Finding(False, text, is_needed=False)
    for url in settings.turn_urls:
        wrong = turn_check.complaint(url)
        yield Finding(not wrong, f"{url} {f'does not answer ({wrong})' if wrong else 'answers'}", is_needed=False)


def _tried(text: str, act: Callable[[], object]) -> Finding:
    try:
        act()
    except (PortTaken, SystemExit) as error:
        return Finding(False, str(error))
    return Finding(True, text)
