"""Bytes go to whoever may have them, in the ranges they ask for, and stop when the right to them ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from server.accounts.tables import User
from server.content.tables import Content
from server.content.wiring import LIBRARY
from server.courses.tables import Course, Enrollment
from tests.api import Answer, Api
from tests.courses.test_pictures import picture
from tests.factories import World

ApiOf = Callable[[str | None], Api]
BYTES = bytes(range(256)) * 4096  # a mebibyte
CUT_SECONDS = 2.0
SLOW_WINDOW = 4096  # what the slow viewer's system takes in advance


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


async def test_another_picture_is_shown_though_the_last_was_just_looked_at(
    api: ApiOf, world: World, put_file: Callable[..., str]
) -> None:
    course = await world.course("ana")
    row = await lesson(world, course, put_file(BYTES))
    kept: list[tuple[str, bytes]] = []
    for color in ("teal", "red"):
        data = aiohttp.FormData()
        data.add_field("file", picture("PNG", color=color), filename="p.png", content_type="image/png")
        url = (await api("ana").put(f"/content/{row.id}/thumbnail", data=data)).json["thumbnail_url"]
        shown = await fetch(url)
        assert shown.status == 200
        kept.append((url.partition("?")[0], shown.raw))
    assert kept[0][0] != kept[1][0]
    assert kept[0][1] != kept[1][1]


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
    assert (await fetch(url, Range=f"bytes={'9' * 60}-")).status == 416
    for asked in ({}, {"Range": "bytes=0-9"}):  # of which a HEAD request knows nothing
        head = await fetch(url, "HEAD", **asked)
        assert (head.status, head.raw, head.headers["Content-Length"]) == (200, b"", str(len(BYTES)))
        assert (head.headers["ETag"], head.headers["Accept-Ranges"]) == (tag, "bytes")
    assert (await fetch(url, "HEAD", If_None_Match=tag)).status == 304
    assert (await fetch(url, If_Modified_Since=whole.headers["Last-Modified"])).status == 304
    other = await fetch(url, If_Match='"other"')
    assert (other.status, other.code) == (412, "precondition_failed")
    several = await fetch(url, Range="bytes=0-9,20-29")
    assert (several.status, several.raw) == (200, BYTES)


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


class Viewing:
    """A viewer on a slow line: it takes little at a time and never stops; `cut_at` is when its connection ended."""

    def __init__(self, port: int, url: str, range_: str | None = None) -> None:
        self._port, self._path, self._range = port, url.split(str(port), 1)[1], range_
        self.began = asyncio.Event()
        self.cut_at: float | None = None
        self.received = 0

    async def watch(self) -> None:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_WINDOW)
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=opened, limit=SLOW_WINDOW)
        range_ = f"Range: bytes={self._range}\r\n" if self._range else ""
        try:
            writer.write(f"GET {self._path} HTTP/1.1\r\nHost: x\r\n{range_}\r\n".encode())
            assert b" 20" in await reader.readline()
            self.began.set()
            while data := await reader.read(512):
                self.received += len(data)
                await asyncio.sleep(0.02)  # the line itself, not a wait for something
            self.cut_at = time.monotonic()
        except ConnectionError:
            self.cut_at = time.monotonic()
        finally:
            writer.transport.abort()


@pytest.fixture
async def viewing(server: TestServer) -> AsyncIterator[Callable[..., Any]]:
    """`await viewing(url)` is somebody watching from now on, until the test ends."""
    tasks: list[asyncio.Task[None]] = []

    async def start(url: str, range_: str | None = None) -> Viewing:
        assert server.port is not None
        viewer = Viewing(server.port, url, range_)
        tasks.append(asyncio.create_task(viewer.watch()))
        async with asyncio.timeout(30):
            await viewer.began.wait()
        return viewer

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_cut(viewers: Mapping[str, Viewing], since: float) -> dict[str, float]:
    """How long after `since` each was cut; waits a little longer than is allowed."""
    deadline = since + 2 * CUT_SECONDS
    while any(viewer.cut_at is None for viewer in viewers.values()) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return {name: (viewer.cut_at or deadline) - since for name, viewer in viewers.items()}


async def test_whatever_ends_the_right_to_it_cuts_what_is_being_sent_within_two_seconds(
    api: ApiOf, world: World, put_file: Callable[..., str], viewing: Callable[..., Any]
) -> None:
    course = await world.course("ana", ["bo"])
    await world.enroll(course, "cleo", tier="premium")
    large = put_file(bytes(16 * 1024 * 1024))
    rows = {name: await lesson(world, course, large, title=name) for name in ("plain", "raised", "deleted")}
    rows["premium"] = await lesson(world, course, large, access_level="premium")
    rows["preview"] = await lesson(world, course, large, is_preview=True)

    async def url(person: str, name: str) -> str:
        return str((await api(person).get(f"/content/{rows[name].id}")).json["file_url"])

    urls = {name: await url("bo", name) for name in ("plain", "raised", "deleted")}
    ended = {
        **{name: await viewing(each) for name, each in urls.items()},
        "short": await viewing(urls["plain"], "0-200000"),  # written whole, and still in the kernel
        "premium": await viewing(await url("cleo", "premium")),
        "preview": await viewing(await url("eve", "preview")),
    }
    kept = {"instructor": await viewing(await url("ana", "plain")), "cleo": await viewing(await url("cleo", "raised"))}
    since = time.monotonic()
    answers = [
        await api("ana").patch(f"/content/{rows['raised'].id}", {"access_level": "premium"}),
        await api("ana").delete(f"/content/{rows['deleted'].id}"),
        await api("ana").patch(f"/courses/{course.id}/enrollments/{world.id_of('cleo')}", {"tier": "standard"}),
        await api("ana").patch(f"/content/{rows['preview'].id}", {"is_preview": False}),
        await api("ana").delete(f"/courses/{course.id}/enrollments/{world.id_of('bo')}"),
    ]
    assert [answer.status for answer in answers] == [200, 204, 200, 200, 204]
    took = await all_cut({**ended, "cleo": kept["cleo"]}, since)
    assert {name: seconds for name, seconds in took.items() if seconds > CUT_SECONDS} == {}
    assert kept["instructor"].cut_at is None
    refused = await fetch(urls["plain"], Range="bytes=0-9")
    assert (refused.status, refused.code) == (403, "not_enrolled")


async def test_what_another_process_sends_is_cut_within_two_seconds_too(
    api: ApiOf, world: World, put_file: Callable[..., str], viewing: Callable[..., Any]
) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    row = await lesson(world, course, put_file(bytes(16 * 1024 * 1024)))
    urls = {person: (await api(person).get(f"/content/{row.id}")).json["file_url"] for person in ("bo", "cleo", "ana")}
    viewers = {person: await viewing(url) for person, url in urls.items()}
    short = await viewing(urls["bo"], "0-200000")
    async with world.database.work("elsewhere") as work:  # no fact reaches the server under test
        for enrollment in await work.scalars(select(Enrollment).filter_by(user_id=world.id_of("bo"))):
            enrollment.status, enrollment.revision = "revoked", enrollment.revision + 1
        cleo = await work.get(User, world.id_of("cleo"), for_update=True)
        assert cleo is not None
        cleo.disabled_at = work.now
    took = await all_cut({"bo": viewers["bo"], "short": short, "cleo": viewers["cleo"]}, time.monotonic())
    assert {name: seconds for name, seconds in took.items() if seconds > CUT_SECONDS} == {}
    assert viewers["ana"].cut_at is None
    assert viewers["ana"].received > 0


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
