"""Versions of a thing as clients see them: ETag, If-Match and If-None-Match (RFC 9110, 8.8 and 13.1)."""

from __future__ import annotations

import hashlib

from aiohttp import web

from server.errors import PreconditionFailed

QUOTE = '"'


def etag_of(*parts: object) -> str:
    """A strong tag from whatever changes when the thing changes (ids, revisions, times)."""
    return '"' + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24] + '"'


def require_edition(request: web.BaseRequest, edition: str) -> None:
    """Honor If-Match for tags of the form "<edition>.<all that is shown>": only edits conflict.

    Raises PreconditionFailed.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return
    if edition not in [tag.strip().strip(QUOTE).partition(".")[0] for tag in given.split(",")]:
        raise PreconditionFailed()


def is_known(request: web.BaseRequest, etag: str) -> bool:
    """Whether a reader has this version: If-None-Match, compared weakly (proxies that compress weaken tags)."""
    given = request.headers.get("If-None-Match")
    if given is None or request.method not in ("GET", "HEAD"):
        return False
    return given.strip() == "*" or etag in [part.strip().removeprefix("W/") for part in given.split(",")]


def require_match(request: web.BaseRequest, etag: str) -> None:
    """Honor If-Match when it was sent. Raises PreconditionFailed."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return
    if etag not in [part.strip() for part in given.split(",")]:
        raise PreconditionFailed()
