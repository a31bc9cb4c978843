"""What is read of a person while their standing changes is older than what was heard of it, and must not win."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import update

from server.access import Role
from server.accounts.authentication import Authenticator
from server.accounts.tables import SignIn
from server.app import GATEWAY
from server.courses.tables import Enrollment
from server.db.database import Database, Reading
from server.db.gathering import Gathering
from server.errors import DatabaseAway, Unauthenticated
from server.events import EnrollmentActivated, EnrollmentEnded, SignInsEnded
from signaling.client import course_room
from signaling.healer import Healer
from signaling.hurry import Hurry
from signaling.rooms import log as timeline_log
from signaling.rooms.commands import Enter
from signaling.rooms.effects import RoomOpened
from signaling.rooms.registry import RECENT_EVENTS
from signaling.rooms.state import TimelineEvent
from signaling.rooms.timeline import Answer
from tests.factories import World
from tests.signaling.conftest import Connect, a_class, lose, stored


def overtake(patch: pytest.MonkeyPatch, reading: Gathering[Any, Any], change: Callable[[], Awaitable[None]]) -> None:
    """`change` happens, once, after the next reading and before its answer is heard."""
    read, is_due = reading._answer, [True]

    async def overtaken(asked: Any) -> Any:
        found = await read(asked)
        if is_due and is_due.pop():
            await change()
        return found

    patch.setattr(reading, "_answer", overtaken)


async def test_a_sign_in_that_ends_while_it_is_looked_up_opens_nothing(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticate, bo = Authenticator(database, world.tokens), world.people["bo"]

    async def signed_out() -> None:
        async with database.work("sign out") as work:
            await work.execute(update(SignIn).where(SignIn.id == bo.sign_in_id).values(ended_at=work.now))
        authenticate.publish([SignInsEnded(bo.id)])

    overtake(monkeypatch, authenticate._reading, signed_out)
    with pytest.raises(Unauthenticated):
        await authenticate(world.token("bo"))


async def test_what_is_heard_of_others_all_the_time_keeps_nobody_waiting(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who changes their own name again and again is no reason to look Bo up a second time."""
    authenticate, bo = Authenticator(database, world.tokens), world.people["bo"]
    readings = list[Any]()
    read = authenticate._reading._answer

    async def overtaken(asked: Any) -> Any:
        readings.append(asked)
        found = await read(asked)
        authenticate.forget(world.id_of("cleo"))
        return found

    monkeypatch.setattr(authenticate._reading, "_answer", overtaken)
    async with asyncio.timeout(10):
        actors = await asyncio.gather(*(authenticate(world.token(person)) for person in ("bo", "dan", "bo")))
    assert [actor.id for actor in actors] == [bo.id, world.id_of("dan"), bo.id]
    assert len(readings) == 1


async def test_a_course_that_is_lost_while_its_student_connects_is_lost(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await world.course(students=["bo"])
    gateway, bo = app[GATEWAY], world.id_of("bo")

    async def revoked() -> None:
        async with world.database.work("revoke") as work:
            await work.execute(update(Enrollment).where(Enrollment.user_id == bo).values(status="revoked"))
        gateway.announcer.publish([EnrollmentEnded(course.id, bo, is_revoked=True)])

    overtake(monkeypatch, gateway._namespace._handshake._arrivals._reading, revoked)
    await tab("bo")
    (connection,) = gateway.live.connections()
    assert connection.state.courses == {}
    assert not gateway.live.members(course_room(course.id, Role.STUDENT))


async def test_a_course_that_is_lost_while_its_student_comes_in_lets_nobody_in(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await world.live_session(students=["bo", "cleo"])
    assert room.course_id is not None
    course_id, gateway, bo, tabs = room.course_id, app[GATEWAY], world.id_of("bo"), [await tab("bo"), await tab("cleo")]

    async def revoked() -> None:
        async with world.database.work("revoke") as work:
            await work.execute(update(Enrollment).where(Enrollment.user_id == bo).values(status="revoked"))
        gateway.announcer.publish([EnrollmentEnded(course_id, bo, is_revoked=True)])

    overtake(monkeypatch, gateway._doorway._door._reading, revoked)
    refused = await tabs[0].wish("join", live_session_id=room.id)
    assert refused["error"]["code"] == "not_found"
    assert not gateway.presence.is_inside(room.id, bo)
    assert (await tabs[1].wish("join", live_session_id=room.id))["ok"]


async def test_a_course_that_is_lost_when_the_seat_is_already_taken_leaves_nobody_in_it(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who revoked saw nobody inside, and the seat was written after that: it is not held for a minute."""
    room = await world.live_session(students=["bo"])
    assert room.course_id is not None
    course_id, gateway, bo = room.course_id, app[GATEWAY], world.id_of("bo")

    async def revoked() -> None:
        async with world.database.work("revoke") as work:
            await work.execute(update(Enrollment).where(Enrollment.user_id == bo).values(status="revoked"))
        gateway.announcer.publish([EnrollmentEnded(course_id, bo, is_revoked=True)])

    overtake(monkeypatch, gateway._doorway._rosters._reading, revoked)
    refused = await (await tab("bo")).wish("join", live_session_id=room.id)
    assert refused["error"]["code"] == "not_joined"
    about_bo = [line["type"] for line in await stored(world, room.id) if line.get("user_id") == bo]
    assert about_bo == ["participant_joined", "participant_left"]


async def test_a_log_that_is_put_back_while_a_page_of_it_is_read_is_shown_anew(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read may be what follows after other events than those the tab has."""
    row = await world.live_session(students=["bo"])
    bo, gateway = await tab("bo"), app[GATEWAY]
    joined = await bo.wish("join", live_session_id=row.id)
    await world.talk(row, ["bo"], RECENT_EVENTS + 100)
    read, is_due = timeline_log.events_after, [True]

    async def overtaken(*asked: Any) -> list[TimelineEvent]:
        found = await read(*asked)
        if found and is_due and is_due.pop():
            await lose(world, row.id, after=joined["seq"] + 40)
            known = gateway._registry.known(row.id)
            assert known is not None
            await gateway.timeline.renew_epoch(row.id, joined["epoch"], known.room.seq)
        return found

    await gateway._registry.catch_up(row.id)
    monkeypatch.setattr(timeline_log, "events_after", overtaken)
    page = await bo.wish("sync", live_session_id=row.id, epoch=joined["epoch"], after=joined["seq"])
    assert page["epoch"] != joined["epoch"]
    assert (page["seq"], page["snapshot"]["status"]) == (joined["seq"] + 40, "live")


async def test_whoever_is_enrolled_while_people_are_compared_is_not_put_out(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison has read before the enrollment was committed, and compares after it was heard of."""
    course = await world.course()
    await tab("bo")
    gateway, bo, read = app[GATEWAY], world.id_of("bo"), world.database.read
    (client,) = [connection.state for connection in gateway.live.connections()]

    @asynccontextmanager
    async def overtaken() -> AsyncIterator[Reading]:
        async with read() as reading:
            yield reading
        gateway.announcer.publish([EnrollmentActivated(course.id, bo)])

    monkeypatch.setattr(world.database, "read", overtaken)
    told = list[object]()
    is_in_hurry = Hurry(lambda: True)
    healer = Healer(
        world.database,
        gateway._registry,
        is_in_hurry,
        rooms=list,
        clients=lambda: [client],
        announce=told.extend,
        renew_epoch=gateway.timeline.renew_epoch,
    )
    await healer.look_at_people()
    assert client.courses == {course.id: Role.STUDENT}
    assert told == []


async def test_a_class_whose_opening_is_told_twice_opens_once(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison with the database tells it every two seconds, also to whoever is on the way in."""
    room = (await world.live_session(students=["bo"], status="scheduled")).id
    gateway, bo = app[GATEWAY], await tab("bo")
    assert (await bo.wish("join", live_session_id=room))["waiting"]

    async def told_again() -> None:
        gateway.announcer.publish([RoomOpened(room)])
        await asyncio.sleep(0)

    overtake(monkeypatch, gateway._doorway._door._reading, told_again)
    ana = await tab("ana")
    assert (await ana.durable("session_start", live_session_id=room))["ok"]
    await bo.hear("room_opened")
    while gateway._errands._tasks:
        await asyncio.gather(*gateway._errands._tasks)
    assert (await bo.wish("join", live_session_id=room))["ok"]  # behind everything told so far
    assert len(bo.all("room_opened")) == 1


async def test_a_tab_that_joins_once_more_in_vain_stays_in_and_misses_nothing(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining again changes nothing, also when the database is away in the middle of it."""
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    writer = app[GATEWAY]._writer
    act, is_entering, goes_away = writer.act, asyncio.Event(), asyncio.Event()

    async def away(live_session_id: int, command: Any, **options: Any) -> Answer:
        if isinstance(command, Enter):
            is_entering.set()
            await goes_away.wait()
            raise DatabaseAway()
        return await act(live_session_id, command, **options)

    monkeypatch.setattr(writer, "act", away)
    joining = asyncio.create_task(bo.wish("join", live_session_id=room))
    await is_entering.wait()
    for text in ("meanwhile", "and more"):
        assert (await ana.durable("chat_send", live_session_id=room, text=text))["ok"]
    goes_away.set()
    assert (await joining)["error"]["code"] == "database_away"
    assert (await ana.durable("chat_send", live_session_id=room, text="afterwards"))["ok"]
    said = await bo.until(lambda t: (es := [e for e in t.events if e["type"] == "chat_posted"])[2:] and es)
    assert [event["payload"]["text"] for event in said] == ["meanwhile", "and more", "afterwards"]
    assert [event["seq"] for event in bo.events] == list(range(bo.events[0]["seq"], said[-1]["seq"] + 1))
    assert app[GATEWAY].presence.is_inside(room, world.id_of("bo"))
