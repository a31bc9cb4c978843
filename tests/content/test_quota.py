"""A course holds only so much: judged before the bytes, by form and by tus alike, exact to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.quota import course_full
from server.content.wiring import LIBRARY
from tests.api import Api
from tests.content.forms import files_under, first_line, raw_form, upload
from tests.content.test_same_refusals import judged
from tests.content.tus import MP4_HEAD, VERSION, begun, create
from tests.factories import World

ApiOf = Callable[[str | None], Api]
QUOTA = 100_000


@pytest.fixture(autouse=True)
def quota(app: web.Application) -> None:
    object.__setattr__(app[LIBRARY].intake, "quota_bytes", QUOTA)


@pytest.mark.parametrize("file_first", [False, True], ids=["fields-first", "file-first"])
async def test_what_fits_to_the_byte_is_taken_and_one_more_is_refused(
    file_first: bool, api: ApiOf, world: World, uploads: Path
) -> None:
    course, other = await world.course("ana"), await world.course("ana")
    open_upload = await begun(api("ana"), course.id, 40_000)  # counts with all it will bring
    whole = MP4_HEAD.ljust(60_000, b"\0")
    over = await upload(api("ana"), whole + b"\0", "a.mp4", course.id, "video", file_first=file_first)
    assert (over.status, over.code) == (507, "course_full"), over.raw
    assert (over.json["quota_bytes"], over.json["left_bytes"]) == (QUOTA, 60_000)
    assert judged(over) == judged(await create(api("ana"), course.id, 60_001))
    assert files_under(uploads) == []
    taken = await upload(api("ana"), whole, "a.mp4", course.id, "video", file_first=file_first)
    assert taken.status == 201, taken.raw
    assert (await create(api("ana"), course.id, 1)).code == "course_full"
    assert (await create(api("ana"), other.id, QUOTA)).status == 201  # every course has its own
    await api("ana").delete(f"/content/{taken.json['content']['id']}")
    assert (await api("ana").call("DELETE", open_upload, headers=VERSION)).status == 204
    assert (await create(api("ana"), course.id, QUOTA)).status == 201  # what is gone is not counted


async def test_a_file_that_cannot_fit_is_not_asked_for(api: ApiOf, world: World, server: TestServer) -> None:
    course = await world.course("ana")
    head = [
        f"POST /courses/upload-content?course_id={course.id}&type=video HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.token('ana')}",
        f"Content-Type: {raw_form([])[1]['Content-Type']}",
        "Content-Length: 5000000",
        "Expect: 100-continue",
    ]
    assert b" 507 " in await first_line(server.port, head)


def test_the_sentence_tells_how_much_fits() -> None:
    assert "may hold 50 GB, and 1.5 MB are left" in course_full(1536 * 1024, 50 * 1024**3).detail
    assert "and 0 MB are left" in course_full(-5, QUOTA).detail
