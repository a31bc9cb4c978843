"""Who may have which bytes: every access level, preview or not, every kind of person, every kind of ticket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.tables import Content
from server.content.tickets import Subject
from server.content.wiring import LIBRARY
from tests.api import Api
from tests.factories import World

ApiOf = Callable[[str | None], Api]
LEVELS, PREVIEW = ("free", "enrolled_only", "premium"), (False, True)
# ana teaches; bo is enrolled, cleo with premium; dan left, fay was revoked; eve is a stranger
PEOPLE = {"ana": 0, "bo": 1, "cleo": 1, "dan": 1, "fay": 1, "eve": 0}
TICKETS = ("fresh", "run out", "of another lesson", "of an older enrollment", "of another variant")


def expected(level: str, is_preview: bool, person: str, ticket: str) -> tuple[int, str]:
    """What the product promises, written down without its code."""
    if ticket == "run out":
        return 401, "ticket_expired"
    if ticket in ("of another lesson", "of another variant"):
        return 401, "ticket_invalid"
    if person == "ana" or is_preview or level == "free":
        return 206, ""
    if person not in ("bo", "cleo"):
        return 403, "not_enrolled"
    if level == "premium" and person == "bo":
        return 403, "premium_required"
    return (403, "not_enrolled") if ticket == "of an older enrollment" else (206, "")


async def lessons_of(world: World, app: web.Application) -> dict[tuple[str, bool], Content]:
    """One lesson of each kind in one course, and everybody's place in it."""
    storage = app[LIBRARY].storage
    part = storage.new_part()
    part.write_bytes(b"0123456789")
    storage.adopt("videos/aa/aabb/video-0011.mp4", part)
    await world.person("fay")
    course = await world.course("ana", ["bo"])
    await world.enroll(course, "cleo", tier="premium")
    await world.enroll(course, "dan", status="left")
    await world.enroll(course, "fay", status="revoked", tier="premium")
    return {
        (level, is_preview): await world.content(
            course,
            access_level=level,
            is_preview=is_preview,
            file_url="videos/aa/aabb/video-0011.mp4",
            served_mime_type="video/mp4",
        )
        for level, is_preview in product(LEVELS, PREVIEW)
    }


async def test_bytes_go_to_whom_they_are_promised_and_to_nobody_else(
    world: World, app: web.Application, server: TestServer
) -> None:
    lessons = await lessons_of(world, app)
    other = (await world.content(await world.course("ana"), access_level="free")).id
    tickets, now = app[LIBRARY].tickets, datetime.now(UTC)
    found, promised = {}, {}
    async with aiohttp.ClientSession() as session:
        for (kind, row), person, ticket in product(lessons.items(), PEOPLE, TICKETS):
            subject = Subject("content", other if ticket == "of another lesson" else row.id, "file")
            if ticket == "of another variant":
                subject = Subject("content", row.id, "thumbnail")
            revision = PEOPLE[person] - (ticket == "of an older enrollment" and PEOPLE[person] > 0)
            ends = now + (timedelta(seconds=-1) if ticket == "run out" else timedelta(hours=1))
            signed = tickets.sign(subject, world.id_of(person), revision or (99 if PEOPLE[person] else 0), ends)
            answer = await Api(session, str(server.make_url("/")), None).get(
                f"/media/content/{row.id}/file/video-0011.mp4?t={signed}", headers={"Range": "bytes=2-4"}
            )
            assert answer.status != 206 or answer.raw == b"234"
            found[(*kind, person, ticket)] = (answer.status, answer.code)
            promised[(*kind, person, ticket)] = expected(*kind, person, ticket)
    assert {key: said for key, said in found.items() if said != promised[key]} == {}
    assert len(found) == len(LEVELS) * len(PREVIEW) * len(PEOPLE) * len(TICKETS)


async def test_another_tier_and_another_level_count_at_once(api: ApiOf, world: World, app: web.Application) -> None:
    lessons = await lessons_of(world, app)
    premium, plain = lessons["premium", False], lessons["enrolled_only", False]
    place = f"/courses/{premium.course_id}/enrollments/{world.id_of('bo')}"

    async def gets(row: Content) -> int:
        return (await api("bo").post(f"/content/{row.id}/ticket")).status

    assert [await gets(premium), await gets(plain)] == [403, 200]
    assert (await api("ana").patch(place, {"tier": "premium"})).status == 200
    url = str((await api("bo").get(f"/content/{premium.id}")).json["file_url"])
    async with aiohttp.ClientSession() as session:
        assert (await Api(session, "", None).get(url)).status == 200
        assert (await api("ana").patch(place, {"tier": "standard"})).status == 200
        assert (await Api(session, "", None).get(url)).code == "premium_required"
        open_url = str((await api("bo").get(f"/content/{plain.id}")).json["file_url"])
        assert (await Api(session, "", None).get(open_url)).status == 200
        assert (await api("ana").patch(f"/content/{plain.id}", {"access_level": "premium"})).status == 200
        assert (await Api(session, "", None).get(open_url)).code == "premium_required"
        assert (await api("ana").patch(f"/content/{plain.id}", {"is_preview": True})).status == 200
        assert (await Api(session, "", None).get(open_url)).status == 200
    assert await gets(premium) == 403
