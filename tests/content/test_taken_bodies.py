"""Large bodies that come fast are read from their sockets directly: the same bytes, answers and ends as any other."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.uploads.pump import pour
from server.content.wiring import LIBRARY
from server.http.taking import TakenBody
from tests.api import Api
from tests.content.forms import BOUNDARY, eventually, files_under, raw_form
from tests.content.tus import MP4_HEAD, Cut, begun, checksum_of, offset_of, part_size, patch
from tests.factories import World

ApiOf = Callable[[str | None], Api]
NEARLY = f"\r\n--{BOUNDARY[:-1]}".encode()
FILE = MP4_HEAD + random.Random(9).randbytes(3_000_000) + NEARLY * 3 + random.Random(8).randbytes(2_000_000) + b"\r\n--"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was left of a body after each turn of reading it from its socket."""
    seen: list[int] = []

    def spied(body: TakenBody, *rest: Any) -> Any:
        poured = pour(body, *rest)
        seen.append(body.left)
        return poured

    monkeypatch.setattr("server.content.uploads.part_file.pour", spied)
    monkeypatch.setattr("server.content.uploads.pump.FAST_SECONDS", 60.0)  # on a busy machine nothing is fast
    return seen


def form(course_id: int, file: bytes = FILE, *, is_ended: bool = True) -> tuple[bytes, dict[str, str]]:
    """The file, with a field before and one after it."""
    return raw_form(
        [
            ('name="course_id"', str(course_id).encode()),
            ('name="type"', b"video"),
            ('name="file"; filename="a.mp4"', file),
            ('name="title"', b"Comes last"),
        ],
        is_ended=is_ended,
    )


def original(uploads: Path) -> bytes:
    (found,) = (path for path in (uploads / "videos").rglob("original*") if path.is_file())
    return found.read_bytes()


async def test_a_form_arrives_to_the_byte_with_the_fields_around_it(
    api: ApiOf, world: World, uploads: Path, turns: list[int]
) -> None:
    course = await world.course("ana")
    body, headers = form(course.id)
    answer = await api("ana").post("/courses/upload-content", data=body, headers=headers)
    assert (answer.status, answer.json["content"]["title"]) == (201, "Comes last")
    assert answer.headers["Connection"] == "close"
    assert turns
    assert original(uploads) == FILE


async def test_a_resumable_upload_arrives_to_the_byte_and_adds_up(
    api: ApiOf, world: World, uploads: Path, turns: list[int]
) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, len(FILE))
    half = len(FILE) // 2
    wrong = await patch(api("ana"), path, 0, FILE[:half], **checksum_of(FILE[1 : half + 1]))
    assert (wrong.status, wrong.code, await offset_of(api("ana"), path)) == (460, "checksum_mismatch", 0)
    assert turns
    for start, end in ((0, half), (half, len(FILE))):
        answer = await patch(api("ana"), path, start, FILE[start:end], **checksum_of(FILE[start:end]))
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(end))
    assert turns.count(0) == 3
    assert hashlib.sha256(original(uploads)).digest() == hashlib.sha256(FILE).digest()


async def test_a_form_without_its_end_is_malformed(api: ApiOf, world: World, uploads: Path, turns: list[int]) -> None:
    course = await world.course("ana")
    body, headers = form(course.id, is_ended=False)
    body = body[: body.index(b'name="title"')].rpartition(b"\r\n--")[0]  # it ends inside the file
    answer = await api("ana").post("/courses/upload-content", data=body, headers=headers)
    assert (answer.status, answer.code) == (400, "malformed")
    assert turns
    assert files_under(uploads) == []


@pytest.mark.parametrize("file_first", [False, True])
async def test_exactly_the_limit_is_accepted_and_one_byte_more_is_not(
    file_first: bool, api: ApiOf, world: World, uploads: Path, app: web.Application, turns: list[int]
) -> None:
    object.__setattr__(app[LIBRARY].intake, "limits", {"video": len(FILE), "audio": 65_536})
    course = await world.course("ana")

    async def status(file: bytes) -> int:
        parts = [
            ('name="course_id"', str(course.id).encode()),
            ('name="type"', b"video"),
            ('name="title"', b"t"),
        ]
        sent = ('name="file"; filename="a.mp4"', file)
        body, headers = raw_form([sent, *parts] if file_first else [*parts, sent])
        return (await api("ana").post("/courses/upload-content", data=body, headers=headers)).status

    assert await status(FILE + b"x") == 413
    assert files_under(uploads) == []
    assert await status(FILE) == 201
    assert turns
    assert original(uploads) == FILE


async def test_who_goes_away_leaves_nothing_of_a_form_and_all_of_a_resumable_upload(
    api: ApiOf, world: World, uploads: Path, server: TestServer, turns: list[int]
) -> None:
    course = await world.course("ana")
    body, headers = form(course.id)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        "POST /courses/upload-content HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.token('ana')}",
        f"Content-Type: {headers['Content-Type']}",
        f"Content-Length: {len(body)}",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:4_000_000])
    await writer.drain()
    await eventually(lambda: bool(turns) and turns[-1] <= len(body) - 3_900_000)
    writer.transport.abort()
    await eventually(lambda: files_under(uploads) == [])

    path = await begun(api("ana"), course.id, len(FILE))
    cut = await Cut.begin(server.port, world.token("ana"), path, 0, len(FILE), FILE[:4_000_000])
    await eventually(lambda: part_size(uploads) == 4_000_000)
    cut.abort()
    assert await offset_of(api("ana"), path) == 4_000_000
    assert (await patch(api("ana"), path, 4_000_000, FILE[4_000_000:])).status == 204
    assert original(uploads) == FILE


async def test_who_stops_sending_and_still_listens_is_answered(
    api: ApiOf, world: World, uploads: Path, server: TestServer, turns: list[int]
) -> None:
    course = await world.course("ana")
    body, headers = form(course.id)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        "POST /courses/upload-content HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.token('ana')}",
        f"Content-Type: {headers['Content-Type']}",
        f"Content-Length: {len(body)}",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:4_000_000])
    writer.write_eof()
    async with asyncio.timeout(30):
        answer = await reader.read()  # to the end: the connection is closed
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ") and b'"malformed"' in answer
    assert files_under(uploads) == []

    path = await begun(api("ana"), course.id, len(FILE))
    cut = await Cut.begin(server.port, world.token("ana"), path, 0, len(FILE), FILE[:4_000_000])
    await eventually(lambda: part_size(uploads) == 4_000_000)
    cut.writer.write_eof()
    assert await cut.status() == 400
    assert await offset_of(api("ana"), path) == 4_000_000
    assert turns
    assert (await patch(api("ana"), path, 4_000_000, FILE[4_000_000:])).status == 204
    assert original(uploads) == FILE


async def test_who_comes_later_goes_on_and_the_stuck_one_is_told(
    api: ApiOf, world: World, uploads: Path, server: TestServer, turns: list[int]
) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, len(FILE))
    older = await Cut.begin(server.port, world.token("ana"), path, 0, len(FILE), FILE[:4_000_000])
    await eventually(lambda: part_size(uploads) == 4_000_000 and bool(turns))
    assert await offset_of(api("ana"), path) == 4_000_000
    assert await older.status() == 409
    assert (await patch(api("ana"), path, 4_000_000, FILE[4_000_000:])).status == 204
    older.abort()
    assert original(uploads) == FILE


async def test_a_refusal_in_the_middle_is_seen_by_who_goes_on_sending(
    api: ApiOf, world: World, uploads: Path, app: web.Application, monkeypatch: pytest.MonkeyPatch, turns: list[int]
) -> None:
    course = await world.course("ana")
    space = app[LIBRARY].intake.space
    monkeypatch.setattr(space, "is_short", lambda free: bool(turns))  # the disk fills up after the first turn
    body, headers = form(course.id, FILE * 8)
    answer = await api("ana").post("/courses/upload-content", data=body, headers=headers)
    assert (answer.status, answer.code) == (507, "no_room")
    assert files_under(uploads) == []
