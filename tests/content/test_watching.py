"""Bytes go to whoever may have them, in the ranges they ask for, and stop when the right to them ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.tables import Content
from server.content.wiring import LIBRARY
from server.courses.tables import Course, Enrollment
from tests.api import Answer, Api
from tests.factories import World

ApiOf = Callable[[str | None], Api]
BYTES = bytes(range(256)) * 4096  # a mebibyte
CUT_SECONDS = 2.0


@pytest.fixture
def put_file(app: web.Application, tmp_path: Path) -> Callable[[bytes], str]:
    """Have bytes in the storage; returns their key."""

    def put(content: bytes, name: str = "video-0123456789abcdef.mp4") -> str:
        library = app[LIBRARY]
        part = library.storage.new_part()
        part.write_bytes(content)
        key = f"videos/aa/aabb/{name}"
        library.storage.adopt(key, part)
        return key

    return put


async def lesson(world: World, course: Course, key: str, **columns: Any) -> Content:
    return await world.content(
        course, file_url=key, served_mime_type="video/mp4", original_key="videos/aa/aabb/original.mp4", **columns
    )


async def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    """By nobody in particular: the ticket is in the address."""
    async with aiohttp.ClientSession() as session:
        return await Api(session, "", None).call(
            method, url, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


async def test_ranges_and_tags_over_the_wire(api: ApiOf, world: World, put_file: Callable[..., str]) -> None:
    course = await world.course("ana", ["bo"])
    row = await lesson(world, course, put_file(BYTES))
    url = (await api("bo").get(f"/content/{row.id}")).json["file_url"]
    whole = await fetch(url)
    assert (whole.status, whole.raw) == (200, BYTES)
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    assert whole.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert whole.headers["Cache-Control"].startswith("private")
    tag = whole.headers["ETag"]
    part = await fetch(url, Range="bytes=1000-300999", If_Range=tag)
    assert (part.status, part.raw) == (206, BYTES[1000:301_000])
    assert part.headers["Content-Range"] == f"bytes 1000-300999/{len(BYTES)}"
    stale = await fetch(url, Range="bytes=0-9", If_Range='"other"')
    assert (stale.status, len(stale.raw)) == (200, len(BYTES))
    assert (await fetch(url, If_None_Match=tag)).status == 304
    beyond = await fetch(url, Range=f"bytes={len(BYTES)}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(BYTES)}")
    end = await fetch(url, Range="bytes=-7")
    assert (end.status, end.raw) == (206, BYTES[-7:])
    head = await fetch(url, "HEAD", Range="bytes=0-9")
    assert (head.status, head.raw, head.headers["Content-Length"]) == (206, b"", "10")
    assert (await fetch(url, "HEAD")).headers["Content-Length"] == str(len(BYTES))


async def test_a_ticket_is_for_one_thing_and_cannot_be_made_up(
    api: ApiOf, world: World, put_file: Callable[..., str]
) -> None:
    course = await world.course("ana", ["bo"])
    first, second = [await lesson(world, course, put_file(b"x" * 10), title=t) for t in "ab"]
    url = str((await api("bo").get(f"/content/{first.id}")).json["file_url"])
    other = url.replace(f"/content/{first.id}/", f"/content/{second.id}/")
    assert (await fetch(other)).code == "ticket_invalid"
    assert (await fetch(url.partition("?")[0])).status == 401
    assert (await fetch(url.replace("/file/", "/thumbnail/"))).status == 401
    assert (await fetch(url.partition("?")[0] + "?t=" + world.token("bo"))).code == "ticket_invalid"


async def test_rows_show_each_person_what_they_may_have(api: ApiOf, world: World, put_file: Callable[..., str]) -> None:
    course = await world.course("ana", ["bo"])
    await world.enroll(course, "cleo", tier="premium")
    key = put_file(b"x" * 10)
    rows = {
        level: await lesson(world, course, key, access_level=level, title=level)
        for level in ("free", "enrolled_only", "premium")
    }
    making = await world.content(course, upload_status="processing", title="making")

    async def seen(person: str) -> dict[str, bool]:
        many = (await api(person).get(f"/courses/{course.id}/content")).json
        return {shown["title"]: shown["file_url"] is not None for shown in many}

    assert await seen("ana") == {"free": True, "enrolled_only": True, "premium": True, "making": False}
    assert await seen("bo") == {"free": True, "enrolled_only": True, "premium": False}
    assert await seen("cleo") == {"free": True, "enrolled_only": True, "premium": True}
    assert await seen("eve") == {"free": True}
    tickets = {
        (person, level): (answer.status, answer.code)
        for person in ("bo", "cleo", "eve")
        for level, row in rows.items()
        for answer in [await api(person).post(f"/content/{row.id}/ticket")]
    }
    assert tickets == {
        ("bo", "free"): (200, ""),
        ("bo", "enrolled_only"): (200, ""),
        ("bo", "premium"): (403, "premium_required"),
        ("cleo", "free"): (200, ""),
        ("cleo", "enrolled_only"): (200, ""),
        ("cleo", "premium"): (200, ""),
        ("eve", "free"): (200, ""),
        ("eve", "enrolled_only"): (403, "not_enrolled"),
        ("eve", "premium"): (403, "not_enrolled"),
    }
    assert (await api("bo").get(f"/content/{making.id}")).status == 404
    assert (await api("ana").post(f"/content/{making.id}/ticket")).status == 404
    draft = await world.course("ana", status="draft")
    hidden = await lesson(world, draft, key, access_level="free")
    assert (await api("eve").get(f"/content/{hidden.id}")).status == 404
    assert (await api("eve").get(f"/courses/{draft.id}/content")).status == 404


async def test_revoking_ends_tickets_and_a_stream_under_way(
    api: ApiOf, world: World, put_file: Callable[..., str], server: TestServer
) -> None:
    course = await world.course("ana", ["bo"])
    row = await lesson(world, course, put_file(bytes(64 * 1024 * 1024)))
    url = (await api("bo").get(f"/content/{row.id}")).json["file_url"]
    assert (await fetch(url, Range="bytes=0-9")).status == 206
    # A viewer that has begun and does not read on, as a paused player: the connection itself must end.
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=65_536)
    path = url.split(str(server.port), 1)[1]
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()
    began = time.monotonic()
    assert (await api("ana").delete(f"/courses/{course.id}/enrollments/{world.id_of('bo')}")).status in (200, 204)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(10):
            await reader.readexactly(64 * 1024 * 1024)
    assert time.monotonic() - began < CUT_SECONDS + 1.0
    refused = await fetch(url, Range="bytes=0-9")
    assert (refused.status, refused.code) == (403, "not_enrolled")
    writer.close()


async def test_another_process_notices_a_revocation_within_two_seconds(
    api: ApiOf, world: World, put_file: Callable[..., str]
) -> None:
    course = await world.course("ana", ["bo"])
    row = await lesson(world, course, put_file(b"x" * 100))
    url = (await api("bo").get(f"/content/{row.id}")).json["file_url"]
    assert (await fetch(url)).status == 200
    async with world.database.work("elsewhere") as work:  # no fact reaches the server under test
        found = await work.get(Enrollment, 1, for_update=True)
        assert found is not None
        found.status, found.revision = "revoked", found.revision + 1
    deadline = time.monotonic() + CUT_SECONDS
    while (await fetch(url)).status != 403:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    async with world.database.work("elsewhere") as work:
        again = await work.get(Enrollment, 1, for_update=True)
        assert again is not None
        again.status, again.revision = "active", again.revision + 1
    fresh = (await api("bo").get(f"/content/{row.id}")).json["file_url"]
    assert fresh != url
    deadline = time.monotonic() + CUT_SECONDS
    while (await fetch(fresh)).status != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (await fetch(url)).status == 403  # the old ticket stays what it was


async def test_a_courses_picture_is_for_the_signed_in_and_a_drafts_for_its_members(
    api: ApiOf, world: World, app: web.Application
) -> None:
    storage = app[LIBRARY].storage
    part = storage.new_part()
    part.write_bytes(b"picture")
    storage.adopt("courses/abc.webp", part)
    published = await world.course("ana", thumbnail_url="courses/abc.webp")
    url = (await api("eve").get(f"/courses/{published.id}")).json["thumbnail_url"]
    assert (await fetch(url)).raw == b"picture"
    async with world.database.work("unpublish") as work:
        course = await work.get(Course, published.id)
        assert course is not None
        course.status = "draft"
    deadline = time.monotonic() + CUT_SECONDS
    while (await fetch(url)).status != 404:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    mine = (await api("ana").get(f"/courses/{published.id}")).json["thumbnail_url"]
    assert (await fetch(mine)).status == 200
