"""A refusal that comes before the body ends must still be seen by the browser that is sending it.

Browsers read an answer only when they stop sending. Closed at once, the connection is reset and the answer lost; read
to the end, a slow upload hides it for minutes. So: answer, keep reading and dropping for three seconds, then close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.errors import LecternError
from server.http.taking import TAKEN

LINGER_SECONDS = 3.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def linger(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost of the middlewares: sees every answer, and whether its request was read to the end."""
    try:
        return await _answered(request, handler)
    finally:
        if TAKEN in request:
            request[TAKEN].close()


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if TAKEN in request:
        response.force_close()
    if request.content.is_eof() or not request.body_exists or response.prepared:
        return response
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    more = request[TAKEN].some if TAKEN in request else request.content.readany
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while not request.content.is_eof():
                await more()
    except (TimeoutError, ConnectionError, web.HTTPException, web.RequestPayloadError, LecternError, ValueError):
        pass  # the client is slow, gone or talks nonsense; it has had its answer
    request.protocol.force_close()
    return response
