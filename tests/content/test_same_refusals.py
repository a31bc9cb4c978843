"""A form and a resumable upload are judged alike: the same sentence, code and facts for the same mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.content.formats import LIMITS
from server.content.wiring import LIBRARY
from tests.api import Answer, Api
from tests.content.forms import files_under, upload
from tests.content.tus import begun, create, patch
from tests.factories import World

MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
MP3_HEAD = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00"
ApiOf = Callable[[str | None], Api]


def judged(answer: Answer) -> dict[str, Any]:
    """What a refusal says, without what is told of this request alone."""
    own = ("instance", "request_id", "trace_id", "type")
    return {"status": answer.status, **{name: value for name, value in answer.json.items() if name not in own}}


@pytest.fixture
def small_limits(app: web.Application) -> dict[str, int]:
    limits = {"video": 4096, "audio": 2048}
    object.__setattr__(app[LIBRARY].intake, "limits", limits)
    return limits


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    ("who", "course", "status", "code", "said"),
    [
        (None, "open", 401, "unauthenticated", {}),
        ("bo", "open", 403, "not_course_instructor", {}),
        ("dan", "open", 403, "not_course_instructor", {}),
        ("bo", "draft", 404, "not_found", {}),
        ("ana", "open", 413, "too_large", {"size": 4097}),
        ("ana", "open", 413, "too_large", {"size": 2049, "kind": "audio", "name": "a.mp3"}),
        ("ana", "open", 415, "type_not_allowed", {"name": "a.exe"}),
        ("ana", "open", 415, "type_not_allowed", {"name": "a.mp3"}),
        ("ana", "open", 415, "type_not_allowed", {"declared": "text/html"}),
        ("ana", "open", 422, "content_mismatch", {"size": 0}),
        ("ana", "open", 400, "invalid", {"kind": "text"}),
        ("ana", "open", 400, "invalid", {"title": "x" * 201}),
        ("ana", "open", 400, "invalid", {"access_level": "nobody"}),
        ("ana", "open", 400, "invalid", {"is_preview": "perhaps"}),
        ("ana", "open", 400, "invalid", {"content_order": "first"}),
        ("ana", "open", 400, "invalid", {"content_order": -1}),
    ],
)
async def test_the_same_mistake_is_refused_in_the_same_words(
    who: str | None, course: str, status: int, code: str, said: dict[str, Any], api: ApiOf, world: World, uploads: Path
) -> None:
    courses = {"open": await world.course("ana", ["bo"]), "draft": await world.course("dan", status="draft")}
    given = dict(said)
    number, size = courses[course].id, int(given.pop("size", 100))
    kind, name, declared = given.pop("kind", "video"), given.pop("name", "a.mp4"), given.pop("declared", "")
    data = (MP3_HEAD if name == "a.mp3" and kind == "audio" else MP4_HEAD).ljust(size, b"\0")[:size]
    by_form = await upload(api(who), data, name, number, kind, declared=declared or None, **given)
    by_tus = await create(api(who), number, size, type=kind, filename=name, filetype=declared, **given)
    assert (by_form.status, by_form.code) == (status, code), by_form.raw
    assert judged(by_form) == judged(by_tus)
    assert files_under(uploads) == []


async def test_no_room_is_said_in_the_same_words(
    api: ApiOf, world: World, app: web.Application, monkeypatch: pytest.MonkeyPatch, uploads: Path
) -> None:
    course, intake = await world.course("ana"), app[LIBRARY].intake

    async def hardly_any() -> int:
        return 1000

    monkeypatch.setattr(type(intake), "free_bytes", lambda _: hardly_any())
    by_form = await upload(api("ana"), MP4_HEAD.ljust(5000, b"\0"), "a.mp4", course.id, "video")
    by_tus = await create(api("ana"), course.id, 5000)
    assert (by_form.status, by_form.code) == (507, "no_room"), by_form.raw
    assert judged(by_form) == judged(by_tus)
    assert files_under(uploads) == []


async def test_bytes_that_are_something_else_are_refused_in_the_same_words(api: ApiOf, world: World) -> None:
    course, data = await world.course("ana"), b"<!doctype html>".ljust(5000, b" ")
    by_form = await upload(api("ana"), data, "a.mp4", course.id, "video")
    by_tus = await patch(api("ana"), await begun(api("ana"), course.id, len(data)), 0, data)
    assert (by_form.status, by_form.code) == (422, "content_mismatch"), by_form.raw
    assert judged(by_form) == judged(by_tus)


@pytest.mark.parametrize(("kind", "name"), [("video", "a.mp4"), ("audio", "a.mp3")])
async def test_one_byte_over_the_real_limit_is_refused_with_it_and_the_limit_is_not(
    kind: str, name: str, api: ApiOf, world: World
) -> None:
    course, limit = await world.course("ana"), LIMITS[kind]
    over = await create(api("ana"), course.id, limit + 1, type=kind, filename=name)
    assert (over.status, over.code, over.json["limit"]) == (413, "too_large", limit)
    assert f"{limit // 1_048_576} MB" in over.json["detail"]
    assert (await create(api("ana"), course.id, limit, type=kind, filename=name)).status == 201
