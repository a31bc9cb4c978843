"""100 MB of sound and 500 MB of film in full, by form and resumable: taken to the byte, and not one more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.content.formats import LIMITS
from tests.api import Answer, Api
from tests.content.forms import eventually, files_under, raw_form, until_settled, zeros
from tests.content.tus import MP3_HEAD, MP4_HEAD, begun, create, id_in, patch
from tests.factories import World

ApiOf = Callable[[str | None], Api]
NAMES = {"audio": ("a.mp3", MP3_HEAD), "video": ("a.mp4", MP4_HEAD)}
KINDS = pytest.mark.parametrize("kind", ["audio", "video"])
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the bytes pass no database


async def form(api: Api, course_id: int, kind: str, size: int, *, is_told: bool) -> Answer:
    """A file of `size` bytes in a form that says how long it is, or does not."""
    name, head = NAMES[kind]
    fields = {"course_id": course_id, "type": kind, "title": "A lesson"}
    parts = [(f'name="{field}"', str(value).encode()) for field, value in fields.items()]
    before, headers = raw_form([*parts, (f'name="file"; filename="{name}"', b"")], is_ended=False)
    before, after = before[:-2], raw_form([])[0]

    async def body() -> AsyncIterator[bytes]:
        yield before
        async for block in zeros(head, size):
            yield block
        yield b"\r\n" + after

    if is_told:
        headers = {**headers, "Content-Length": str(len(before) + size + 2 + len(after))}
    return await api.post("/courses/upload-content", data=body(), headers=headers)


def assert_refused(answer: Answer, kind: str) -> None:
    """By its size, with the limit as a number and in a sentence."""
    assert (answer.status, answer.code, answer.json["limit"]) == (413, "too_large", LIMITS[kind]), answer.raw
    assert f"{LIMITS[kind] // 1_048_576} MB" in answer.json["detail"]


async def assert_received(api: Api, content_id: int, size: int) -> None:
    """All of it came, whatever the worker then makes of zeros; deleted, nothing of it stays."""
    assert (await until_settled(api, content_id))["file_size"] == size
    assert (await api.delete(f"/content/{content_id}")).status in (200, 204)


@KINDS
async def test_a_form_with_exactly_the_limit_is_taken_and_one_byte_more_is_not(
    kind: str, api: ApiOf, world: World, uploads: Path
) -> None:
    course, limit = await world.course("ana"), LIMITS[kind]
    for is_told in (True, False):
        assert_refused(await form(api("ana"), course.id, kind, limit + 1, is_told=is_told), kind)
        assert files_under(uploads) == []
    answer = await form(api("ana"), course.id, kind, limit, is_told=True)
    assert answer.status == 201, answer.raw
    await assert_received(api("ana"), answer.json["content"]["id"], limit)
    await eventually(lambda: files_under(uploads) == [])


@KINDS
async def test_a_resumable_upload_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(
    kind: str, api: ApiOf, world: World, uploads: Path
) -> None:
    course, limit, (name, head) = await world.course("ana"), LIMITS[kind], NAMES[kind]
    assert_refused(await create(api("ana"), course.id, limit + 1, type=kind, filename=name), kind)
    path = await begun(api("ana"), course.id, limit, type=kind, filename=name)
    beyond = await patch(api("ana"), path, 0, zeros(head, limit + 1))
    assert (beyond.status, beyond.code) == (413, "too_large")
    answer = await patch(api("ana"), path, 0, zeros(head, limit))
    assert answer.status == 204, answer.raw
    await assert_received(api("ana"), id_in(path), limit)
    await eventually(lambda: files_under(uploads) == [])
