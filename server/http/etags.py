"""Versions of a thing as clients see them: ETag, If-Match and If-None-Match (RFC 9110, 8.8 and 13.1)."""

from __future__ import annotations

import hashlib

from aiohttp import web

from server.errors import PreconditionFailed


def etag_of(*parts: object) -> str:
    """A strong tag from whatever changes when the thing changes (ids, revisions, times)."""
    return '"' + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24] + '"'


def require_match(request: web.BaseRequest, etag: str) -> None:
    """Honor If-Match when it was sent. Raises PreconditionFailed."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return
    if etag not in [part.strip() for part in given.split(",")]:
        raise PreconditionFailed()
