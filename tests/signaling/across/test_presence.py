"""Who is there is one truth over all web processes, told at once, healed when a word is lost, and free of ghosts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import event, select

from server.accounts.service import end_sign_ins
from server.app import GATEWAY
from server.http.keys import DATABASE
from server.live_sessions.tables import PresenceCount
from signaling import tab_limit
from signaling.rooms.presence import PresenceTold
from tests.factories import World
from tests.services import Redis
from tests.signaling.across.conftest import Apis, Open
from tests.signaling.conftest import Tab, refusal, stored


def _last_of(tab: Tab, user_id: int, **of: int) -> dict[str, Any]:
    """What this tab was last told of a person, in a course or a room."""
    told = [
        change
        for presence in tab.all("presence")
        if of.items() <= presence.items()
        for change in presence["changes"]
        if change["user_id"] == user_id
    ]
    return told[-1] if told else {}


async def _shows(tab: Tab, user_id: int, *, seconds: float = 8, of: dict[str, int], **change: Any) -> None:
    """Wait until that is the last word about this person."""
    async with asyncio.timeout(seconds):
        await tab.until(lambda t: change.items() <= _last_of(t, user_id, **of).items())


async def test_one_person_on_two_processes_is_one_presence(
    processes: list[TestServer], world: World, open_tab: Open, apis: Apis
) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    room = (await world.live_session(course=course)).id
    who = world.id_of("bo")
    in_room, in_course = {"live_session_id": room}, {"course_id": course.id}
    ana, cleo = await open_tab(0, "ana"), await open_tab(1, "cleo")
    for one in (ana, cleo):
        await one.wish("join", live_session_id=room)
    here, there = await open_tab(0, "bo"), await open_tab(1, "bo")
    for one in (here, there):
        await one.wish("join", live_session_id=room)
    for one in (ana, cleo):
        await _shows(one, who, of=in_room, online=True, in_room=True, connections=2)
    await _shows(ana, who, of=in_course, online=True, in_room=True, connections=2)

    for process in (0, 1):
        line = next(
            e
            for e in (await apis(process, "ana").get(f"/courses/{course.id}/enrollments")).json
            if e["user"]["id"] == who
        )
        assert (line["online"], line["in_live_session_id"]) == (True, room)
    assert (await there.wish("leave", live_session_id=room))["ok"]
    for one in (ana, cleo):
        await _shows(one, who, of=in_room, online=True, in_room=True, connections=1)
    await _shows(ana, who, of=in_course, online=True, in_room=True, connections=2)
    await there.close()
    await _shows(ana, who, of=in_course, online=True, in_room=True, connections=1)
    joined = [e["type"] for e in await stored(world, room) if e.get("user_id") == who]
    assert joined == ["participant_joined"]
    assert (await apis(1, "ana").get(f"/live-sessions/{room}")).json["participant_count"] == 3

    await here.close()
    for one in (ana, cleo):
        await _shows(one, who, of=in_room, online=False, in_room=False, connections=0)
    found = (await apis(1, "ana").get(f"/live-sessions/{room}/participants")).json
    assert {p["user"]["id"]: (p["online"], p["in_room"]) for p in found}[who] == (False, False)
    assert (await apis(0, "ana").get(f"/live-sessions/{room}")).json["participant_count"] == 2


@pytest.fixture
def limited(given: dict[str, Any]) -> None:
    given["LECTERN_LIMIT_CONNECTIONS_PER_USER"] = 3


async def test_connections_are_limited_over_all_processes(
    limited: None, processes: list[TestServer], world: World, open_tab: Open
) -> None:
    bo = world.id_of("bo")
    presences = [server.app[GATEWAY].presence for server in processes]
    tabs = [await open_tab(0, "bo"), await open_tab(0, "bo"), await open_tab(1, "bo")]
    async with asyncio.timeout(30):
        while [presence.tabs(bo) for presence in presences] != [3, 3]:
            await asyncio.sleep(0.01)
    urls = [str(server.make_url("")) for server in processes]
    refusals = await asyncio.gather(*(refusal(url, {"token": world.token("bo")}) for url in urls))
    assert [one["code"] for one in refusals] == ["too_many_connections"] * 2
    await tabs[0].close()
    async with asyncio.timeout(30):
        while presences[1].tabs(bo) != 2:
            await asyncio.sleep(0.01)
    assert (await open_tab(1, "bo")).io.connected
    assert (await open_tab(1, "cleo")).io.connected


async def test_tabs_that_died_with_their_process_count_against_nobody(
    limited: None, processes: list[TestServer], world: World, open_tab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab_limit, "LOOK_SECONDS", 0.1)
    bo, (living, dead) = world.id_of("bo"), [server.app[GATEWAY].presence for server in processes]
    for _ in range(3):
        await open_tab(1, "bo")
    async with asyncio.timeout(30):
        while living.tabs(bo) != 3:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(dead, "renew", dead.exchange)  # it will not renew its lease
    back = await asyncio.gather(*(open_tab(0, "bo") for _ in range(3)))
    assert all(one.io.connected for one in back) and living.tabs(bo) == 6
    assert (await refusal(back[0].url, {"token": world.token("bo")}))["code"] == "too_many_connections"


async def test_a_person_whose_sign_in_ends_while_waiting_stays_out(
    limited: None, processes: list[TestServer], world: World, open_tab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    bo, (living, dead) = world.id_of("bo"), [server.app[GATEWAY].presence for server in processes]
    for _ in range(3):
        await open_tab(1, "bo")
    async with asyncio.timeout(30):
        while living.tabs(bo) != 3:
            await asyncio.sleep(0.01)
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await ended.wait()

    ended = asyncio.Event()
    monkeypatch.setattr(dead, "renew", dead.exchange)
    monkeypatch.setattr(tab_limit, "LOOKS", 1)
    monkeypatch.setattr(tab_limit, "asyncio", SimpleNamespace(sleep=sleep))
    late = asyncio.create_task(refusal(str(processes[0].make_url("")), {"token": world.token("bo")}))
    await waiting.wait()
    async with processes[0].app[DATABASE].work() as work:
        await end_sign_ins(work, bo, "logout")
    ended.set()
    assert (await late)["code"] == "unauthenticated"


async def test_without_redis_presence_crosses_within_three_seconds_and_with_it_again_at_once(
    processes: list[TestServer], world: World, open_tab: Open, own_redis: Redis
) -> None:
    course = await world.course("ana", ["bo"])
    who, of = world.id_of("bo"), {"course_id": course.id}
    ana = await open_tab(0, "ana")
    own_redis.kill()
    async with asyncio.timeout(30):
        while any(server.app[GATEWAY].bus.is_up for server in processes):
            await asyncio.sleep(0.01)
    bo = await open_tab(1, "bo")
    await _shows(ana, who, seconds=3, of=of, online=True, connections=1)
    await bo.close()
    await _shows(ana, who, seconds=3, of=of, online=False, connections=0)

    async with asyncio.timeout(30):
        await own_redis.start_again()
        while not all(server.app[GATEWAY].bus.is_up for server in processes):
            await asyncio.sleep(0.01)
    told = asyncio.Event()
    presence = processes[0].app[GATEWAY].presence
    heard = presence.hear

    def hear(fact: PresenceTold) -> None:
        told.set()
        heard(fact)

    presence.hear = hear  # type: ignore[method-assign]
    await open_tab(1, "bo")
    await _shows(ana, who, seconds=3, of=of, online=True, connections=1)
    assert told.is_set()


async def test_a_word_that_was_lost_comes_with_the_next_renewal(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    course = await world.course("ana", ["bo"])
    who, of = world.id_of("bo"), {"course_id": course.id}
    here, there = (server.app[GATEWAY].presence for server in processes)
    there.tell = lambda facts: None
    ana, _bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    there.flush()
    assert here.tabs(who) == 0
    await there.renew()
    await here.renew()
    assert here.tabs(who) == 1
    await _shows(ana, who, of=of, online=True, in_room=False, connections=1)


async def test_a_last_word_that_was_lost_is_made_good_though_nothing_is_left_to_write(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    """Bo came and went between two renewals, and only his coming was heard: no row says what is wrong with that."""
    course = await world.course("ana", ["bo"])
    who, of = world.id_of("bo"), {"course_id": course.id}
    here, there = (server.app[GATEWAY].presence for server in processes)
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    await _shows(ana, who, of=of, online=True, connections=1)
    there.tell = lambda facts: None
    await bo.close()
    async with asyncio.timeout(30):
        while there._here[who, 0]:
            await asyncio.sleep(0.01)
    there.flush()
    await there.renew()
    await here.renew()
    assert here.tabs(who) == 0
    await _shows(ana, who, of=of, online=False, connections=0)


async def test_many_who_come_and_go_between_two_renewals_write_nothing(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    presence, database = processes[0].app[GATEWAY].presence, processes[0].app[DATABASE]
    tabs = [await open_tab(0, person) for person in ("ana", "bo")]
    await presence.renew()
    clients = [connection.state for connection in processes[0].app[GATEWAY].live.connections()]
    statements = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(database.writer.sync_engine, "before_cursor_execute", note)
    for _ in range(500):
        for client in clients:
            presence.went(client)
            presence.came(client)
    await presence.renew()
    assert [s.split(" SET ")[0] for s in statements if not s.startswith("SELECT")] == ["UPDATE process_leases"]
    await tabs[0].close()
    async with asyncio.timeout(30):
        while presence.tabs(world.id_of("ana")):
            await asyncio.sleep(0.01)
    await presence.renew()
    assert len([s for s in statements if s.startswith("DELETE FROM presence_counts")]) == 1
    async with world.database.read() as read:
        rows = [(r.user_id, r.live_session_id, r.connections) for r in await read.scalars(select(PresenceCount))]
    assert rows == [(world.id_of("bo"), 0, 1)]


async def test_who_was_on_a_killed_process_is_gone_within_thirty_seconds(
    processes: list[TestServer], given: dict[str, Any], world: World, open_tab: Open, apis: Apis, run_program: Any
) -> None:
    """Bo was there alone; Cleo has a second tab, on a process that lives, and is one presence throughout."""
    course = await world.course("ana", ["bo", "cleo"])
    room = (await world.live_session(course=course)).id
    who, of, cleo = world.id_of("bo"), {"live_session_id": room}, world.id_of("cleo")
    third = await run_program("serve", "--only", "web", **{k: str(v) for k, v in given.items()})
    ana = await open_tab(0, "ana")
    await ana.wish("join", live_session_id=room)
    await (await open_tab(1, "cleo")).wish("join", live_session_id=room)
    for person in ("bo", "cleo"):
        there = await Tab(third.url).connect(world.token(person))
        await there.wish("join", live_session_id=room)
    await _shows(ana, who, of=of, online=True, in_room=True, connections=1)
    await _shows(ana, cleo, of=of, online=True, in_room=True, connections=2)
    await third.kill()
    killed_at = world.database.clock.now()
    async with asyncio.timeout(30):
        while _last_of(ana, who, **of)["online"]:
            await asyncio.sleep(0.05)
    assert _last_of(ana, who, **of) == {"user_id": who, "online": False, "in_room": False, "connections": 0}
    await _shows(ana, cleo, of=of, online=True, in_room=True, connections=1)
    for process in (0, 1):
        async with asyncio.timeout(30 - (world.database.clock.now() - killed_at).total_seconds()):
            while who in [
                p["user"]["id"]
                for p in (await apis(process, "ana").get(f"/live-sessions/{room}/participants")).json
                if p["online"] or p["in_room"]
            ]:
                await asyncio.sleep(0.1)
        assert (await apis(process, "ana").get(f"/live-sessions/{room}")).json["participant_count"] == 2
    for process in (0, 1):
        attended = (await apis(process, "ana").get(f"/live-sessions/{room}/attendance")).json
        left = {line["user"]["id"]: [stay["left_at"] for stay in line["intervals"]] for line in attended}
        assert left[cleo] == [None]
        assert 0 <= (killed_at - datetime.fromisoformat(left[who][0])).total_seconds() <= 30
    assert "participant_left" not in [e["type"] for e in await stored(world, room)]  # the seat is held; bo may be back
