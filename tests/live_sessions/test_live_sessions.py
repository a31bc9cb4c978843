"""Scheduling, starting, ending and showing classes over REST, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from server.live_sessions.rules import Stay, merged, total_seconds
from server.live_sessions.tables import LiveSession, LiveSessionEvent, LiveSessionRemoval, Participation
from server.notifications.tables import Notification
from server.wire import rfc3339
from tests.api import Api
from tests.factories import World

People = Callable[..., Api]


async def test_the_instructor_goes_live_and_every_enrolled_student_is_told(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    made = await api("ana").post("/live-sessions", {"course_id": str(course.id), "title": "Waves", "start_now": "true"})
    assert (made.status, made.json["status"], made.json["notified"]) == (201, "live", 2)
    inbox = (await api("bo").get("/notifications")).json
    assert inbox[0]["type"] == "live_session_started"
    assert inbox[0]["data"] == {
        "url": f"/app/sessions/{made.json['id']}",
        "course_id": course.id,
        "live_session_id": made.json["id"],
    }
    shown = (await api("bo").get(f"/live-sessions/{made.json['id']}")).json
    assert (shown["my_role"], shown["host"]["name"], shown["invited_count"]) == ("student", "Ana Castro", 2)


async def test_starting_twice_tells_once_and_a_second_class_is_refused(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    first = (await api("ana").post("/live-sessions", {"course_id": course.id, "title": "One"})).json["id"]
    second = (await api("ana").post("/live-sessions", {"course_id": course.id, "title": "Two"})).json["id"]
    started = await api("ana").patch(f"/live-sessions/{first}/start")
    assert (started.status, started.json["notified"]) == (200, 1)
    again = await api("ana").patch(f"/live-sessions/{first}/start", {})
    assert (again.status, again.json["notified"]) == (200, 0)
    other = await api("ana").patch(f"/live-sessions/{second}/start")
    assert (other.status, other.code, other.json["live_session_id"]) == (409, "already_live", first)
    assert (await api("ana").patch(f"/live-sessions/{first}/end")).json["status"] == "ended"
    assert (await api("ana").patch(f"/live-sessions/{first}/end")).status == 200
    assert (await api("ana").patch(f"/live-sessions/{first}/start")).code == "invalid_status"
    async with world.database.read() as read:
        count = list(await read.scalars(select(Notification).filter_by(type="live_session_started")))
    assert len(count) == 1


async def test_of_twenty_starts_at_once_one_class_begins(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    rooms = [(await world.live_session(course=course, status="scheduled")).id for _ in range(5)]
    answers = await asyncio.gather(*(api("ana").patch(f"/live-sessions/{room}/start") for room in rooms * 4))
    assert {a.status for a in answers} == {200, 409}
    assert sum(a.json.get("notified", 0) for a in answers if a.status == 200) == 1
    async with world.database.read() as read:
        live = list(await read.scalars(select(LiveSession.id).filter_by(status="live")))
        started = list(await read.scalars(select(LiveSessionEvent.seq).filter_by(type="session_started")))
    assert (len(live), started) == (1, [1])


@pytest.mark.parametrize("action", ["start", "end"])
async def test_only_the_instructor_runs_a_class(api: People, world: World, action: str) -> None:
    room = (await world.live_session("ana", ["bo"], status="scheduled")).id
    path = f"/live-sessions/{room}/{action}"
    assert (await api(None).patch(path)).status == 401
    assert (await api("eve").patch(path)).status == 404
    assert (await api("dan").patch(path)).status == 404
    assert (await api("bo").patch(path)).code == "not_course_instructor"
    assert (await api("eve").patch(f"/live-sessions/{10**18}/{action}")).json["code"] == "not_found"


async def test_who_may_create_a_class(api: People, world: World) -> None:
    published, draft = await world.course("ana", ["bo"]), await world.course("ana", status="draft")
    body: dict[str, Any] = {"title": "Waves", "course_id": published.id}
    assert (await api("bo").post("/live-sessions", body)).code == "expert_only"
    assert (await api("bo").post("/live-sessions", {"title": ""})).code == "expert_only"
    assert (await api("dan").post("/live-sessions", body)).code == "not_course_instructor"
    assert (await api("dan").post("/live-sessions", {**body, "course_id": draft.id})).status == 404
    assert (await api("ana").post("/live-sessions", {**body, "course_id": draft.id})).status == 201


BAD_VALUES: list[dict[str, Any]] = [
    {},
    {"title": "  "},
    {"title": "x" * 201},
    {"title": "nul \x00"},
    {"title": "half \ud800 a pair"},
    {"title": "x", "scheduled_at": "tomorrow"},
    {"title": "x", "scheduled_at": 1790000000},
    {"title": "x", "scheduled_at": "2031-01-01T09:00:00"},
    {"title": "x", "scheduled_at": "2001-01-01T09:00:00Z"},
    {"title": "x", "scheduled_at": "9999-12-31T23:59:59-14:00"},
    {"title": "x", "duration_minutes": -1},
    {"title": "x", "max_participants": 10**30},
    {"title": "x", "course_id": 2**63},
    {"title": "x", "course_id": "one"},
]


async def test_bad_values_are_named_and_leave_nothing(api: People, world: World) -> None:
    for body in BAD_VALUES:
        answer = await api("ana").post("/live-sessions", body)
        assert (answer.status, answer.code) == (400, "invalid"), body
        assert answer.json["errors"][0]["pointer"].startswith("/")
    async with world.database.read() as read:
        assert list(await read.scalars(select(LiveSession.id))) == []


async def test_unparsable_bodies_are_malformed(api: People, world: World) -> None:
    for raw in (b"{", b"[1", b"nul", b"\xff\xfe", b'{"a":NaN}', b"[" * 100_000, b'{"a":' * 5000):
        answer = await api("ana").post("/live-sessions", data=raw, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (400, "malformed"), raw[:20]
    assert (await api("ana").post("/live-sessions", data=b"x" * (2 << 20))).status == 413


async def test_scheduling_moving_and_cancelling_are_told(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    at = world.database.clock.now() + timedelta(days=1)
    made = await api("ana").post(
        "/live-sessions", {"course_id": course.id, "title": "Later", "scheduled_at": rfc3339(at)}
    )
    room = made.json["id"]
    assert (made.json["status"], made.json["scheduled_at"]) == ("scheduled", rfc3339(at))
    moved = await api("ana").patch(f"/live-sessions/{room}", {"scheduled_at": rfc3339(at + timedelta(hours=1))})
    assert moved.status == 200
    assert (await api("ana").delete(f"/live-sessions/{room}")).json["status"] == "cancelled"
    assert (await api("ana").patch(f"/live-sessions/{room}/start")).code == "invalid_status"
    told = [n["type"] for n in (await api("bo").get("/notifications")).json]
    assert told == ["live_session_cancelled", "live_session_rescheduled", "live_session_scheduled"]
    quiet = await api("ana").post("/live-sessions", {"course_id": course.id, "title": "No time yet"})
    assert (quiet.json["status"], quiet.json["scheduled_at"], quiet.json["notified"]) == ("scheduled", None, 0)
    assert len((await api("bo").get("/notifications")).json) == 3


async def test_a_class_without_a_course_is_for_those_with_its_code(api: People, world: World) -> None:
    made = (await api("ana").post("/live-sessions", {"title": "Open evening"})).json
    assert "invite_code=" in made["join_url"]
    assert (await api("eve").get(f"/live-sessions/{made['id']}")).status == 404
    of_course = await world.live_session("ana", ["bo"])
    assert "invite_code" not in (await api("ana").get(f"/live-sessions/{of_course.id}")).json["join_url"]


async def test_lists_hold_what_each_person_may_see(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    draft = await world.course("ana", status="draft")
    room = await world.live_session(course=course)
    assert [s["id"] for s in (await api("bo").get("/live-sessions/mine?status=live")).json] == [room.id]
    assert (await api("eve").get("/live-sessions/mine")).json == []
    assert [s["id"] for s in (await api("bo").get(f"/courses/{course.id}/sessions")).json] == [room.id]
    assert (await api("eve").get(f"/courses/{course.id}/sessions")).code == "not_enrolled"
    assert (await api("eve").get(f"/courses/{draft.id}/sessions")).status == 404
    for _ in range(3):
        await world.live_session(course=course, status="ended")
    page = await api("ana").get(f"/courses/{course.id}/sessions?limit=2")
    assert len(page.json) == 2 and 'rel="next"' in page.headers["Link"]
    following = await api("ana").get(page.headers["Link"].split(";")[0].strip("<>"))
    assert len(following.json) == 2 and not {s["id"] for s in page.json} & {s["id"] for s in following.json}
    assert (await api("ana").get(f"/courses/{course.id}/sessions?limit=0")).code == "invalid"
    assert (await api("ana").get(f"/courses/{course.id}/sessions?cursor=!!")).code == "invalid"


async def test_the_timeline_is_open_to_members_only(api: People, world: World) -> None:
    room = await world.live_session("ana", ["bo"], status="ended")
    events = (await api("bo").get(f"/live-sessions/{room.id}/timeline?after=1")).json
    assert [(e["seq"], e["type"], e["payload"]) for e in events] == [(2, "session_ended", {"reason": "ended"})]
    assert (await api("eve").get(f"/live-sessions/{room.id}/timeline")).status == 404
    assert (await api("bo").get(f"/live-sessions/{room.id}/timeline?after=x")).code == "invalid"
    async with world.database.work("removal") as work:
        work.add(LiveSessionRemoval(live_session_id=room.id, user_id=world.id_of("bo"), removed_at=work.now))
    refused = await api("bo").get(f"/live-sessions/{room.id}/timeline")
    assert (refused.status, refused.code) == (403, "removed_from_session")
    assert (await api("bo").get(f"/live-sessions/{room.id}/attendance")).code == "not_course_instructor"


async def test_a_change_is_refused_when_it_was_made_on_an_older_version(api: People, world: World) -> None:
    room = await world.live_session("ana", status="scheduled")
    shown = await api("ana").get(f"/live-sessions/{room.id}")
    assert "Authorization" in shown.headers["Vary"]
    tag = shown.headers["ETag"]
    path, match = f"/live-sessions/{room.id}", {"If-Match": tag}
    assert (await api("ana").get(path, headers={"If-None-Match": tag})).status == 304
    assert (await api("ana").patch(path, {"title": "New"}, headers=match)).status == 200
    assert (await api("ana").patch(path, {"title": "Newer"}, headers=match)).status == 412
    assert (await api("ana").delete(path, headers=match)).status == 412
    assert (await api("ana").delete(path)).status == 200


async def test_attendance_as_a_table_tells_times_as_everywhere_and_runs_no_formula(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    room = await world.live_session(course=course)
    await api("bo").patch("/auth/me", {"name": "=1+1"})
    async with world.database.work("bo was here") as work:
        stay = {"live_session_id": room.id, "user_id": world.id_of("bo"), "role": "student"}
        work.add(Participation(**stay, joined_at=work.now, left_at=work.now + timedelta(seconds=90)))
        joined_at, left_at = rfc3339(work.now), rfc3339(work.now + timedelta(seconds=90))
    answer = await api("ana").get(f"/live-sessions/{room.id}/attendance?format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = answer.raw.decode().splitlines()
    assert lines[0] == "name,joined_at,left_at,total_seconds"
    assert f"'=1+1,{joined_at},{left_at},90.0" in lines
    assert "Cleo Marchetti,,,0" in lines
    assert (await api("bo").get("/live-sessions/mine?status=")).status == 200
    assert (await api("bo").get("/notifications?unread=")).status == 200


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("ana", "/live-sessions/{room}/participants"),
        ("ana", "/live-sessions/{room}/attendance"),
        ("bo", "/live-sessions/mine"),
        ("ana", "/courses/instructor/my-courses"),
        ("bo", "/courses/student/my-courses"),
        ("ana", "/courses/{course}/sessions"),
    ],
)
async def test_every_list_comes_in_pages_when_asked_and_whole_otherwise(
    api: People, world: World, who: str, path: str
) -> None:
    course = await world.course("ana", ["bo", "cleo", "eve"])
    room = await world.live_session(course=course)
    for _ in range(2):
        await world.live_session(course=course, status="scheduled")
        await world.course("ana", ["bo"])
    path = path.format(room=room.id, course=course.id)
    whole, pages = await api(who).get(path), 0
    assert "Link" not in whole.headers and len(whole.json) >= 3
    seen: list[Any] = []
    link = f"{path}?limit=1"
    while link:
        page = await api(who).get(link)
        seen, pages = [*seen, *page.json], pages + 1
        link = page.headers["Link"].partition(">")[0].strip("<") if "Link" in page.headers else ""
    assert (seen, pages) == (whole.json, len(whole.json))
    assert (await api(who).get(f"{path}?limit=0")).status == 400


async def test_a_version_is_one_persons_and_changes_with_whoever_comes_in(api: People, world: World) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    room = await world.live_session(course=course)
    path = f"/live-sessions/{room.id}"
    tag = (await api("ana").get(path)).headers["ETag"]
    assert (await api("ana").get(path, headers={"If-None-Match": f"W/{tag}"})).status == 304
    assert (await api("bo").get(path, headers={"If-None-Match": tag})).json["my_role"] == "student"
    async with world.database.work("bo comes in") as work:
        work.add(Participation(live_session_id=room.id, user_id=world.id_of("bo"), role="student", joined_at=work.now))
    assert (await api("ana").get(path, headers={"If-None-Match": tag})).json["participant_count"] == 1
    assert (await api("ana").patch(path, {"title": "New"}, headers={"If-Match": tag})).status == 200


async def test_a_repeated_key_creates_one_class(api: People, world: World) -> None:
    course = await world.course("ana", ["bo"])
    key, body = {"Idempotency-Key": "a-key"}, {"course_id": course.id, "title": "Once"}
    first = await api("ana").post("/live-sessions", body, headers=key)
    again = await api("ana").post("/live-sessions", body, headers=key)
    assert (first.status, again.status, first.json) == (201, 201, again.json)
    assert (await api("ana").post("/live-sessions", {**body, "title": "x"}, headers=key)).status == 422
    assert len((await api("ana").get("/live-sessions/mine")).json) == 1


def test_overlapping_stays_are_counted_once() -> None:
    from datetime import UTC, datetime

    def at(minute: int) -> datetime:
        return datetime(2026, 3, 2, 9, minute, tzinfo=UTC)

    stays = merged([Stay(at(20), None), Stay(at(0), at(10)), Stay(at(5), at(12))], at(30))
    assert stays == [Stay(at(0), at(12)), Stay(at(20), None)]
    assert total_seconds(stays, at(30)) == 22 * 60
