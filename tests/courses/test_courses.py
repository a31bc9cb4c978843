"""Making, changing, finding and archiving courses over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import event

from server.access import AccountRole, Actor
from server.content.tables import ContentProgress
from server.courses import catalog
from server.courses.schemas import CoursesAsked
from server.db import Database
from server.http.keys import DATABASE
from server.http.paging import Page
from tests.api import Api
from tests.factories import World

People = Callable[[str | None], Api]
SHOWN = {
    "id",
    "title",
    "description",
    "category",
    "status",
    "thumbnail_url",
    "instructor",
    "enrollment_count",
    "content_count",
    "live_session",
    "my_role",
    "my_tier",
    "created_at",
    "updated_at",
}


async def test_a_new_course_is_a_draft_of_its_instructor(api: People, world: World) -> None:
    answer = await api("ana").post("/courses", {"title": "  Optics ", "category": " Physics "})
    assert answer.status == 201
    assert set(answer.json) == SHOWN
    assert answer.json["title"] == "Optics" and answer.json["category"] == "Physics"
    assert answer.json["status"] == "draft" and answer.json["my_role"] == "instructor"
    assert answer.json["instructor"] == {"id": world.id_of("ana"), "name": "Ana Castro"}
    assert answer.json["created_at"].endswith("Z")
    assert (await api("eve").get(f"/courses/{answer.json['id']}")).status == 404
    assert answer.json["id"] not in [course["id"] for course in (await api("eve").get("/courses")).json]


async def test_a_repeated_creation_with_its_key_makes_one_course(api: People) -> None:
    sent = {"headers": {"Idempotency-Key": "once"}}
    first = await api("ana").post("/courses", {"title": "Optics"}, **sent)
    again = await api("ana").post("/courses", {"title": "Optics"}, **sent)
    assert (again.status, again.json["id"]) == (201, first.json["id"])
    assert len((await api("ana").get("/courses/instructor/my-courses")).json) == 1


async def test_the_catalog_shows_published_courses_and_ones_own_place(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"], tier="premium", description="About waves", category="Physics")
    await world.course("ana", status="draft")
    await world.course("ana", status="archived")
    await world.content(course)
    await world.content(course, upload_status="processing")
    live = await world.live_session("ana", course=course)
    seen = {who: (await api(who).get("/courses")).json for who in ("ana", "bo", "eve")}
    assert all(len(courses) == 1 and set(courses[0]) == SHOWN for courses in seen.values())
    ana, bo, eve = (courses[0] for courses in seen.values())
    assert (ana["my_role"], bo["my_role"], eve["my_role"]) == ("instructor", "student", None)
    assert (ana["my_tier"], bo["my_tier"], eve["my_tier"]) == (None, "premium", None)
    assert ana["live_session"]["id"] == bo["live_session"]["id"] == live.id
    assert eve["live_session"] is None
    assert eve["enrollment_count"] == 2 and eve["content_count"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Waves", "100 % Algebra", "Äpfel"}),
        ("?query=wave", {"Waves"}),
        ("?query=CASTRO", {"Waves", "100 % Algebra", "Äpfel"}),
        ("?query=%25", {"100 % Algebra"}),
        ("?query=_", set()),
        ("?query=%27%3B--", set()),
        ("?query=Äpf", {"Äpfel"}),
        ("?category=physics", {"Waves"}),
        ("?category=none", set()),
        ("?category=Ökologie", {"Äpfel"}),
        ("?query=&category=&limit=&cursor=", {"Waves", "100 % Algebra", "Äpfel"}),
        ("?query=algebra&category=Physics", set()),
    ],
)
async def test_the_catalog_is_searched(api: People, world: World, query: str, found: set[str]) -> None:
    await world.course("ana", title="Waves", category="Physics")
    await world.course("ana", title="100 % Algebra", category="Mathematics")
    await world.course("ana", title="Äpfel", category="Ökologie")
    assert {course["title"] for course in (await api("eve").get(f"/courses{query}")).json} == found


async def test_the_catalog_comes_in_pages(api: People, world: World) -> None:
    for number in range(5):
        await world.course("ana", title=f"Course {number}")
    seen, path = [], "/courses?limit=2"
    while path:
        page = await api("eve").get(path)
        seen += [course["title"] for course in page.json]
        assert len(page.json) <= 2
        path = page.headers["Link"].partition(">")[0].strip("<") if "Link" in page.headers else ""
    assert seen == [f"Course {number}" for number in range(4, -1, -1)]


async def test_ones_own_courses_are_there_in_every_status_newest_activity_first(api: People, world: World) -> None:
    old = await world.course("ana", title="Old", status="archived")
    await world.course("ana", title="New", status="draft")
    await world.course("dan", title="Foreign")
    titles = [course["title"] for course in (await api("ana").get("/courses/instructor/my-courses")).json]
    assert titles == ["New", "Old"]
    await api("ana").patch(f"/courses/{old.id}", {"status": "published"})
    mine = (await api("ana").get("/courses/instructor/my-courses")).json
    assert [course["title"] for course in mine] == ["Old", "New"]
    assert "last_activity_at" in mine[0]


async def test_a_student_sees_progress_and_what_is_live(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    first, _ = await world.content(course), await world.content(course)
    await world.live_session("ana", course=course)
    await world.course("ana", title="Not mine")
    async with world.database.work("progress") as work:
        work.add(
            ContentProgress(
                content_id=first.id, user_id=world.id_of("bo"), percent=95.0, completed=True, updated_at=work.now
            )
        )
    (shown,) = (await api("bo").get("/courses/student/my-courses")).json
    assert shown["progress"] == {"completed_count": 1, "content_count": 2, "percent": 47.5}
    assert shown["live_session"]["status"] == "live"
    assert shown["my_tier"] == "standard"
    assert (await api("eve").get("/courses/student/my-courses")).json == []


async def test_only_what_is_sent_changes(api: People, world: World) -> None:
    course = await world.course("ana", description="About waves", category="Physics")
    changed = (await api("ana").patch(f"/courses/{course.id}", {"title": "Waves", "unknown": 1})).json
    assert (changed["title"], changed["description"], changed["category"]) == ("Waves", "About waves", "Physics")
    assert (await api("ana").patch(f"/courses/{course.id}", {"category": None})).json["category"] is None
    assert (await api("ana").patch(f"/courses/{course.id}")).status == 200


async def test_a_lost_update_is_refused_and_an_enrollment_meanwhile_is_no_update(api: People, world: World) -> None:
    course = await world.course("ana")
    path, ana = f"/courses/{course.id}", api("ana")
    tag = (await ana.get(path)).headers["ETag"]
    assert (await ana.get(path, headers={"If-None-Match": tag})).status == 304
    await api("bo").post(f"{path}/enroll")
    fresh = await ana.get(path, headers={"If-None-Match": tag})
    assert fresh.status == 200 and fresh.json["enrollment_count"] == 1
    assert (await ana.patch(path, {"title": "One"}, headers={"If-Match": tag})).status == 200
    late = await ana.patch(path, {"title": "Two"}, headers={"If-Match": tag})
    assert (late.status, late.code) == (412, "precondition_failed")
    assert (await ana.delete(path, headers={"If-Match": tag})).status == 412
    assert (await ana.patch(path, {"title": "Two"}, headers={"If-Match": "*"})).status == 200


async def test_one_persons_version_of_a_course_is_not_anothers(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    path = f"/courses/{course.id}"
    tag = (await api("bo").get(path)).headers["ETag"]
    assert (await api("bo").get(path, headers={"If-None-Match": tag})).status == 304
    assert (await api("cleo").get(path, headers={"If-None-Match": tag})).status == 200
    unread = await api("ana").get(path)
    changed = await api("ana").patch(path, headers={"If-None-Match": unread.headers["ETag"]})
    assert (changed.status, changed.json["id"]) == (200, course.id)


async def test_ten_changes_at_once_are_all_made(api: People, world: World) -> None:
    course = await world.course("ana")
    answers = await asyncio.gather(
        *(api("ana").patch(f"/courses/{course.id}", {"title": f"Title {n}"}) for n in range(10))
    )
    assert {answer.status for answer in answers} == {200}


async def test_deleting_archives_and_members_keep_what_is_there(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    path = f"/courses/{course.id}"
    assert (await api("ana").delete(path)).status == 204
    assert (await api("ana").delete(path)).status == 204
    assert (await api("bo").get(path)).json["status"] == "archived"
    assert (await api("eve").get(path)).status == 404
    assert (await api("eve").get("/courses")).json == []


BAD_COURSES: list[Any] = [
    {},
    {"title": ""},
    {"title": "   "},
    {"title": None},
    {"title": ["x"]},
    {"title": "x" * 201},
    {"title": "nul\x00"},
    {"title": "\ud83d"},
    {"title": "x", "description": "y" * 10_001},
    {"title": "x", "description": "\x00"},
    {"title": "x", "category": "z" * 81},
    {"title": "x", "category": {"a": 1}},
    {"title": "x", "status": "archived"},
    {"title": "x", "status": "live"},
    {"title": 10**400},
]


async def test_bad_values_are_named_and_leave_nothing(api: People, world: World) -> None:
    for body in BAD_COURSES:
        answer = await api("ana").post("/courses", body)
        assert (answer.status, answer.code) == (400, "invalid"), body
        assert answer.json["errors"][0]["pointer"].split("/")[1] in ("title", "description", "category", "status")
    for query in ("?query=%00", "?query=" + "x" * 300, "?limit=0", "?limit=x", "?cursor=%F0%9F", "?cursor=AAAA"):
        assert (await api("ana").get(f"/courses{query}")).status == 400, query
    assert (await api("ana").get("/courses/instructor/my-courses")).json == []


@pytest.mark.parametrize("which", ["published", "studied"])
async def test_a_list_costs_the_same_number_of_queries_for_one_course_as_for_thirty(world: World, which: str) -> None:
    async def grown(count: int) -> int:
        for _ in range(count):
            course = await world.course("ana", ["dan"])
            await world.live_session("ana", course=course)
            await world.content(course)
        person = world.people["dan" if which == "studied" else "ana"]
        actor = Actor(person.id, person.name, AccountRole(person.role), person.sign_in_id, 0)
        async with world.database.read() as read:
            with Queries(world.database) as queries:
                if which == "published":
                    found = await catalog.published(read, actor, CoursesAsked(), Page(50, None))
                else:
                    found = await catalog.studied(read, actor)
        assert len(found) >= count and all(one.live_session for one in found)
        return queries.count

    one = await grown(1)
    assert one == await grown(29)
    assert one <= 8  # one for the courses, the rest for the live classes; SQLite says BEGIN too


async def test_ones_own_courses_cost_four_queries_at_most_however_many_there_are(
    api: People, world: World, app: web.Application
) -> None:
    async def grown(count: int) -> int:
        for _ in range(count):
            course = await world.course("ana", ["bo", "cleo"])
            await world.live_session("ana", course=course)
            await world.content(course)
            await world.content(course, upload_status="failed")
            await world.enroll(course, "dan", status="left")
        counts = []
        for _ in range(3):  # now and then it is also asked who she is, or somebody else asks at the same time
            with Queries(app[DATABASE]) as queries:
                found = (await api("ana").get("/courses/instructor/my-courses")).json
            counts.append(queries.count)
        assert {(c["enrollment_count"], c["content_count"], c["live_session"]["invited_count"]) for c in found} == {
            (2, 1, 2)
        }
        assert {c["live_session"]["course_title"] for c in found} == {"Waves and sound"}
        return min(counts)

    await world.course("dan", ["bo"], title="another's")
    one = await grown(1)
    assert one == await grown(29)
    assert 0 < one <= 4


class Queries:
    """Counts the statements on a database's read connections."""

    def __init__(self, database: Database) -> None:
        self._engine = database._engines.read.sync_engine
        self.count = 0

    def __enter__(self) -> Queries:
        event.listen(self._engine, "before_cursor_execute", self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._seen)

    def _seen(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.count += not statement.startswith("BEGIN")
