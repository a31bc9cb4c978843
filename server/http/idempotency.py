"""A POST repeated with the same Idempotency-Key is answered from memory and not done again (kept for a day).

Guarantee: one execution per (person, key). The same key with another body is a mistake and says so; a repeat that comes
while the first is still worked gets 409 and may come again. A handler that calls `note_made` in its transaction is not
executed twice even if the process died before it answered: it finds what it had made under MADE, and shows that.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from aiohttp import web
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from server.db.database import Database, Work
from server.errors import Conflict, ContentMismatch, Invalid, LecternError, OutcomeUnknown
from server.http.bodies import read_body
from server.http.keys import ACTOR, DATABASE
from server.http.tables import IdempotentAnswer

LONGEST_KEY = 255
KEPT = timedelta(hours=24)
RENEW_SECONDS = 15.0  # as long as it is worked, the first request says so
ABANDONED = timedelta(seconds=60)  # one of which nothing was heard for so long died, and stops blocking its key
MADE: web.RequestKey[int] = web.RequestKey("MADE", int)  # what an earlier request with this key made already
_KEY: web.RequestKey[str] = web.RequestKey("IDEMPOTENCY_KEY", str)


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
    if MADE in request:
        return await work()
    request[_KEY] = key
    try:
        async with _renewed(request, user_id, key):
            response = await work()
    except BaseException as error:
        is_undone = isinstance(error, LecternError) and not isinstance(error, OutcomeUnknown)
        await (_forget if is_undone else _release)(request, user_id, key)
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


async def note_made(request: web.Request, work: Work, made_id: int) -> None:
    """Remember what this request makes, in the transaction that makes it; without a key there is nothing to do."""
    if (key := request.get(_KEY)) is not None:
        mine = (IdempotentAnswer.user_id == request[ACTOR].id, IdempotentAnswer.key == key)
        await work.execute(update(IdempotentAnswer).where(*mine).values(made_id=made_id))


async def free_all(database: Database) -> None:
    """At the start of the only server: whoever still worked on something is dead."""
    async with database.work("free idempotency keys") as work:
        long_ago = work.now - ABANDONED
        await work.execute(
            update(IdempotentAnswer).where(IdempotentAnswer.status.is_(None)).values(created_at=long_ago)
        )


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
        if row.status is None and unit.now - row.created_at < ABANDONED:
            raise KeyInFlight()
        if row.made_id is not None:
            request[MADE] = row.made_id
            return None
        if row.status is None:
            row.created_at = unit.now
            return None
        headers = {"Cache-Control": "no-store"}
        return web.Response(status=row.status, body=row.body, content_type="application/json", headers=headers)


async def _forget(request: web.Request, user_id: int, key: str) -> None:
    async with request.app[DATABASE].work() as unit:
        await unit.execute(delete(IdempotentAnswer).filter_by(user_id=user_id, key=key))


async def _release(request: web.Request, user_id: int, key: str) -> None:
    """It may have been done or not: the next request with this key may look at once."""
    async with request.app[DATABASE].work() as unit:
        mine = (IdempotentAnswer.user_id == user_id, IdempotentAnswer.key == key)
        await unit.execute(update(IdempotentAnswer).where(*mine).values(created_at=unit.now - ABANDONED))


@contextlib.asynccontextmanager
async def _renewed(request: web.Request, user_id: int, key: str) -> AsyncIterator[None]:
    """While inside, the key counts as being worked: an upload may take an hour."""

    async def renew() -> None:
        mine = (IdempotentAnswer.user_id == user_id, IdempotentAnswer.key == key)
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with contextlib.suppress(LecternError):  # two more fit before it lapses
                async with request.app[DATABASE].work("renew idempotency key") as unit:
                    await unit.execute(update(IdempotentAnswer).where(*mine).values(created_at=unit.now))

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
