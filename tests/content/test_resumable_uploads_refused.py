"""Resumable uploads (tus 1.0) that are refused: by their first bytes, their size, their sender or their words."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.uploads.intake import Intake
from server.content.wiring import LIBRARY
from tests.api import Api
from tests.content.forms import files_under, first_line
from tests.content.tus import (
    MP3_HEAD,
    MP4_HEAD,
    OFFSET_STREAM,
    VERSION,
    ask,
    begun,
    create,
    id_in,
    metadata,
    offset_of,
    patch,
)
from tests.factories import World

ApiOf = Callable[[str | None], Api]


@pytest.fixture
def small_limits(app: web.Application) -> Intake:
    """Limits of a mebibyte and of 64 KiB, so that exactly and one more are quick to send."""
    intake = app[LIBRARY].intake
    object.__setattr__(intake, "limits", {"video": 1_048_576, "audio": 65_536})
    return intake


async def test_bytes_that_are_something_else_end_it_at_once(api: ApiOf, world: World, uploads: Path) -> None:
    course = await world.course("ana")
    for head, status, code in (
        (b"<script>", 422, "content_mismatch"),
        (MP3_HEAD, 415, "type_not_allowed"),
    ):
        sent = 0

        async def endless(head: bytes = head) -> AsyncIterator[bytes]:
            nonlocal sent
            yield head
            while sent < 40_000_000:
                sent += 65_536
                yield bytes(65_536)

        path = await begun(api("ana"), course.id, 50_000_000)
        answer = await patch(api("ana"), path, 0, endless())
        assert (answer.status, answer.code) == (status, code)
        row = (await api("ana").get(f"/content/{id_in(path)}")).json
        assert (row["upload_status"], row["error_code"]) == ("failed", code)
    small = await begun(api("ana"), course.id, 20)
    assert (await patch(api("ana"), small, 0, b"twenty bytes of text")).status == 422
    assert files_under(uploads) == []


async def test_refused_before_a_byte(api: ApiOf, world: World, uploads: Path) -> None:
    course, draft = await world.course("ana", ["bo"]), await world.course("ana", status="draft")

    async def refusal(person: str | None, course_id: int, size: int = 1000, **more: object) -> tuple[int, str]:
        answer = await create(api(person), course_id, size, **more)  # type: ignore[arg-type]
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        return answer.status, answer.code

    assert await refusal(None, course.id) == (401, "unauthenticated")
    assert await refusal("bo", course.id) == (403, "not_course_instructor")
    assert await refusal("dan", draft.id) == (404, "not_found")
    assert await refusal("dan", 999_999) == (404, "not_found")
    assert await refusal("ana", course.id, filename="a.exe") == (415, "type_not_allowed")
    assert await refusal("ana", course.id, filetype="text/html") == (415, "type_not_allowed")
    assert await refusal("ana", course.id, 0) == (422, "content_mismatch")
    assert await refusal("ana", course.id, headers={"Upload-Length": "-3"}) == (400, "invalid")
    assert await refusal("ana", course.id, headers={"Upload-Length": "9" * 5000}) == (413, "too_large")
    assert await refusal("ana", course.id, headers={"Upload-Defer-Length": "1"}) == (400, "invalid")
    for concat in ("partial", "final;/courses/uploads/1 /courses/uploads/2"):
        assert await refusal("ana", course.id, headers={"Upload-Concat": concat}) == (400, "invalid")
    assert await refusal("ana", course.id, headers={"Tus-Resumable": "0.2.2"}) == (412, "precondition_failed")
    bare = await api("ana").post("/courses/uploads", headers={"Upload-Length": "3"})
    assert (bare.status, bare.headers["Tus-Version"]) == (412, "1.0.0")
    known = {"course_id": course.id, "type": "video", "title": "t"}
    lengthless = {**VERSION, "Upload-Metadata": metadata(**known)}
    assert (await api("ana").post("/courses/uploads", headers=lengthless)).status == 411
    assert (await api("ana").get(f"/courses/{course.id}/content")).json == []
    assert files_under(uploads) == []


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(("kind", "limit", "head"), [("video", 1_048_576, MP4_HEAD), ("audio", 65_536, MP3_HEAD)])
async def test_exactly_the_limit_and_one_byte_more(
    kind: str, limit: int, head: bytes, api: ApiOf, world: World
) -> None:
    course, name = await world.course("ana"), "a.mp4" if kind == "video" else "a.mp3"
    over = await create(api("ana"), course.id, limit + 1, type=kind, filename=name)
    assert (over.status, over.code, over.json["limit_bytes"]) == (413, "too_large", limit)
    path = await begun(api("ana"), course.id, limit, type=kind, filename=name)
    one_more = await patch(api("ana"), path, 0, head.ljust(limit + 1, b"\0"))
    assert (one_more.status, one_more.code) == (413, "too_large")
    assert await offset_of(api("ana"), path) == 0

    async def unannounced() -> AsyncIterator[bytes]:
        yield head.ljust(limit, b"\0")
        yield b"\0"

    assert (await patch(api("ana"), path, 0, unannounced())).status == 413
    assert await offset_of(api("ana"), path) == 0
    assert (await patch(api("ana"), path, 0, head.ljust(limit, b"\0"))).status == 204


async def test_only_the_instructor_may_touch_it(api: ApiOf, world: World) -> None:
    course = await world.course("ana", ["bo"])
    path = await begun(api("ana"), course.id, 1000)
    plain = await world.content(course)
    for person, status in ((None, 401), ("bo", 404), ("dan", 404), ("eve", 404)):
        assert (await ask(api(person), path)).status == status
        assert (await patch(api(person), path, 0, MP4_HEAD)).status == status
        assert (await api(person).delete(path, headers=VERSION)).status == status
    assert (await ask(api("ana"), f"/courses/uploads/{plain.id}")).status == 404
    assert (await api("ana").call("HEAD", path)).status == 412
    typed = await patch(api("ana"), path, 0, MP4_HEAD, Content_Type="application/octet-stream")
    assert (typed.status, typed.json["allowed"]) == (415, [OFFSET_STREAM])
    assert await offset_of(api("ana"), path) == 0


async def test_five_may_be_open_at_a_time(api: ApiOf, world: World) -> None:
    course = await world.course("ana")
    answers = await asyncio.gather(*(create(api("ana"), course.id, 1000) for _ in range(7)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 2
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 429)
    first = next(answer.json["content"]["id"] for answer in answers if answer.status == 201)
    assert (await api("ana").delete(f"/courses/uploads/{first}", headers=VERSION)).status == 204
    assert (await create(api("ana"), course.id, 1000)).status == 201


async def test_room_is_promised_to_what_was_begun(api: ApiOf, world: World, app: web.Application) -> None:
    course, intake = await world.course("ana"), app[LIBRARY].intake
    free = await intake.free_bytes()
    intake.space.reserve_bytes = free - 30 * 1_048_576  # as if only so much could be used
    assert (await create(api("ana"), course.id, 20 * 1_048_576)).status == 201
    full = await create(api("ana"), course.id, 20 * 1_048_576)
    assert (full.status, full.code) == (507, "no_room")


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "title",
        "=",
        "title not-base64!",
        "title " + base64.b64encode(b"\xff\xfe").decode(),
        "title YQ==,title Yg==",
        "title " + base64.b64encode(b"a\x00b").decode(),
        "title " + base64.b64encode(b"x" * 5000).decode(),
        "content_order " + base64.b64encode(b"many").decode(),
        "access_level " + base64.b64encode(b"all").decode(),
        "tïtle YQ==",
        ",".join(f"k{i} YQ==" for i in range(40)),
    ],
)
async def test_hostile_metadata_is_the_senders_fault(header: str, api: ApiOf, world: World) -> None:
    course = await world.course("ana")
    known = metadata(course_id=course.id, type="video")
    whole = header if header in ("", ",", "=") else f"{known},{header}"
    sent = {**VERSION, "Upload-Length": "10", "Upload-Metadata": whole}
    answer = await api("ana").post("/courses/uploads", headers=sent)
    assert (answer.status, answer.code) == (400, "invalid")


async def test_a_hostile_file_name_is_only_a_name(api: ApiOf, world: World, uploads: Path) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, 100, filename="../../etc/pass\x00wd<b>.mp4")
    assert (await patch(api("ana"), path, 0, MP4_HEAD)).status == 204
    assert (await api("ana").get(f"/content/{id_in(path)}")).json["file_name"] == "passwdb.mp4"
    answer = await ask(api("ana"), path)
    assert "filename " in answer.headers["Upload-Metadata"]
    assert (answer.headers["Upload-Length"], answer.headers["Cache-Control"]) == ("100", "no-store")
    assert all(name.endswith((".part", ".lock")) for name in files_under(uploads))


async def test_who_asks_first_sends_nothing_when_refused(api: ApiOf, world: World, server: TestServer) -> None:
    course = await world.course("ana", ["bo"])
    path = await begun(api("ana"), course.id, 1_000_000)
    for person, offset, expected in (("bo", 0, b" 404 "), ("ana", 7, b" 409 "), ("ana", 0, b" 100 ")):
        head = [
            f"PATCH {path} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {world.token(person)}",
            "Tus-Resumable: 1.0.0",
            f"Content-Type: {OFFSET_STREAM}",
            f"Upload-Offset: {offset}",
            "Content-Length: 1000000",
            "Expect: 100-continue",
        ]
        assert expected in await first_line(server.port, head)
