"""kill -9 in the middle of an upload and of processing: nothing acknowledged is lost, nothing else is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from server.content.storage import LocalStorage
from server.content.tables import Content
from server.db.database import Database
from server.ports import SilentPublisher
from tests.api import Api
from tests.conftest import SECRET
from tests.content import samples
from tests.content.forms import eventually, files_under, raw_form, until_settled, upload
from tests.content.tus import Cut, begun, offset_of, patch
from tests.factories import World
from tests.processes import command_of
from tests.program import Program

RunProgram = Callable[..., Awaitable[Program]]
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"


@pytest.fixture
async def program(run_program: RunProgram) -> Program:
    return await run_program("serve", SECRET_KEY=SECRET)


@pytest.fixture
async def cast(program: Program) -> AsyncIterator[World]:
    """People in the running server's database."""
    path = program.folder / "var" / "lectern.db"
    opened = Database.open(f"sqlite+aiosqlite:///{path}", publisher=SilentPublisher())
    yield await World.with_cast(opened, SECRET)
    await opened.close()


@pytest.fixture
async def call(program: Program, cast: World) -> AsyncIterator[Callable[[str], Api]]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield lambda person: Api(session, program.url, cast.token(person))


async def test_killed_in_the_middle_of_an_upload(program: Program, cast: World, call: Callable[[str], Api]) -> None:
    course = await cast.course("ana")
    uploads = program.folder / "var" / "uploads"
    fields = [('name="course_id"', str(course.id).encode()), ('name="type"', b"video"), ('name="title"', b"t")]
    body, headers = raw_form([*fields, ('name="file"; filename="a.mp4"', MP4_HEAD + bytes(600_000))], is_ended=False)
    _, writer = await asyncio.open_connection("127.0.0.1", program.port)
    lines = [
        "POST /courses/upload-content HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {cast.token('ana')}",
        f"Content-Type: {headers['Content-Type']}",
        "Content-Length: 5000000",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await eventually(lambda: len(files_under(uploads / "incoming")) == 1)
    await program.kill()
    assert len(files_under(uploads / "incoming")) == 1
    await program.start()
    await eventually(lambda: files_under(uploads) == [])
    assert (await call("ana").get(f"/courses/{course.id}/content")).json == []
    writer.close()


async def test_killed_in_the_middle_of_processing(
    program: Program, cast: World, call: Callable[[str], Api], tmp_path: Path
) -> None:
    course = await cast.course("ana", ["bo"])
    long = samples.make(tmp_path, "avi", seconds=40.0, size=(640, 480))
    answer = await upload(call("ana"), long, "long.avi", course.id, "video")
    assert answer.status == 201
    content_id = answer.json["content"]["id"]

    def workers() -> list[int]:
        return [pid for pid in program.children() if "server.content.worker" in command_of(pid)]

    stage = ""
    async with asyncio.timeout(60):
        while stage != "converting":
            stage = (await call("ana").get(f"/content/{content_id}")).json["processing_stage"]
            await asyncio.sleep(0.02)
    await eventually(lambda: workers() != [])
    (orphan,) = workers()
    await program.kill()
    await eventually(lambda: not Path(f"/proc/{orphan}").exists(), 5.0)
    await program.start()
    ready = await until_settled(call("ana"), content_id)
    assert ready["upload_status"] == "completed"
    assert ready["duration_seconds"] == pytest.approx(40.0, abs=0.2)
    kept = files_under(program.folder / "var" / "uploads")
    assert len(kept) == 3
    assert [n["type"] for n in (await call("bo").get("/notifications")).json] == ["content_added"]


async def test_killed_in_the_middle_of_a_resumable_upload(
    program: Program, cast: World, call: Callable[[str], Api]
) -> None:
    course = await cast.course("ana")
    uploads = program.folder / "var" / "uploads"
    data = MP4_HEAD + bytes(i % 251 for i in range(1_500_000))
    path = await begun(call("ana"), course.id, len(data))
    assert (await patch(call("ana"), path, 0, data[:300_000])).status == 204
    cut = await Cut.begin(program.port, cast.token("ana"), path, 300_000, len(data) - 300_000, data[300_000:900_000])
    (part,) = (uploads / "incoming").glob("*.part")
    await eventually(lambda: part.stat().st_size > 300_000)
    await program.kill()
    cut.abort()
    await program.start()
    offset = await offset_of(call("ana"), path)
    assert 300_000 < offset == part.stat().st_size <= 900_000
    assert (await patch(call("ana"), path, offset, data[offset:])).status == 204
    assert files_under(uploads / "incoming") == []
    (original,) = (uploads / "videos").rglob("original")
    assert original.read_bytes() == data
    assert (await until_settled(call("ana"), int(path.rpartition("/")[2])))["upload_status"] == "failed"  # no film


async def test_killed_between_putting_a_file_in_its_place_and_saying_so(
    program: Program, cast: World, call: Callable[[str], Api], sample: Callable[[str], Path]
) -> None:
    """As a crash there leaves it: all bytes moved, the row still `uploading`."""
    course, data = await cast.course("ana"), sample("mp4").read_bytes()
    storage = LocalStorage(program.folder / "var" / "uploads")
    path = await begun(call("ana"), course.id, len(data))
    assert (await patch(call("ana"), path, 0, data[:-1])).status == 204
    content_id = int(path.rpartition("/")[2])
    async with cast.database.read() as read:
        row = await read.get(Content, content_id)
    assert row is not None
    assert row.original_key is not None
    await program.kill()
    part = storage.part_of(row.original_key)
    part.write_bytes(data)
    storage.adopt(row.original_key, part)
    await program.start()
    assert await offset_of(call("ana"), path) == len(data)
    assert (await until_settled(call("ana"), content_id))["upload_status"] == "completed"
    assert files_under(storage.incoming) == []
