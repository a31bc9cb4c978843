"""A file arrives over REST: what is accepted becomes playable, what is refused leaves nothing."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.uploads.intake import Intake
from server.content.wiring import LIBRARY
from tests.api import Api
from tests.content.forms import BOUNDARY, eventually, files_under, first_line, raw_form, until_settled, upload, zeros
from tests.content.samples import KINDS, VIDEO_KINDS
from tests.content.tus import OFFSET_STREAM, begun, patch
from tests.factories import World

Sample = Callable[[str], Path]
ApiOf = Callable[[str | None], Api]
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
MP3_HEAD = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_accepted_format_becomes_playable_with_its_duration(
    kind: str, api: ApiOf, world: World, sample: Sample, uploads: Path
) -> None:
    course = await world.course("ana", ["bo"])
    type_ = "video" if kind in VIDEO_KINDS else "audio"
    answer = await upload(api("ana"), sample(kind), sample(kind).name, course.id, type_)
    assert answer.status == 201, answer.raw
    assert answer.json["content"]["upload_status"] == "processing"
    assert answer.json["content"]["file_url"] is None
    ready = await until_settled(api("ana"), answer.json["content"]["id"])
    assert ready["upload_status"] == "completed", ready["error_code"]
    assert ready["duration_seconds"] == pytest.approx(2.0, abs=0.1)
    assert ready["file_name"] == sample(kind).name
    assert ready["file_size"] == sample(kind).stat().st_size
    assert (ready["thumbnail_url"] is not None) == (type_ == "video")
    seen = (await api("bo").get(f"/content/{ready['id']}")).json
    played = await Api(api("bo")._session, "", None).get(seen["file_url"])
    assert played.status == 200
    assert played.headers["Content-Type"] in ("video/mp4", "audio/mp4", "audio/mpeg")
    assert played.raw != sample(kind).read_bytes()  # never the bytes that came
    kept = files_under(uploads / f"{type_}s")
    assert len(kept) in ((3, 4) if type_ == "video" else (2,))  # a film's seek sheet is made when it plays already
    assert files_under(uploads / "incoming") == []
    await eventually(lambda: files_under(uploads / "work") == [])


async def test_parts_may_come_in_any_order_and_fields_as_query(api: ApiOf, world: World, sample: Sample) -> None:
    course = await world.course("ana")
    last = await upload(api("ana"), sample("mp4"), "a.mp4", course.id, "video", file_first=True)
    assert last.status == 201
    body, headers = raw_form([('name="file"; filename="b.mp3"', sample("mp3").read_bytes())])
    query = f"?course_id={course.id}&type=audio&title=By%20query&access_level=free&is_preview=1&content_order=7"
    asked = await api("ana").post("/courses/upload-content" + query, data=body, headers=headers)
    assert asked.status == 201, asked.raw
    shown = asked.json["content"]
    assert (shown["title"], shown["access_level"], shown["is_preview"], shown["content_order"]) == (
        "By query",
        "free",
        True,
        7,
    )


async def test_who_may_not_upload_is_told_before_the_file(api: ApiOf, world: World, uploads: Path) -> None:
    published, draft = await world.course("ana", ["bo"]), await world.course("ana", status="draft")

    async def status(person: str | None, course_id: int, **more: object) -> tuple[int, str]:
        answer = await upload(api(person), MP4_HEAD + bytes(5000), "a.mp4", course_id, "video", **more)
        return answer.status, answer.code

    assert await status(None, published.id) == (401, "unauthenticated")
    assert await status("bo", published.id) == (403, "not_course_instructor")
    assert await status("eve", published.id) == (403, "not_course_instructor")
    assert await status("dan", draft.id) == (404, "not_found")
    assert await status("dan", 999_999) == (404, "not_found")
    assert await status("bo", published.id, file_first=True) == (403, "not_course_instructor")  # teaches nothing
    assert await status("dan", published.id, file_first=True) == (403, "not_course_instructor")
    assert files_under(uploads) == []


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "invalid"),
        ([('name="title"', b"x")], "invalid"),
        ([('name="course_id"', b"abc")], "invalid"),
        ([('name="title"', b"\xff\xfe")], "invalid"),
        ([('name="title"', b"x" * 70_000)], "invalid"),
        ([(f'name="n{i}"', b"x") for i in range(17)], "malformed"),
        ([('name="file"; filename="a\x00b.mp4"', MP4_HEAD)], "malformed"),
        ([('name="file\x00"; filename="a.mp4"', MP4_HEAD)], "malformed"),
        ([("name=\"file\"; filename*=bogus''%41.mp4", MP4_HEAD)], "malformed"),
        ([("name=\"file\"; filename*=utf-8''%FF.mp4", MP4_HEAD)], "malformed"),
        ([("name=\"file\"; filename*0*=undefined''%41", MP4_HEAD)], "malformed"),
        ([('name="file"; filename=', MP4_HEAD)], "malformed"),
        ([('name="file"; filename="a.mp4"; name="title"', MP4_HEAD)], "malformed"),
        (
            [('name="type"', b"text"), ('name="course_id"', b"COURSE"), ('name="file"; filename="a.mp4"', b"x")],
            "invalid",
        ),
        ([('name="type"', b"video"), ('name="course_id"', b"COURSE"), ('name="title"', b"")], "invalid"),
        ([('name="title"', b"a"), ('name="title"', b"b")], "invalid"),
    ],
)
async def test_a_broken_form_is_the_senders_fault(
    parts: list[tuple[str, bytes]], code: str, api: ApiOf, world: World, uploads: Path
) -> None:
    course = await world.course("ana")
    known = [(name, str(course.id).encode() if value == b"COURSE" else value) for name, value in parts]
    body, headers = raw_form(known)
    answer = await api("ana").post("/courses/upload-content", data=body, headers=headers)
    assert (answer.status, answer.code) == (400, code)
    assert files_under(uploads) == []


async def test_a_form_that_ends_too_early_or_is_none_is_malformed(api: ApiOf, world: World, uploads: Path) -> None:
    course = await world.course("ana")
    body, headers = raw_form(
        [('name="course_id"', str(course.id).encode()), ('name="type"', b"video"), ('name="file"', MP4_HEAD)],
        is_ended=False,
    )
    for data, sent in ((body, headers), (b"{}", {"Content-Type": "application/json"}), (b"x", {})):
        answer = await api("ana").post("/courses/upload-content", data=data, headers=sent)
        assert (answer.status, answer.code) == (400, "malformed")
    assert files_under(uploads) == []


async def test_a_body_that_breaks_in_the_middle_is_answered_at_once(
    api: ApiOf, world: World, server: TestServer
) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, 1000)
    form = raw_form([('name="course_id"', str(course.id).encode())], is_ended=False)[0]
    signed = f"Authorization: Bearer {world.token('ana')}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
    for target, type_, body in (
        ("POST /courses/upload-content", f"multipart/form-data; boundary={BOUNDARY}", form),
        (f"PATCH {path}", OFFSET_STREAM, MP4_HEAD),
        ("POST /courses", "application/json", b'{"title": '),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"{target} HTTP/1.1\r\nHost: x\r\n{signed}Content-Type: {type_}\r\nExpect: 100-continue\r\n"
        writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(20):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"%x\r\n%s\r\nno chunk\r\n" % (len(body), body))
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"malformed"' in answer, target
        writer.close()
    path = await begun(api("ana"), course.id, 1000)
    packed = await patch(api("ana"), path, 0, gzip.compress(b"x"), Content_Encoding="gzip")
    assert (packed.status, packed.json["allowed"]) == (415, ["identity"])


@pytest.fixture
def small_limits(app: web.Application) -> Intake:
    """Limits of a mebibyte and of 64 KiB, so that exactly and one more are quick to send."""
    intake = app[LIBRARY].intake
    object.__setattr__(intake, "limits", {"video": 1_048_576, "audio": 65_536})
    return intake


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(("kind", "limit", "head"), [("video", 1_048_576, MP4_HEAD), ("audio", 65_536, MP3_HEAD)])
@pytest.mark.parametrize("file_first", [False, True])
async def test_exactly_the_limit_is_accepted_and_one_byte_more_is_not(
    kind: str, limit: int, head: bytes, file_first: bool, api: ApiOf, world: World, uploads: Path
) -> None:
    course, name = await world.course("ana"), "a.mp4" if kind == "video" else "a.mp3"
    exact = head.ljust(limit, b"\0")
    over = await upload(api("ana"), exact + b"\0", name, course.id, kind, file_first=file_first)
    assert (over.status, over.code, over.json["limit"]) == (413, "too_large", limit)
    assert files_under(uploads) == []
    assert (await upload(api("ana"), exact, name, course.id, kind, file_first=file_first)).status == 201


async def test_a_length_far_over_the_limit_is_refused_before_any_byte_is_kept(
    api: ApiOf, world: World, uploads: Path, server: TestServer
) -> None:
    course = await world.course("ana")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body, headers = raw_form(
        [
            ('name="course_id"', str(course.id).encode()),
            ('name="type"', b"video"),
            ('name="file"; filename="a.mp4"', MP4_HEAD + bytes(1000)),
        ],
        is_ended=False,
    )
    lines = [
        "POST /courses/upload-content HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.token('ana')}",
        f"Content-Type: {headers['Content-Type']}",
        f"Content-Length: {600 * 1024 * 1024}",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    async with asyncio.timeout(30):
        while not answered.done():  # it goes on sending, as clients do
            writer.write(bytes(1000))
            await asyncio.wait({answered}, timeout=0.05)
    head = await answered
    assert b" 413 " in head.splitlines()[0]
    assert b"connection: close" in head.lower()
    writer.close()
    assert files_under(uploads) == []


async def test_a_client_that_goes_away_leaves_nothing(
    api: ApiOf, world: World, uploads: Path, server: TestServer
) -> None:
    course = await world.course("ana")
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body, headers = raw_form(
        [
            ('name="course_id"', str(course.id).encode()),
            ('name="type"', b"video"),
            ('name="title"', b"t"),
            ('name="file"; filename="a.mp4"', MP4_HEAD + bytes(600_000)),
        ],
        is_ended=False,
    )
    lines = [
        "POST /courses/upload-content HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.token('ana')}",
        f"Content-Type: {headers['Content-Type']}",
        "Content-Length: 5000000",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()
    await eventually(lambda: len(files_under(uploads / "incoming")) == 1)
    writer.transport.abort()
    await eventually(lambda: files_under(uploads) == [])
    assert (await api("ana").get(f"/courses/{course.id}/content")).json == []


async def test_only_one_file_a_person_is_spooled_at_a_time(api: ApiOf, world: World, uploads: Path) -> None:
    course = await world.course("ana")
    begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        async for block in zeros(MP4_HEAD, 400_000, 100_000):
            yield block
        begun.set()
        await gate.wait()

    gate = asyncio.Event()
    body_head = raw_form([('name="file"; filename="a.mp4"', b"")], is_ended=False)[0].rstrip(b"\r\n") + b"\r\n\r\n"

    async def sent() -> AsyncIterator[bytes]:
        yield body_head
        async for block in slow():
            yield block

    headers = raw_form([])[1]
    first = asyncio.create_task(api("ana").post("/courses/upload-content", data=sent(), headers=headers))
    await begun.wait()
    await eventually(lambda: len(files_under(uploads / "incoming")) == 1)
    second = await upload(api("ana"), MP4_HEAD, "b.mp4", course.id, "video", file_first=True)
    assert (second.status, second.code) == (429, "rate_limited")
    assert int(second.headers["Retry-After"]) > 0
    gate.set()
    assert (await first).status == 400
    assert files_under(uploads) == []


async def test_a_repeated_upload_with_one_key_is_one_lesson(api: ApiOf, world: World, sample: Sample) -> None:
    course = await world.course("ana")
    body, headers = raw_form(
        [
            ('name="course_id"', str(course.id).encode()),
            ('name="type"', b"audio"),
            ('name="title"', b"Once"),
            ('name="file"; filename="a.mp3"', sample("mp3").read_bytes()),
        ]
    )
    sent = {**headers, "Idempotency-Key": "the-same"}
    first = await api("ana").post("/courses/upload-content", data=body, headers=sent)
    again = await api("ana").post("/courses/upload-content", data=body, headers=sent)
    assert (first.status, again.status) == (201, 201)
    assert first.json["content"]["id"] == again.json["content"]["id"]
    assert len((await api("ana").get(f"/courses/{course.id}/content")).json) == 1


async def test_a_client_that_asks_first_sends_nothing_when_refused(
    api: ApiOf, world: World, server: TestServer
) -> None:
    course = await world.course("ana", ["bo"])
    for person, expected in (("bo", b" 403 "), ("ana", b" 100 ")):
        head = [
            f"POST /courses/upload-content?course_id={course.id}&type=video HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {world.token(person)}",
            f"Content-Type: {raw_form([])[1]['Content-Type']}",
            "Content-Length: 1000000",
            "Expect: 100-continue",
        ]
        assert expected in await first_line(server.port, head)
