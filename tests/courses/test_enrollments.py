"""Enrolling, leaving, being added and revoked: safe to repeat, safe to race, told to whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from server.access import AccountRole, Actor
from server.courses import enrollments
from server.courses.tables import Enrollment
from server.events import EnrollmentActivated, EnrollmentEnded, NotificationsAdded
from server.live_sessions.commands import CutOff
from tests.api import Api
from tests.factories import World
from tests.fakes import HeardFacts

People = Callable[[str | None], Api]


class HeardRooms:
    """The port Rooms, which remembers its commands."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    async def perform(self, work: Any, command: Any) -> dict[str, Any]:
        self.commands.append(command)
        return {}


def actor(world: World, person: str) -> Actor:
    who = world.people[person]
    return Actor(who.id, who.name, AccountRole(who.role), who.sign_in_id, 0)


async def rows(world: World, course_id: int) -> dict[int, Enrollment]:
    async with world.database.read() as read:
        found = await read.scalars(select(Enrollment).where(Enrollment.course_id == course_id))
        return {row.user_id: row for row in found}


async def test_enrolling_twice_is_once(api: People, world: World) -> None:
    course = await world.course("ana")
    first = await api("bo").post(f"/courses/{course.id}/enroll")
    again = await api("bo").post(f"/courses/{course.id}/enroll", {})
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json["status"] == "active" and first.json["tier"] == "standard"


async def test_experts_study_others_courses(api: People, world: World) -> None:
    course = await world.course("ana")
    assert (await api("dan").post(f"/courses/{course.id}/enroll")).status == 201
    assert (await api("dan").get(f"/courses/{course.id}")).json["my_role"] == "student"


async def test_twenty_clicks_at_once_are_one_enrollment(api: People, world: World) -> None:
    course = await world.course("ana")
    answers = await asyncio.gather(*(api("bo").post(f"/courses/{course.id}/enroll") for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert len(await rows(world, course.id)) == 1


async def test_enrolling_and_being_added_at_once_is_one_enrollment(api: People, world: World) -> None:
    course = await world.course("ana")
    answers = await asyncio.gather(
        *(api("bo").post(f"/courses/{course.id}/enroll") for _ in range(5)),
        *(api("ana").post(f"/courses/{course.id}/enrollments", {"email": "bo@example.org"}) for _ in range(5)),
    )
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len(await rows(world, course.id)) == 1


async def test_one_who_left_comes_back(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"], tier="premium")
    path = f"/courses/{course.id}"
    assert (await api("bo").delete(f"{path}/enroll")).status == 204
    assert (await api("bo").delete(f"{path}/enroll")).status == 204
    assert (await api("bo").get(path)).json["my_role"] is None
    assert (await api("ana").get(f"{path}/enrollments")).json == []
    assert (await api("bo").post(f"{path}/enroll")).status == 201
    assert (await api("bo").get(path)).json["my_tier"] == "premium"


async def test_one_who_was_revoked_comes_back_only_by_the_instructor(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    path, bo = f"/courses/{course.id}", world.id_of("bo")
    assert (await api("ana").delete(f"{path}/enrollments/{bo}")).status == 204
    assert (await api("ana").delete(f"{path}/enrollments/{bo}")).status == 204
    (line,) = (await api("ana").get(f"{path}/enrollments")).json
    assert line["status"] == "revoked"
    assert (await api("bo").post(f"{path}/enroll")).code == "enrollment_revoked"
    assert (await api("ana").patch(f"{path}/enrollments/{bo}", {"tier": "premium"})).code == "enrollment_not_active"
    assert (await api("ana").post(f"{path}/enrollments", {"email": "bo@example.org"})).status == 201
    assert (await api("bo").get(path)).json["my_role"] == "student"


async def test_leaving_does_not_wash_a_revocation_away(api: People, world: World) -> None:
    course = await world.course("ana")
    await world.enroll(course, "bo", status="revoked")
    assert (await api("bo").delete(f"/courses/{course.id}/enroll")).status == 204
    assert (await api("bo").post(f"/courses/{course.id}/enroll")).code == "enrollment_revoked"


async def test_every_change_has_its_own_revision(api: People, world: World) -> None:
    course, bo = await world.course("ana", ["bo"]), world.id_of("bo")
    path = f"/courses/{course.id}"
    seen = [(await rows(world, course.id))[bo].revision]
    for change in (
        api("ana").patch(f"{path}/enrollments/{bo}", {"tier": "premium"}),
        api("bo").delete(f"{path}/enroll"),
        api("bo").post(f"{path}/enroll"),
        api("ana").delete(f"{path}/enrollments/{bo}"),
        api("ana").post(f"{path}/enrollments", {"email": "bo@example.org"}),
    ):
        await change
        seen.append((await rows(world, course.id))[bo].revision)
    assert seen == sorted(set(seen))
    await api("ana").patch(f"{path}/enrollments/{bo}", {"tier": "premium"})
    assert (await rows(world, course.id))[bo].revision == seen[-1]


async def test_the_added_and_the_revoked_are_told(api: People, world: World) -> None:
    course = await world.course("ana", title="Waves")
    path, bo = f"/courses/{course.id}", world.id_of("bo")
    await api("ana").post(f"{path}/enrollments", {"email": "bo@example.org"})
    await api("ana").post(f"{path}/enrollments", {"email": "bo@example.org"})
    await api("ana").delete(f"{path}/enrollments/{bo}")
    told = (await api("bo").get("/notifications")).json
    assert [line["type"] for line in told] == ["enrollment_revoked", "enrollment_added"]
    assert told[1]["data"] == {"url": f"/app/courses/{course.id}", "course_id": course.id}
    assert "Waves" in told[0]["title"] and "Ana Castro" in told[1]["body"]
    await api("cleo").post(f"{path}/enroll")
    assert (await api("cleo").get("/notifications")).json == []


async def test_losing_ones_place_cuts_rooms_off_in_the_same_transaction(world: World, facts: HeardFacts) -> None:
    course, rooms = await world.course("ana", ["bo", "cleo"]), HeardRooms()
    bo, cleo = world.id_of("bo"), world.id_of("cleo")
    async with world.database.work("revoke") as work:
        await enrollments.revoke(work, actor(world, "ana"), course.id, bo, rooms)
        await enrollments.leave(work, actor(world, "cleo"), course.id, rooms)
        assert facts.of(EnrollmentEnded) == []
    assert rooms.commands == [CutOff(course.id, bo), CutOff(course.id, cleo)]
    assert facts.of(EnrollmentEnded) == [
        EnrollmentEnded(course.id, bo, is_revoked=True),
        EnrollmentEnded(course.id, cleo, is_revoked=False),
    ]
    assert [[user for user, _ in fact.items] for fact in facts.of(NotificationsAdded)] == [[bo]]


async def test_nobody_hears_of_a_change_that_was_rolled_back(world: World, facts: HeardFacts) -> None:
    class FailingRooms(HeardRooms):
        async def perform(self, work: Any, command: Any) -> dict[str, Any]:
            raise RuntimeError("the room said no")

    course = await world.course("ana", ["bo"])
    try:
        async with world.database.work("revoke") as work:
            await enrollments.revoke(work, actor(world, "ana"), course.id, world.id_of("bo"), FailingRooms())
    except RuntimeError:
        pass
    assert facts.all == []
    assert (await rows(world, course.id))[world.id_of("bo")].status == "active"


async def test_entering_is_announced_once(world: World, facts: HeardFacts) -> None:
    course = await world.course("ana")
    for _ in range(2):
        async with world.database.work("enroll") as work:
            await enrollments.enroll(work, actor(world, "bo"), course.id)
    assert facts.of(EnrollmentActivated) == [EnrollmentActivated(course.id, world.id_of("bo"))]
