"""A small body in memory, bounded in time as it is in size: a sender who stops holds its connection for seconds."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.errors import Stalled

BODY_SECONDS = 30.0  # for all of it; then the sender is told and the connection closed


async def read_body(request: web.Request) -> bytes:
    """The body as it came. Raises Stalled, TooLarge (by the server)."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Stalled() from error
