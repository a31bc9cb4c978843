"""One of several web processes on one port: `python -m server.web_worker`, started by workers.py and by nobody else.

Settings come from the environment, as everywhere; what the parent decided for all workers comes as arguments. It ends
with its parent, and drains on SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from server import logs, pace
from server.listening import SharedListener
from server.serving import Plan, serve
from server.settings import Settings
from signaling.child import die_with_parent
from signaling.transport import Place


def command(
    place: Place, listening: Sequence[int], port: int, media: str, *, with_media: bool, with_jobs: bool
) -> list[str]:
    """How that worker is started. It inherits the descriptors `listening`; `media` is empty or an address."""
    words = [sys.executable, "-m", "server.web_worker", "--number", str(place.number), "--count", str(place.count)]
    words += ["--folder", str(place.folder), "--port", str(port), "--media", media]
    for descriptor in listening:
        words += ["--listen", str(descriptor)]
    return [*words, *["--with-media"] * with_media, *["--with-jobs"] * with_jobs]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What `command` said."""
    parser = argparse.ArgumentParser(prog="server.web_worker", description="One of several web processes on one port.")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen", type=int, action="append", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--media", default="")
    parser.add_argument("--with-media", action="store_true")
    parser.add_argument("--with-jobs", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    die_with_parent()
    given = arguments(argv)
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level, given.number)
    settings = settings.model_copy(update={"port": given.port, "media_address": given.media})
    sockets = [SharedListener(fileno=descriptor) for descriptor in given.listen]
    place = Place(given.number, given.count, given.folder)
    plan = Plan(settings, sockets, _ready, with_media=given.with_media, with_jobs=given.with_jobs, place=place)
    pace.run(serve(plan))


async def _ready(app: web.Application) -> None:
    """The parent tells people, once all workers are ready."""


if __name__ == "__main__":
    main()
