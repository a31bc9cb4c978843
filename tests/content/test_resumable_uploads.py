"""Resumable uploads (tus 1.0): in slices, cut, repeated, contested, ended; the file is whole or not there."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from server.content.service import EXPIRE
from server.content.tables import Content
from server.content.uploads.intake import Intake
from server.content.wiring import LIBRARY, runner_of
from server.jobs.tables import Job
from server.settings import Settings
from tests.api import Api
from tests.content.forms import eventually, files_under, first_line, until_settled
from tests.content.tus import OFFSET_STREAM, VERSION, Cut, ask, begun, checksum_of, create, metadata, offset_of, patch
from tests.factories import World

Sample = Callable[[str], Path]
ApiOf = Callable[[str | None], Api]
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
MP3_HEAD = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00"


def part_size(uploads: Path) -> int:
    return sum(path.stat().st_size for path in (uploads / "incoming").glob("*.part"))


def id_in(path: str) -> int:
    return int(path.rpartition("/")[2])


@pytest.fixture
def small_limits(app: web.Application) -> Intake:
    """Limits of a mebibyte and of 64 KiB, so that exactly and one more are quick to send."""
    intake = app[LIBRARY].intake
    object.__setattr__(intake, "limits", {"video": 1_048_576, "audio": 65_536})
    return intake


async def test_what_is_understood_is_told_without_a_token(api: ApiOf) -> None:
    answer = await api(None).call("OPTIONS", "/courses/uploads")
    assert (answer.status, answer.raw) == (204, b"")
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "expiration",
        "checksum",
    }
    assert answer.headers["Tus-Max-Size"] == str(500 * 1_048_576)
    assert {"sha1", "sha256"} <= set(answer.headers["Tus-Checksum-Algorithm"].split(","))


async def test_a_file_in_slices_becomes_a_lesson(api: ApiOf, world: World, sample: Sample, uploads: Path) -> None:
    course, data = await world.course("ana", ["bo"]), sample("mp4").read_bytes()
    answer = await create(api("ana"), course.id, len(data), title="Wellen & Töne", is_preview="true", filename="w.mp4")
    assert answer.status == 201
    assert {"Upload-Offset", "Upload-Expires", "Tus-Resumable"} <= set(answer.headers)
    shown = answer.json["content"]
    assert shown["upload_url"] == answer.headers["Location"]
    assert (shown["title"], shown["file_name"], shown["is_preview"]) == ("Wellen & Töne", "w.mp4", True)
    path, step = f"/courses/uploads/{shown['id']}", len(data) // 3 + 1
    for offset in range(0, len(data), step):
        assert await offset_of(api("ana"), path) == offset
        row = (await api("ana").get(f"/content/{shown['id']}")).json
        assert (row["upload_status"], row["bytes_received"], row["file_size"]) == ("uploading", offset, len(data))
        assert (await api("bo").get(f"/content/{shown['id']}")).status == 404
        assert (await api("bo").get(f"/courses/{course.id}/content")).json == []
        sent = await patch(api("ana"), path, offset, data[offset : offset + step])
        assert (sent.status, int(sent.headers["Upload-Offset"])) == (204, min(offset + step, len(data)))
        assert ("Upload-Expires" in sent.headers) == (offset + step < len(data))
    ready = await until_settled(api("ana"), shown["id"])
    assert ready["upload_status"] == "completed", ready["error_code"]
    assert (ready["upload_url"], ready["bytes_received"], ready["mime_type"]) == (None, None, "video/mp4")
    assert ready["duration_seconds"] == pytest.approx(2.0, abs=0.1)
    assert await offset_of(api("ana"), path) == len(data)
    assert files_under(uploads / "incoming") == []
    (original,) = (uploads / "videos").rglob("original")
    assert original.read_bytes() == data


async def test_the_first_bytes_may_come_with_the_creation(api: ApiOf, world: World, sample: Sample) -> None:
    course, data = await world.course("ana"), sample("mp3").read_bytes()
    audio: dict[str, Any] = {"type": "audio", "filename": "a.mp3"}
    half = await create(api("ana"), course.id, len(data), data=data[:5000], **audio)
    assert (half.status, half.headers["Upload-Offset"]) == (201, "5000")
    whole = await create(api("ana"), course.id, len(data), data=data, **audio)
    assert (whole.status, whole.headers["Upload-Offset"]) == (201, str(len(data)))
    ready = await until_settled(api("ana"), whole.json["content"]["id"])
    assert ready["upload_status"] == "completed"


async def test_what_arrived_before_the_connection_broke_counts(
    api: ApiOf, world: World, sample: Sample, server: TestServer, uploads: Path
) -> None:
    course = await world.course("ana")
    spare = 900_000  # an atom that players skip
    data = sample("mp4").read_bytes() + spare.to_bytes(4, "big") + b"free" + bytes(i % 253 for i in range(spare - 8))
    path = await begun(api("ana"), course.id, len(data))
    cut = await Cut.begin(server.port, world.token("ana"), path, 0, len(data), data[:600_000])
    await eventually(lambda: part_size(uploads) >= 256 * 1024)
    cut.abort()
    offset = await offset_of(api("ana"), path)
    assert 256 * 1024 <= offset <= 600_000
    assert (await patch(api("ana"), path, offset, data[offset:])).status == 204
    (original,) = (uploads / "videos").rglob("original")
    assert original.read_bytes() == data
    assert (await until_settled(api("ana"), id_in(path)))["upload_status"] == "completed"


async def test_a_silent_connection_gives_way_within_five_seconds(
    api: ApiOf, world: World, server: TestServer, uploads: Path
) -> None:
    course, data = await world.course("ana"), MP4_HEAD.ljust(900_000, b"\1")
    path = await begun(api("ana"), course.id, len(data))
    stuck = await Cut.begin(server.port, world.token("ana"), path, 0, len(data), data[:400_000])
    await eventually(lambda: part_size(uploads) > 0)
    started = time.monotonic()
    assert await offset_of(api("ana"), path) == 400_000  # the gathered rest of it, too
    assert time.monotonic() - started < 5
    assert await stuck.status() == 409
    assert (await patch(api("ana"), path, 400_000, data[400_000:])).status == 204
    stuck.abort()


async def test_of_two_writers_the_newer_goes_on(api: ApiOf, world: World, server: TestServer, uploads: Path) -> None:
    course, data = await world.course("ana"), MP4_HEAD + bytes(i % 251 for i in range(600_000))
    path = await begun(api("ana"), course.id, len(data))
    older = await Cut.begin(server.port, world.token("ana"), path, 0, len(data), data[:50_000])
    await eventually(lambda: len(list((uploads / "incoming").glob("*.part"))) == 1)
    newer = await patch(api("ana"), path, 0, data)
    # What the older one had brought counts: the newer is told where that ends.
    assert (newer.status, newer.code) == (409, "offset_mismatch")
    offset = int(newer.headers["Upload-Offset"])
    assert offset == newer.json["offset"] == 50_000
    assert await older.status() == 409
    both = await asyncio.gather(*(patch(api("ana"), path, offset, data[offset:]) for _ in range(2)))
    assert sorted({answer.status for answer in both}) in ([204], [204, 409])
    (original,) = (uploads / "videos").rglob("original")
    assert original.read_bytes() == data
    older.abort()


async def test_a_wrong_offset_is_told_the_right_one(api: ApiOf, world: World) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, 10_000)
    assert (await patch(api("ana"), path, 0, MP4_HEAD)).status == 204
    for offset in (0, len(MP4_HEAD) + 1, 10_000):
        answer = await patch(api("ana"), path, offset, b"x")
        assert (answer.status, answer.code) == (409, "offset_mismatch")
        assert answer.headers["Upload-Offset"] == str(len(MP4_HEAD))
    for wrong in ("", "-1", "x", "1_0", "9" * 30):
        assert (await patch(api("ana"), path, 0, b"x", Upload_Offset=wrong)).status == 400


async def test_the_last_request_may_be_repeated(api: ApiOf, world: World, sample: Sample) -> None:
    course, data = await world.course("ana"), sample("mp4").read_bytes()
    path = await begun(api("ana"), course.id, len(data))
    assert (await patch(api("ana"), path, 0, data[:5000])).status == 204
    for _ in range(2):
        answer = await patch(api("ana"), path, 5000, data[5000:])
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(len(data)))
    assert (await patch(api("ana"), path, len(data), b"")).status == 204
    assert (await patch(api("ana"), path, 17, b"x")).status == 409
    assert (await until_settled(api("ana"), id_in(path)))["upload_status"] == "completed"
    assert (await api("ana").delete(path, headers=VERSION)).status == 409
    assert len((await api("ana").get(f"/courses/{course.id}/content")).json) == 1


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_bytes_that_do_not_add_up_are_dropped(algorithm: str, api: ApiOf, world: World, uploads: Path) -> None:
    course, data = await world.course("ana"), MP4_HEAD.ljust(300_000, b"\2")
    path = await begun(api("ana"), course.id, len(data))
    good = checksum_of(data[:100_000], algorithm)["Upload-Checksum"]
    assert (await patch(api("ana"), path, 0, data[:100_000], Upload_Checksum=good)).status == 204
    wrong = await patch(api("ana"), path, 100_000, data[100_000:], Upload_Checksum=good)
    assert (wrong.status, wrong.code) == (460, "checksum_mismatch")
    assert await offset_of(api("ana"), path) == part_size(uploads) == 100_000
    right = checksum_of(data[100_000:], algorithm)["Upload-Checksum"]
    assert (await patch(api("ana"), path, 100_000, data[100_000:], Upload_Checksum=right)).status == 204
    for header in ("crc32 AAAA", "sha1 !!", "sha1 AAAA", "sha1", ""):
        assert (await patch(api("ana"), path, 0, b"x", Upload_Checksum=header)).status == 400


async def test_cancelled_it_is_a_failed_lesson_without_bytes(api: ApiOf, world: World, uploads: Path) -> None:
    course = await world.course("ana")
    path = await begun(api("ana"), course.id, 10_000)
    assert (await patch(api("ana"), path, 0, MP4_HEAD)).status == 204
    gone = await api("ana").delete(path, headers=VERSION)
    assert (gone.status, gone.headers["Tus-Resumable"]) == (204, "1.0.0")
    row = (await api("ana").get(f"/content/{id_in(path)}")).json
    assert (row["upload_status"], row["error_code"], row["upload_url"]) == ("failed", "cancelled", None)
    assert files_under(uploads) == []
    for answer in (
        await ask(api("ana"), path),
        await patch(api("ana"), path, len(MP4_HEAD), b"x"),
        await api("ana").delete(path, headers=VERSION),
    ):
        assert answer.status == 404
    assert (await api("ana").post(f"/content/{id_in(path)}/retry")).code == "original_gone"
    assert files_under(uploads) == []


async def test_expired_it_cannot_be_resumed(
    api: ApiOf, world: World, uploads: Path, app: web.Application, settings: Settings
) -> None:
    course = await world.course("ana")
    asked, forgotten = [await begun(api("ana"), course.id, 10_000) for _ in range(2)]
    for path in (asked, forgotten):
        assert (await patch(api("ana"), path, 0, MP4_HEAD)).status == 204
    async with world.database.work("a day later") as work:
        past = work.now - timedelta(seconds=1)
        await work.execute(update(Content).values(upload_expires_at=past))
        await work.execute(
            update(Job).where(Job.kind == EXPIRE, Job.subject_id == id_in(forgotten)).values(run_at=past)
        )
    assert (await patch(api("ana"), asked, len(MP4_HEAD), b"x")).status == 404
    runner = runner_of(settings, world.database)  # another process with jobs, that finds what is due
    await runner.start()
    try:
        for path in (asked, forgotten):
            row = await until_settled(api("ana"), id_in(path))
            assert (row["upload_status"], row["error_code"]) == ("failed", "expired")
    finally:
        await runner.close()
    await eventually(lambda: files_under(uploads) == [])


async def test_deleted_while_it_is_written_its_bytes_go(
    api: ApiOf, world: World, server: TestServer, uploads: Path
) -> None:
    course, data = await world.course("ana"), MP4_HEAD.ljust(900_000, b"\1")
    path = await begun(api("ana"), course.id, len(data))
    writing = await Cut.begin(server.port, world.token("ana"), path, 0, len(data), data[:400_000])
    await eventually(lambda: part_size(uploads) > 0)
    assert (await api("ana").delete(f"/content/{id_in(path)}")).status == 204
    assert await writing.status() == 409
    await eventually(lambda: files_under(uploads) == [], 15)
    assert (await ask(api("ana"), path)).status == 404
    writing.abort()


async def test_cancelled_while_it_is_written(api: ApiOf, world: World, server: TestServer, uploads: Path) -> None:
    course, data = await world.course("ana"), MP4_HEAD.ljust(900_000, b"\1")
    path = await begun(api("ana"), course.id, len(data))
    writing = await Cut.begin(server.port, world.token("ana"), path, 0, len(data), data[:400_000])
    await eventually(lambda: part_size(uploads) > 0)
    assert (await api("ana").delete(path, headers=VERSION)).status == 204
    assert await writing.status() == 409
    assert files_under(uploads) == []
    writing.abort()


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
    assert await refusal("ana", course.id, headers={"Upload-Defer-Length": "1"}) == (400, "invalid")
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


async def test_a_checksum_covers_all_of_a_request_or_nothing(
    api: ApiOf, world: World, server: TestServer, uploads: Path
) -> None:
    course, data = await world.course("ana"), MP4_HEAD.ljust(900_000, b"\1")
    path = await begun(api("ana"), course.id, len(data))
    assert (await patch(api("ana"), path, 0, data[:1000])).status == 204
    cut = await Cut.begin(
        server.port, world.token("ana"), path, 1000, 899_000, data[1000:500_000], **checksum_of(data[1000:])
    )
    await eventually(lambda: part_size(uploads) > 1000)
    assert await offset_of(api("ana"), path) == part_size(uploads) == 1000
    assert await cut.status() == 409
    cut.abort()


async def test_a_creation_repeated_with_one_key_is_one_lesson(api: ApiOf, world: World) -> None:
    course = await world.course("ana")
    first, again = [
        await create(api("ana"), course.id, 1000, headers={"Idempotency-Key": "the-same"}) for _ in range(2)
    ]
    assert (first.status, again.status) == (201, 201)
    assert first.json["content"]["upload_url"] == again.json["content"]["upload_url"]
    assert len((await api("ana").get(f"/courses/{course.id}/content")).json) == 1
