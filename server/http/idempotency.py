"""A POST repeated with the same Idempotency-Key is answered from memory and not done again (kept for a day).

Guarantee: one execution per (person, key). The same key with another body is a mistake and says so; a repeat that comes
while the first is still worked gets 409 and may come again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from server.errors import Conflict, ContentMismatch, Invalid
from server.http.bodies import read_body
from server.http.keys import ACTOR, DATABASE
from server.http.tables import IdempotentAnswer

LONGEST_KEY = 255
KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)  # a first request that died without an answer stops blocking its key


class KeyReused(ContentMismatch):
    code, sentence = "idempotency_key_reused", "That Idempotency-Key was used for a different request."


class KeyInFlight(Conflict):
    code, sentence = "idempotency_in_flight", "The first request with that key is still being worked."


async def once(
    request: web.Request, key: str, work: Callable[[], Awaitable[web.StreamResponse]], *, is_streamed: bool = False
) -> web.StreamResponse:
    """Run `work` unless this person's `key` was answered already. Raises Invalid, KeyReused, KeyInFlight.

    A streamed body (an upload) is never held, so only its address is compared.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise Invalid("Idempotency-Key needs 1 to 255 printable characters.")
    body = b"" if is_streamed else await read_body(request)
    digest = hashlib.sha256(f"{request.method} {request.path_qs}\n".encode() + body).hexdigest()
    user_id = request[ACTOR].id
    known = await _claim(request, user_id, key, digest)
    if known is not None:
        return known
    try:
        response = await work()
    except BaseException:
        await _forget(request, user_id, key)
        raise
    answer = response.body if isinstance(response, web.Response) else None
    if not isinstance(answer, (bytes, bytearray)) and answer is not None:
        await _forget(request, user_id, key)
        return response
    async with request.app[DATABASE].work() as unit:
        row = await unit.scalar(select(IdempotentAnswer).filter_by(user_id=user_id, key=key))
        if row is not None:
            row.status, row.body = response.status, bytes(answer or b"")
    return response


async def _claim(request: web.Request, user_id: int, key: str, digest: str) -> web.Response | None:
    async with request.app[DATABASE].work() as unit:
        await unit.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < unit.now - KEPT))
        row = await unit.scalar(select(IdempotentAnswer).filter_by(user_id=user_id, key=key).with_for_update())
        if row is None:
            unit.add(IdempotentAnswer(user_id=user_id, key=key, request_hash=digest, created_at=unit.now))
            try:
                await unit.flush()
            except IntegrityError as error:
                raise KeyInFlight() from error
            return None
        if row.request_hash != digest:
            raise KeyReused()
        if row.status is None:
            if unit.now - row.created_at < ABANDONED:
                raise KeyInFlight()
            row.created_at = unit.now
            return None
        headers = {"Cache-Control": "no-store"}
        return web.Response(status=row.status, body=row.body, content_type="application/json", headers=headers)


async def _forget(request: web.Request, user_id: int, key: str) -> None:
    async with request.app[DATABASE].work() as unit:
        await unit.execute(delete(IdempotentAnswer).filter_by(user_id=user_id, key=key))
