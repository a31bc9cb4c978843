"""Every call on a course, by everybody, on a published course, a draft and an archived one: one table, every cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.courses.tables import Course
from tests.api import Api
from tests.factories import World

People = Callable[[str | None], Api]

# ana teaches it, bo is enrolled, cleo was revoked, eve is a stranger, dan teaches elsewhere, root administers.
WHO = ("ana", "bo", "cleo", "eve", "dan", "root", "")

# call: (published; unpublished), a status for each of WHO. 404 and 403 come before the body, so bodies are broken.
CALLS: dict[tuple[str, str], tuple[str, str]] = {
    ("GET", ""): ("200 200 200 200 200 200 401", "200 200 404 404 404 404 401"),
    ("PATCH", ""): ("400 403 403 403 403 403 401", "400 403 404 404 404 404 401"),
    ("DELETE", ""): ("204 403 403 403 403 403 401", "204 403 404 404 404 404 401"),
    ("PUT", "/thumbnail"): ("400 403 403 403 403 403 401", "400 403 404 404 404 404 401"),
    ("POST", "/enroll"): ("409 200 403 201 201 201 401", "409 200 404 404 404 404 401"),
    ("DELETE", "/enroll"): ("409 204 204 204 204 204 401", "409 204 404 404 404 404 401"),
    ("GET", "/enrollments"): ("200 403 403 403 403 403 401", "200 403 404 404 404 404 401"),
    ("POST", "/enrollments"): ("400 403 403 403 403 403 401", "400 403 404 404 404 404 401"),
    ("PATCH", "/enrollments/{bo}"): ("400 403 403 403 403 403 401", "400 403 404 404 404 404 401"),
    ("PATCH", "/enrollments/999999"): ("404 403 403 403 403 403 401", "404 403 404 404 404 404 401"),
    ("DELETE", "/enrollments/999999"): ("404 403 403 403 403 403 401", "404 403 404 404 404 404 401"),
    ("DELETE", "/invitations/999999"): ("404 403 403 403 403 403 401", "404 403 404 404 404 404 401"),
}
HAS_BROKEN_BODY = {"PATCH", "PUT"}


async def a_course(world: World, status: str) -> Course:
    course = await world.course("ana", ["bo"], status=status)
    await world.enroll(course, "cleo", status="revoked")
    return course


async def asked(api: People, world: World, course: Course, method: str, path: str, who: str) -> Any:
    broken = method in HAS_BROKEN_BODY or (method == "POST" and path == "/enrollments")
    options: dict[str, Any] = {"data": b"{"} if broken else {}
    return await api(who or None).call(method, f"/courses/{course.id}{path.format(bo=world.id_of('bo'))}", **options)


async def test_the_table_holds_in_every_cell(api: People, world: World) -> None:
    wrong = []
    for (method, path), expectations in CALLS.items():
        for statuses, expected in zip((["published"], ["draft", "archived"]), expectations, strict=True):
            for status in statuses:
                for who, number in zip(WHO, expected.split(), strict=True):
                    course = await a_course(world, status)
                    answer = await asked(api, world, course, method, path, who)
                    if answer.status != int(number):
                        wrong.append((method, path, status, who, answer.status, answer.code, int(number)))
    assert wrong == []


async def test_a_foreign_draft_looks_exactly_like_nothing(api: People, world: World) -> None:
    draft = await world.course("ana", status="draft")
    for method, path in CALLS:
        url = path.format(bo=world.id_of("bo"))
        hidden = await api("eve").call(method, f"/courses/{draft.id}{url}")
        absent = await api("eve").call(method, f"/courses/{draft.id + 1000}{url}")
        assert hidden.status == absent.status == 404
        assert {**hidden.json, "request_id": ""} == {**absent.json, "request_id": ""}


async def test_refusals_say_why(api: People, world: World) -> None:
    course = await a_course(world, "published")
    assert (await api("bo").patch(f"/courses/{course.id}", {})).code == "not_course_instructor"
    assert (await api("eve").get(f"/courses/{course.id}/enrollments")).code == "not_course_instructor"
    assert (await api("cleo").post(f"/courses/{course.id}/enroll")).code == "enrollment_revoked"
    assert (await api("ana").post(f"/courses/{course.id}/enroll")).code == "own_course"
    assert (await api("bo").post("/courses", {"title": "Mine"})).code == "expert_only"
    assert (await api("bo").get("/courses/instructor/my-courses")).code == "expert_only"


async def test_ids_that_cannot_exist_are_nothing(api: People, world: World) -> None:
    for number in ("0", str(2**63), "9" * 19, "9" * 400, "-1", "1.5", "x", "%00", "1%2F2", "１"):
        for method, path in CALLS:
            if "{bo}" not in path:
                assert (await api("ana").call(method, f"/courses/{number}{path}")).status == 404, (number, path)
