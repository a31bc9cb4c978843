"""Two web processes on one PostgreSQL and one Redis: one room, one inbox, one door; also while Redis is away."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis as RedisClient

from server.app import GATEWAY, drain
from server.http.keys import DATABASE, ROOMS
from server.live_sessions.commands import EndLiveSession, StartLiveSession
from signaling.bus import ROOM
from tests.factories import World
from tests.services import Redis
from tests.signaling.across.conftest import Open
from tests.signaling.conftest import lose

LATE_SECONDS = 3  # what crosses processes while Redis is away
BACK_SECONDS = 5  # after its return everything is as before


async def _start(server: TestServer, live_session_id: int, actor_id: int) -> None:
    async with server.app[DATABASE].work() as work:
        await server.app[ROOMS].perform(work, StartLiveSession(live_session_id, actor_id))


async def test_a_room_is_one_room_on_both(processes: list[TestServer], world: World, open_tab: Open) -> None:
    room = (await world.live_session(students=["bo"], status="scheduled")).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    assert (await bo.wish("join", live_session_id=room))["waiting"]
    await _start(processes[0], room, world.id_of("ana"))
    assert (await bo.hear("notification"))["type"] == "live_session_started"
    assert (await bo.hear("room_opened"))["live_session_id"] == room
    await ana.wish("join", live_session_id=room)
    for number in range(10):
        one = (ana, bo)[number % 2]
        assert (await one.durable("chat_send", live_session_id=room, text=f"{number}"))["ok"]
    for one in (ana, bo):
        lines = await one.until(lambda t: (ls := [e for e in t.events if e["type"] == "chat_posted"])[9:] and ls)
        assert [line["payload"]["text"] for line in lines] == [str(number) for number in range(10)]
        seqs = [event["seq"] for event in one.events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    async with processes[0].app[DATABASE].work() as work:
        await processes[0].app[ROOMS].perform(work, EndLiveSession(room, world.id_of("ana")))
    assert (await bo.hear("room_closed"))["reason"] == "ended"
    assert "session_ended" in [event["type"] for event in bo.events]


async def test_what_a_draining_process_still_writes_is_told_at_once(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    """It serves REST, and works on jobs, to its end."""
    room = (await world.live_session(students=["bo"], status="scheduled")).id
    bo = await open_tab(1, "bo")
    await drain(processes[0].app)
    async with asyncio.timeout(2):
        await _start(processes[0], room, world.id_of("ana"))
        assert (await bo.hear("notification"))["type"] == "live_session_started"
        assert (await bo.hear("live_session"))["status"] == "live"


async def test_without_redis_everything_arrives_within_three_seconds(
    processes: list[TestServer], world: World, open_tab: Open, own_redis: Redis
) -> None:
    course = await world.course("ana", ["bo", "cleo"])
    room = (await world.live_session(course=course)).id
    ana, bo, cleo = await open_tab(0, "ana"), await open_tab(1, "bo"), await open_tab(1, "cleo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=room)
    own_redis.kill()
    for number in range(5):
        assert (await ana.durable("chat_send", live_session_id=room, text=f"{number}"))["ok"]
    async with asyncio.timeout(LATE_SECONDS):
        lines = await bo.until(lambda t: (ls := [e for e in t.events if e["type"] == "chat_posted"])[4:] and ls)
    assert [line["payload"]["text"] for line in lines] == [str(number) for number in range(5)]
    second = (await world.live_session(students=["cleo"], status="scheduled", title="Another")).id
    await _start(processes[0], second, world.id_of("ana"))
    async with asyncio.timeout(LATE_SECONDS):
        assert (await cleo.hear("notification"))["data"]["live_session_id"] == second
        told = await cleo.until(lambda t: [s for s in t.all("live_session") if s["id"] == second])
    assert (told[-1]["status"], told[-1]["my_role"]) == ("live", "student")
    async with ClientSession() as session, session.get(processes[0].make_url("/readyz")) as answer:
        assert (answer.status, (await answer.json())["degraded"]) == (200, ["redis"])


async def test_a_rooms_bell_is_rung_where_somebody_is_and_a_lost_one_is_made_up_for(
    processes: list[TestServer], world: World, open_tab: Open, own_redis: Redis
) -> None:
    room = (await world.live_session(students=["bo"])).id
    channel = f"{ROOM}{room}"

    async def listened_to_by(count: int) -> None:
        async with asyncio.timeout(30), RedisClient.from_url(own_redis.url) as redis:
            while await redis.pubsub_numsub(channel) != [(channel.encode(), count)]:
                await asyncio.sleep(0.01)

    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    await listened_to_by(0)
    await ana.wish("join", live_session_id=room)
    await listened_to_by(1)
    await bo.wish("join", live_session_id=room)
    await listened_to_by(2)
    processes[0].app[GATEWAY].timeline.ring = lambda *_: None
    line = await ana.durable("chat_send", live_session_id=room, text="unheard")
    async with asyncio.timeout(LATE_SECONDS):
        assert (await bo.hear_event("chat_posted"))["seq"] == line["seq"]
    assert all(server.app[GATEWAY].bus.is_up for server in processes)
    await bo.wish("leave", live_session_id=room)
    await listened_to_by(1)


async def test_when_redis_returns_all_is_as_before_and_nothing_of_the_time_between_is_missing(
    processes: list[TestServer], world: World, open_tab: Open, own_redis: Redis
) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=room)
    own_redis.kill()
    said = 0
    returning = asyncio.create_task(own_redis.start_again())
    async with asyncio.timeout(LATE_SECONDS + BACK_SECONDS):
        while not (returning.done() and all(server.app[GATEWAY].bus.is_up for server in processes)):
            assert (await ana.durable("chat_send", live_session_id=room, text=f"{said}"))["ok"]
            said += 1
            await asyncio.sleep(0.2)  # within what one person may say
    await returning
    assert (await ana.durable("chat_send", live_session_id=room, text=f"{said}"))["ok"]
    async with asyncio.timeout(LATE_SECONDS):
        wanted = [str(number) for number in range(said + 1)]
        await bo.until(lambda t: [e["payload"]["text"] for e in t.events if e["type"] == "chat_posted"] == wanted)
    async with ClientSession() as session, session.get(processes[0].make_url("/readyz")) as answer:
        assert (answer.status, (await answer.json())["degraded"]) == (200, [])


async def test_order_votes_and_peers_cross_processes(processes: list[TestServer], world: World, open_tab: Open) -> None:
    room = (await world.live_session(students=["bo", "cleo"])).id
    ana, bo, cleo = await open_tab(0, "ana"), await open_tab(1, "bo"), await open_tab(0, "cleo")
    for one in (ana, bo, cleo):
        await one.wish("join", live_session_id=room)
    poll = (await ana.durable("poll_open", live_session_id=room, question="Clear?", options=["Yes", "No"]))["seq"]
    await bo.hear_event("poll_opened")
    assert (await bo.durable("poll_answer", live_session_id=room, poll=poll, choices=[0]))["ok"]
    assert (await ana.hear("poll_tally"))["tally"] == [1, 0]
    await cleo.durable("poll_answer", live_session_id=room, poll=poll, choices=[1])
    await bo.until(lambda t: [told for told in t.all("poll_tally") if told["tally"] == [1, 1]])
    await bo.wish("typing", live_session_id=room, on=True)
    assert (await ana.hear("typing"))["user_id"] == world.id_of("bo")
    await ana.wish("peer_signal", live_session_id=room, to_user_id=world.id_of("bo"), data={"offer": 1})
    assert (await bo.hear("peer_signal"))["data"] == {"offer": 1}
    await ana.durable("participant_remove", live_session_id=room, user_id=world.id_of("bo"))
    assert (await bo.hear("room_closed"))["reason"] == "removed"
    assert (await bo.wish("join", live_session_id=room))["error"]["code"] == "removed_from_session"


async def test_a_new_epoch_reaches_members_on_the_other_process(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    before = (await ana.wish("join", live_session_id=room))["epoch"]
    renewed = await bo.wish("join", live_session_id=room, after={"epoch": before, "seq": 500})
    assert renewed["epoch"] != before
    async with asyncio.timeout(LATE_SECONDS):
        told = await ana.until(lambda t: [x for x in t.all("timeline") if x["epoch"] != before])
    assert told[-1]["epoch"] == renewed["epoch"]


async def test_a_log_that_lost_its_end_is_noticed_by_whoever_is_beyond_it(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    """Nobody wishes anything: the comparison alone finds it, on both."""
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    for one in (ana, bo):
        before = (await one.wish("join", live_session_id=room))["epoch"]
    first, second = [await ana.durable("chat_send", live_session_id=room, text=text) for text in ("kept", "lost")]
    await bo.until(lambda t: t.events and t.events[-1]["seq"] == second["seq"])
    await lose(world, room, after=first["seq"])
    for one in (ana, bo):
        told = await one.until(lambda t: [page for page in t.all("timeline") if page["epoch"] != before])
        answer = await one.wish("sync", live_session_id=room, epoch=before, after=second["seq"])
        assert (answer["epoch"], answer["seq"]) == (told[-1]["epoch"], first["seq"])
        assert [line["text"] for line in answer["snapshot"]["chat"]["lines"]] == ["kept"]
