"""Resumable uploads (tus 1.0): in slices, cut, repeated, contested, ended; the file is whole or not there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from server.content.service import EXPIRE
from server.content.tables import Content
from server.content.uploads.turn import LOOK_SECONDS, Turn
from server.content.wiring import LIBRARY, runner_of
from server.jobs.tables import Job
from server.settings import Settings
from tests.api import Api
from tests.content.forms import eventually, files_under, until_settled
from tests.content.tus import (
    MP4_HEAD,
    OFFSET_STREAM,
    VERSION,
    Cut,
    ask,
    begun,
    checksum_of,
    create,
    id_in,
    offset_of,
    part_size,
    patch,
)
from tests.factories import World

Sample = Callable[[str], Path]
ApiOf = Callable[[str | None], Api]


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
    for offset in (0, len(MP4_HEAD) + 1, 10_000, 10**60):
        answer = await patch(api("ana"), path, offset, b"x")
        assert (answer.status, answer.code) == (409, "offset_mismatch")
        assert answer.headers["Upload-Offset"] == str(len(MP4_HEAD))
    for wrong in ("", "-1", "x", "1_0"):
        assert (await patch(api("ana"), path, 0, b"x", Upload_Offset=wrong)).status == 400


async def test_the_last_request_may_be_repeated(api: ApiOf, world: World, sample: Sample) -> None:
    course, data = await world.course("ana"), sample("mp4").read_bytes()
    path = await begun(api("ana"), course.id, len(data))
    assert (await patch(api("ana"), path, 0, data[:5000])).status == 204
    by_post = {**VERSION, "Content-Type": OFFSET_STREAM, "Upload-Offset": "5000", "X-HTTP-Method-Override": "PATCH"}
    answer = await api("ana").post(path, headers=by_post, data=data[5000:6000])
    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "6000")
    assert (await api("ana").post(path, headers={**by_post, "X-HTTP-Method-Override": "PUT"}, data=b"x")).status == 405
    for _ in range(2):
        answer = await patch(api("ana"), path, 6000, data[6000:])
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
    unnamed = await api("ana").post(path, headers=VERSION)
    assert (unnamed.status, unnamed.headers["Allow"]) == (405, "DELETE,HEAD,PATCH")
    gone = await api("ana").post(path, headers={**VERSION, "X-HTTP-Method-Override": "delete"})
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


async def test_who_is_gone_asks_for_no_turn(api: ApiOf, world: World, server: TestServer, app: web.Application) -> None:
    """Else the one that came back would have to let go for its own past, and try once more."""
    course, intake = await world.course("ana"), app[LIBRARY].intake
    path = await begun(api("ana"), course.id, 1000)
    async with world.database.read() as read:
        row = await read.get(Content, id_in(path))
    assert row is not None and row.original_key is not None
    lock = intake.storage.lock_of(row.original_key)
    async with Turn(intake.storage, intake.disk, row.original_key) as turn:
        cut = await Cut.begin(server.port, world.token("ana"), path, 0, 1000, MP4_HEAD + bytes(100))
        await eventually(lambda: turn.is_wanted)
        cut.abort()
        assert (await api("ana").get("/courses")).status == 200  # what happened on the wire was seen
        await asyncio.sleep(LOOK_SECONDS)  # an attempt under way ends
        os.truncate(lock, 0)
        await asyncio.sleep(2 * LOOK_SECONDS)  # it would have asked again
        assert not turn.is_wanted
    assert await offset_of(api("ana"), path) == 0
