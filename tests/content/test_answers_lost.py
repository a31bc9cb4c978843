"""An upload whose answer was lost and is sent again with its Idempotency-Key is the same lesson, at every moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from server.db.database import Database
from server.http import idempotency
from server.http.tables import IdempotentAnswer
from tests.api import Answer, Api
from tests.content.forms import raw_form
from tests.content.tus import create, id_in, offset_of, patch
from tests.factories import World

ApiOf = Callable[[str | None], Api]
KEY = {"Idempotency-Key": "the-same"}
Send = Callable[[], Awaitable[Answer]]


@pytest.fixture(params=["form", "tus"])
def send(request: pytest.FixtureRequest, api: ApiOf, course_id: int, sample: Callable[[str], Path]) -> Send:
    fields = [('name="course_id"', str(course_id).encode()), ('name="type"', b"audio"), ('name="title"', b"t")]
    body, headers = raw_form([*fields, ('name="file"; filename="a.mp3"', sample("mp3").read_bytes())])

    async def by_form() -> Answer:
        return await api("ana").post("/courses/upload-content", data=body, headers={**headers, **KEY})

    async def by_tus() -> Answer:
        return await create(api("ana"), course_id, 1000, headers=KEY)

    return by_form if request.param == "form" else by_tus


@pytest.fixture
async def course_id(world: World) -> int:
    return (await world.course("ana")).id


async def lose_the_answer(database: Database) -> None:
    """As a process leaves it that dies after the lesson's commit, before it could note its answer."""
    async with database.work("lost") as work:
        await work.execute(update(IdempotentAnswer).values(status=None, body=None))


async def test_sent_again_it_is_the_same_lesson(send: Send, api: ApiOf, world: World, course_id: int) -> None:
    first = await send()
    assert first.status == 201, first.raw
    await lose_the_answer(world.database)
    busy = await send()
    assert (busy.status, busy.code) == (409, "idempotency_in_flight")  # nobody knows yet that it died
    await idempotency.free_all(world.database)  # as a server of its own does when it starts
    again = await send()
    assert (again.status, again.json["content"]["id"]) == (201, first.json["content"]["id"]), again.raw
    assert again.headers.get("Location") == first.headers.get("Location")
    assert len((await api("ana").get(f"/courses/{course_id}/content")).json) == 1


async def test_with_several_servers_a_dead_one_is_noticed_after_a_minute(send: Send, world: World) -> None:
    first = await send()
    await lose_the_answer(world.database)
    async with world.database.work("a minute later") as work:
        await work.execute(update(IdempotentAnswer).values(created_at=work.now - idempotency.ABANDONED))
    assert (await send()).json["content"]["id"] == first.json["content"]["id"]


async def test_a_creation_sent_again_tells_where_to_go_on(api: ApiOf, course_id: int) -> None:
    first = await create(api("ana"), course_id, 1000, headers=KEY)
    path = f"/courses/uploads/{id_in(first.headers['Location'])}"
    assert (await patch(api("ana"), path, 0, b"\x00\x00\x00\x20ftypisom" + bytes(88))).status == 204
    again = await create(api("ana"), course_id, 1000, headers=KEY)
    assert (again.headers["Location"], again.headers["Upload-Offset"]) == (first.headers["Location"], "100")
    assert await offset_of(api("ana"), path) == 100


async def test_a_long_upload_keeps_its_key(
    api: ApiOf, world: World, course_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes, a second one with its key is told to wait."""
    monkeypatch.setattr(idempotency, "RENEW_SECONDS", 0.05)
    head = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
    parts = [('name="course_id"', str(course_id).encode()), ('name="type"', b"video"), ('name="title"', b"t")]
    body, headers = raw_form([*parts, ('name="file"; filename="a.mp4"', head + bytes(5000))])
    go_on = asyncio.Event()

    async def slowly() -> object:
        yield body[:2000]
        await go_on.wait()
        yield body[2000:]

    sent = {**headers, **KEY}
    first = asyncio.create_task(api("ana").post("/courses/upload-content", data=slowly(), headers=sent))

    async def age() -> timedelta | None:
        async with world.database.read() as read:
            at = await read.scalar(select(IdempotentAnswer.created_at))
            return None if at is None else read.now - at

    async with asyncio.timeout(30):
        while await age() is None:
            await asyncio.sleep(0.02)
        async with world.database.work("an hour passes") as work:
            await work.execute(update(IdempotentAnswer).values(created_at=work.now - timedelta(hours=1)))
        while (found := await age()) is None or found > idempotency.ABANDONED / 2:
            await asyncio.sleep(0.02)
    second = await api("ana").post("/courses/upload-content", data=body, headers=sent)
    assert (second.status, second.code) == (409, "idempotency_in_flight")
    go_on.set()
    assert (await first).status == 201
