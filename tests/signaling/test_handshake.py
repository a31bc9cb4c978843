"""Who gets in, for how long, and what closes the door behind them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web
from sqlalchemy import select, update

from server.access import Role
from server.accounts.tokens import Tokens
from server.app import GATEWAY
from server.courses.tables import Course, Enrollment
from server.db.database import Database
from server.events import EnrollmentEnded, SignInsEnded
from server.http.keys import DATABASE, ROOMS
from server.live_sessions.commands import CutOff
from server.live_sessions.tables import LiveSession, RoomConnection
from server.notifications.service import notify
from server.notifications.tables import Notification
from signaling.client import Client, user_room
from tests.conftest import SECRET
from tests.factories import World
from tests.signaling.conftest import PATIENCE, Connect, Tab, refusal


async def test_only_a_good_token_gets_in(live_url: str, world: World, tab: Connect) -> None:
    now = world.database.clock.now()
    bo = world.people["bo"]
    expired = world.tokens.access(bo.id, bo.sign_in_id, now - timedelta(hours=1))
    claims = jwt.decode(world.token("bo"), options={"verify_signature": False})
    forged = jwt.encode(claims, "another-secret-that-is-long-enough-to-sign", algorithm="HS256")
    unsigned = jwt.encode(claims, "", algorithm="none")
    for auth, code in (
        (None, "unauthenticated"),
        ({}, "unauthenticated"),
        ({"token": 7}, "unauthenticated"),
        ({"token": "x" * 9000}, "unauthenticated"),
        ({"token": forged}, "unauthenticated"),
        ({"token": unsigned}, "unauthenticated"),
        ({"token": expired}, "token_expired"),
        ({"token": world.token("bo"), "notifications_after": "soon"}, "invalid"),
    ):
        assert (await refusal(live_url, auth))["code"] == code, auth
    assert (await tab("bo")).io.connected


async def test_the_eleventh_connection_of_one_person_is_refused(live_url: str, world: World, tab: Connect) -> None:
    for _ in range(10):
        await tab("bo")
    assert (await refusal(live_url, {"token": world.token("bo")}))["code"] == "too_many_connections"
    assert (await tab("cleo")).io.connected


async def test_a_token_running_out_is_announced_and_closes_unless_refreshed(world: World, tab: Connect) -> None:
    short = Tokens(SECRET, access_seconds=2)
    bo, cleo = world.people["bo"], world.people["cleo"]
    now = world.database.clock.now()
    stays = await tab("bo", token=short.access(bo.id, bo.sign_in_id, now))
    goes = await tab("bo", token=short.access(bo.id, bo.sign_in_id, now))
    await stays.hear("auth_expiring")
    foreign = await stays.wish("auth_refresh", token=world.tokens.access(cleo.id, cleo.sign_in_id, now))
    assert foreign["error"]["code"] == "unauthenticated"
    assert (await stays.wish("auth_refresh", token=world.token("bo")))["ok"]
    await asyncio.wait_for(_until_closed(goes), 7)
    assert stays.io.connected


async def test_missed_notifications_arrive_with_the_connection(
    app: web.Application, world: World, tab: Connect
) -> None:
    bo = world.id_of("bo")
    async with app[DATABASE].work() as work:
        await notify(work, [bo], "content_added", "A first lesson", "", {"url": "/app"})
    first = await (await tab("bo")).hear("notification")
    async with app[DATABASE].work() as work:
        await notify(work, [bo], "content_added", "A second lesson", "", {"url": "/app"})
    later = await tab("bo", notifications_after=first["id"])
    told = await later.until(lambda t: (n := t.all("notification"))[1:] and n)
    assert [n["title"] for n in told] == ["A first lesson", "A second lesson"]


async def test_all_that_was_missed_arrives_oldest_first(app: web.Application, world: World, tab: Connect) -> None:
    bo = world.id_of("bo")
    titles = [f"Lesson {number}" for number in range(450)]
    async with app[DATABASE].work() as work:
        for title in titles:
            await notify(work, [bo], "content_added", title, "", {"url": "/app"})
        await work.flush()
        await work.execute(update(Notification).values(created_at=work.now - timedelta(days=1)))
    later = await tab("bo", notifications_after=0)
    told = await later.until(lambda t: (n := t.all("notification"))[449:] and n)
    assert [n["title"] for n in told] == titles


async def _revoke(app: web.Application, course: Course, user_id: int) -> None:
    database: Database = app[DATABASE]
    async with database.work() as work:
        await app[ROOMS].perform(work, CutOff(course.id, user_id))
        work.announce(EnrollmentEnded(course.id, user_id, is_revoked=True))


async def test_whoever_loses_the_course_is_out_of_its_rooms_at_once(
    app: web.Application, world: World, tab: Connect
) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    live = (await world.live_session(course=course)).id
    ana, bo = await tab("ana"), await tab("bo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=live)
    await _revoke(app, course, world.id_of("bo"))
    assert (await bo.hear("room_closed")) == {"live_session_id": live, "reason": "revoked"}
    assert (await ana.hear_event("participant_left"))["payload"]["user_id"] == world.id_of("bo")
    told = len(bo.events)
    await ana.durable("chat_send", live_session_id=live, text="not for bo")
    assert (await bo.durable("chat_send", live_session_id=live, text="let me in"))["error"]["code"] == "not_joined"
    assert len(bo.events) == told
    assert bo.io.connected


async def test_whoever_loses_the_course_while_entering_does_not_get_in(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await world.course("ana", ["bo"])
    live = (await world.live_session(course=course)).id
    ana, bo = await tab("ana"), await tab("bo")
    await ana.wish("join", live_session_id=live)
    doorway = app[GATEWAY]._doorway
    membership = doorway._membership

    async def overtaken(client: Client, live_session_id: int, code: str | None) -> tuple[LiveSession, Role]:
        found = await membership(client, live_session_id, code)
        async with app[DATABASE].work() as work:
            await work.execute(update(Enrollment).values(status="revoked"))
        await _revoke(app, course, world.id_of("bo"))
        return found

    monkeypatch.setattr(doorway, "_membership", overtaken)
    assert (await bo.wish("join", live_session_id=live))["error"]["code"] == "not_found"
    assert (await ana.hear_event("participant_left"))["payload"]["user_id"] == world.id_of("bo")
    assert not app[GATEWAY].presence.is_inside(live, world.id_of("bo"))
    assert not bo.events


async def test_whoever_goes_as_the_class_begins_is_not_let_in(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = (await world.live_session(students=["bo"], status="scheduled")).id
    ana, bo = await tab("ana"), await tab("bo")
    assert (await bo.wish("join", live_session_id=live))["waiting"]
    gateway = app[GATEWAY]
    client = next(iter(gateway.live.members(user_room(world.id_of("bo"))))).state
    membership = gateway._doorway._membership
    looked = asyncio.Event()

    async def overtaken(client: Client, live_session_id: int, code: str | None) -> tuple[LiveSession, Role]:
        found = await membership(client, live_session_id, code)
        await bo.close()
        while client.places:
            await asyncio.sleep(0.01)
        looked.set()
        return found

    monkeypatch.setattr(gateway._doorway, "_membership", overtaken)
    await ana.durable("session_start", live_session_id=live)
    await asyncio.wait_for(looked.wait(), PATIENCE)
    while gateway._errands._tasks:
        await asyncio.sleep(0.01)
    assert not client.places and not gateway.presence.is_inside(live, world.id_of("bo"))
    async with world.database.read() as read:
        assert not list(await read.scalars(select(RoomConnection)))


async def test_a_sign_in_that_ends_closes_its_connections_and_no_others(
    app: web.Application, world: World, tab: Connect
) -> None:
    bo, cleo = await tab("bo"), await tab("cleo")
    async with app[DATABASE].work() as work:
        work.announce(SignInsEnded(world.id_of("bo")))
    await asyncio.wait_for(_until_closed(bo), PATIENCE)
    assert cleo.io.connected


async def test_too_many_wishes_are_refused_with_a_time_and_a_flood_is_closed(world: World, tab: Connect) -> None:
    live = (await world.live_session(students=["bo"])).id
    bo = await tab("bo")
    await bo.wish("join", live_session_id=live)
    refused: dict[str, Any] = {}
    for number in range(200):  # as many as it takes on this machine to be faster than five a second
        answer = await bo.durable("chat_send", live_session_id=live, text=f"{number}")
        if not answer["ok"]:
            refused = answer["error"]
            break
    assert refused["code"] == "rate_limited" and 0 < refused["retry_after"] <= 1
    assert bo.io.connected
    for number in range(120):
        await bo.io.emit("chat_send", {"live_session_id": live, "text": f"{number}"}, namespace="/live")
    await asyncio.wait_for(_until_closed(bo), PATIENCE)


@pytest.mark.parametrize("event", ["no_such_wish", "chat_send"])
async def test_what_cannot_be_understood_is_limited_like_what_can(event: str, tab: Connect) -> None:
    bo = await tab("bo")
    codes = set[str]()
    for _ in range(40):  # as often as it takes on this machine to be faster than twenty a second
        answers = await asyncio.gather(*(bo.wish(event, what="is this") for _ in range(15)))
        codes |= {answer["error"]["code"] for answer in answers}
        if "rate_limited" in codes:
            break
    assert codes == {"unknown_event" if event == "no_such_wish" else "invalid", "rate_limited"}


async def _until_closed(tab: Tab) -> None:
    await tab.io.wait()
