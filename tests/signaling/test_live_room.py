"""A class over the socket: joining, talking, hands, the floor, coming back, ending."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import select, update

from server.app import GATEWAY
from server.errors import DatabaseAway
from server.live_sessions.tables import LiveSession, Participation, ProcessLease, RoomConnection
from signaling.rooms import timeline
from signaling.rooms.leases import end_leases
from signaling.rooms.room import GiveUpSeat
from tests.factories import World
from tests.signaling.conftest import Connect, a_class, lose, stored


async def test_everyone_in_the_room_gets_each_event_once_and_in_order(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo", "cleo"])).id
    ana, bo = await tab("ana"), await tab("bo")
    assert (await ana.wish("join", live_session_id=room))["ok"]
    joined = await bo.wish("join", live_session_id=room)
    assert joined["you"]["role"] == "student"
    assert {line["user"]["name"] for line in joined["roster"]} == {"Ana Castro", "Bo Lindqvist", "Cleo Marchetti"}
    assert [p["user_id"] for p in joined["snapshot"]["participants"] if p["in_room"]] == [
        world.id_of("ana"),
        world.id_of("bo"),
    ]
    for number in range(20):
        answer = await (ana, bo)[number % 2].durable("chat_send", live_session_id=room, text=f"line {number}")
        assert answer["ok"], answer
    for one in (ana, bo):
        lines = await one.until(lambda t: (ls := [e for e in t.events if e["type"] == "chat_posted"])[19:] and ls)
        assert [line["payload"]["text"] for line in lines] == [f"line {n}" for n in range(20)]
        seqs = [event["seq"] for event in one.events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert bo.events[0]["seq"] == joined["seq"] + 1


async def test_a_repeated_wish_gets_the_same_answer_and_is_told_once(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    bo = await tab("bo")
    await bo.wish("join", live_session_id=room)
    wish = {"live_session_id": room, "client_id": str(uuid.uuid4()), "text": "once"}
    first, second = await bo.wish("chat_send", **wish), await bo.wish("chat_send", **wish)
    assert first == second
    await bo.durable("chat_send", live_session_id=room, text="after")
    lines = await bo.until(lambda t: (ls := [e for e in t.events if e["type"] == "chat_posted"])[1:] and ls)
    assert [line["payload"]["text"] for line in lines] == ["once", "after"]


async def test_a_repeated_wish_costs_nothing_and_is_answered_after_the_end_too(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    wish = {"live_session_id": room, "client_id": str(uuid.uuid4()), "text": "once"}
    first = await bo.wish("chat_send", **wish)
    for _ in range(100):  # five times what may be written at once
        assert await bo.wish("chat_send", **wish) == first
    assert (await bo.durable("chat_send", live_session_id=room, text="another"))["ok"]
    await ana.durable("session_end", live_session_id=room)
    await bo.hear("room_closed")
    assert await bo.wish("chat_send", **wish) == first
    new = await bo.durable("chat_send", live_session_id=room, text="too late")
    assert new["error"]["code"] == "not_joined"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite's one writer waits in line instead
async def test_a_room_that_stays_locked_refuses_what_may_be_sent_again(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    wish = {"live_session_id": room, "client_id": str(uuid.uuid4()), "text": "once"}
    async with world.database.work("stuck elsewhere") as work:
        await work.get(LiveSession, room, for_update=True)
        refused = await bo.wish("chat_send", **wish)
        assert refused["error"]["code"] == "database_away"
    assert (await bo.wish("chat_send", **wish))["ok"]
    await ana.hear_event("chat_posted")
    assert len([e for e in ana.events if e["type"] == "chat_posted"]) == 1


async def test_a_hand_is_raised_given_the_floor_and_the_floor_taken_back(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo", "cleo"])).id
    ana, bo, cleo = await tab("ana"), await tab("bo"), await tab("cleo")
    for one in (ana, bo, cleo):
        await one.wish("join", live_session_id=room)
    assert (await cleo.durable("hand_raise", live_session_id=room))["ok"]
    assert (await bo.durable("hand_raise", live_session_id=room))["ok"]
    again = await bo.durable("hand_raise", live_session_id=room)
    assert again["unchanged"] is True
    refused = await bo.durable("floor_give", live_session_id=room, user_id=world.id_of("bo"))
    assert (refused["ok"], refused["error"]["status"]) == (False, 403)
    snapshot = (await ana.wish("join", live_session_id=room))["snapshot"]
    assert snapshot["hands"] == [world.id_of("cleo"), world.id_of("bo")]
    await ana.durable("floor_give", live_session_id=room, user_id=world.id_of("bo"))
    snapshot = (await ana.wish("join", live_session_id=room))["snapshot"]
    assert (snapshot["hands"], snapshot["floor"]) == ([world.id_of("cleo")], [world.id_of("bo")])
    assert (await bo.durable("floor_take", live_session_id=room, user_id=world.id_of("bo")))["ok"]
    assert (await cleo.hear_event("floor_taken"))["payload"] == {"user_id": world.id_of("bo")}


async def test_whoever_was_away_is_given_exactly_what_was_missed(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await tab("ana"), await tab("bo")
    await ana.wish("join", live_session_id=room)
    joined = await bo.wish("join", live_session_id=room)
    position = {"epoch": joined["epoch"], "seq": joined["seq"]}
    await bo.close()
    for number in range(15):
        await ana.durable("chat_send", live_session_id=room, text=f"missed {number}")
    back = await tab("bo")
    answer = await back.wish("join", live_session_id=room, after=position)
    assert (answer["more"], answer["seq"]) == (False, answer["events"][-1]["seq"])
    texts = [e["payload"]["text"] for e in answer["events"] if e["type"] == "chat_posted"]
    assert texts == [f"missed {number}" for number in range(15)]
    await ana.durable("chat_send", live_session_id=room, text="live again")
    assert (await back.hear_event("chat_posted"))["seq"] == answer["seq"] + 1
    unknown = await back.wish("sync", live_session_id=room, epoch="another", after=0)
    assert "snapshot" in unknown


async def test_two_tabs_are_one_presence_and_a_short_absence_writes_nothing(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, first, second = await tab("ana"), await tab("bo"), await tab("bo")
    for one in (ana, first, second):
        await one.wish("join", live_session_id=room)
    await first.close()
    await second.close()
    third = await tab("bo")
    await third.wish("join", live_session_id=room)
    await ana.durable("chat_send", live_session_id=room, text="still here")
    await third.hear_event("chat_posted")
    await ana.hear_event("chat_posted")
    assert [e["type"] for e in ana.events] == ["participant_joined", "chat_posted"]
    async with world.database.read() as read:
        stays = list(await read.scalars(select(Participation).filter_by(user_id=world.id_of("bo"))))
    assert [(stay.left_at, stay.last_seen_at) for stay in stays] == [(None, None)]


async def test_a_seat_is_given_up_after_its_time_and_only_if_nobody_came_back(
    app: web.Application, tab: Connect, world: World
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    live, who = app[GATEWAY], world.id_of("bo")
    late = await live._writer.act(room, GiveUpSeat(who))  # as by a look that was taken before they came back
    assert late.is_unchanged
    await bo.close()
    gone_at = world.database.clock.now() - timedelta(minutes=2)
    mine = update(Participation).where(Participation.user_id == who, Participation.last_seen_at.is_not(None))
    moved = None
    while moved is None:  # the seat is held from the moment its connection's end was written
        async with world.database.work("long ago") as work:
            moved = await work.scalar(mine.values(joined_at=gone_at, last_seen_at=gone_at).returning(Participation.id))
    await live._keeper.look()
    assert (await ana.hear_event("participant_left"))["payload"]["user_id"] == who
    async with world.database.read() as read:
        assert await read.scalar(select(Participation.left_at).filter_by(user_id=who)) == gone_at


async def test_a_process_thought_dead_takes_its_seats_again(app: web.Application, tab: Connect, world: World) -> None:
    """Its database was away for longer than its lease lasts, and another process cleared up behind it."""
    _, (ana, _) = await a_class(tab, world, "ana", "bo")
    async with world.database.work("another process") as work:
        await end_leases(work, everyone=True)
    held = select(Participation.user_id).where(Participation.left_at.is_(None), Participation.last_seen_at.is_not(None))
    async with world.database.read() as read:
        assert len(list(await read.scalars(held))) == 2
    await app[GATEWAY].presence.renew()
    async with world.database.read() as read:
        assert not list(await read.scalars(held))
        assert len(list(await read.scalars(select(RoomConnection)))) == 2
        assert await read.scalar(select(ProcessLease.ended_at)) is None
    assert not [e for e in ana.events if e["type"] == "participant_left"]


async def test_a_seat_whose_leaving_could_not_be_written_is_given_up_later(
    app: web.Application, tab: Connect, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (_, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    gateway, who = app[GATEWAY], world.id_of("bo")

    async def away(*_: object, **__: object) -> None:
        raise DatabaseAway()

    with monkeypatch.context() as broken:
        broken.setattr(gateway._writer, "act", away)
        await bo.close()
        while gateway.presence.tabs(who):
            await asyncio.sleep(0.01)
    held = select(Participation.user_id).where(Participation.last_seen_at.is_not(None))
    for expected in ([], [who]):
        await gateway._seats.sweep()
        async with world.database.read() as read:
            assert list(await read.scalars(held)) == expected
    assert cleo.io.connected


async def test_a_class_cancelled_by_another_process_does_not_begin(
    app: web.Application, tab: Connect, world: World
) -> None:
    room = (await world.live_session(status="scheduled")).id
    ana = await tab("ana")
    await app[GATEWAY].timeline.registry.entry(room)
    async with world.database.work("elsewhere") as work:
        await work.execute(update(LiveSession).filter_by(id=room).values(status="cancelled"))
    assert (await ana.durable("session_start", live_session_id=room))["error"]["code"] == "invalid_status"


async def test_the_end_is_told_attendance_closes_and_nobody_may_join(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await tab("ana"), await tab("bo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=room)
    assert (await bo.durable("session_end", live_session_id=room))["error"]["code"] == "not_course_instructor"
    ended = await ana.durable("session_end", live_session_id=room)
    assert ended["live_session"]["status"] == "ended"
    assert (await bo.hear("room_closed"))["reason"] == "ended"
    names = [name for name, _ in bo.told]
    assert names.index("timeline") < names.index("room_closed")
    assert (await bo.wish("join", live_session_id=room))["error"]["code"] == "session_not_live"
    async with world.database.read() as read:
        assert None not in list(await read.scalars(select(Participation.left_at)))


async def test_waiting_tabs_are_let_in_when_the_class_begins(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"], status="scheduled")).id
    ana, bo = await tab("ana"), await tab("bo")
    waiting = await bo.wish("join", live_session_id=room)
    assert waiting["waiting"] and waiting["live_session"]["id"] == room
    started = await ana.durable("session_start", live_session_id=room)
    assert (started["notified"], started["live_session"]["status"]) == (1, "live")
    opened = await bo.hear("room_opened")
    assert (opened["live_session_id"], opened["snapshot"]["status"]) == (room, "live")
    notification = await bo.hear("notification")
    assert (notification["type"], notification["data"]["live_session_id"]) == ("live_session_started", room)
    await bo.durable("chat_send", live_session_id=room, text="here")
    assert (await bo.hear_event("chat_posted"))["seq"] > opened["seq"]


async def test_strangers_learn_nothing_and_members_learn_why_not(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    eve, bo = await tab("eve"), await tab("bo")
    stranger = await eve.wish("join", live_session_id=room)
    missing = await eve.wish("join", live_session_id=999_999)
    assert stranger["error"]["code"] == missing["error"]["code"] == "not_found"
    assert (await bo.durable("chat_send", live_session_id=room, text="hi"))["error"]["code"] == "not_joined"
    await bo.wish("join", live_session_id=room)
    for payload, code in (
        ({"text": ""}, "invalid"),
        ({"text": "x" * 4001}, "invalid"),
        ({"text": "nul \x00"}, "invalid"),
        ({"text": "hi", "more": 1}, "invalid"),
        ({"text": "hi", "reply_to": 10**9}, "invalid"),
    ):
        assert (await bo.durable("chat_send", live_session_id=room, **payload))["error"]["code"] == code
    assert (await bo.wish("chat_send", live_session_id=room, text="no id"))["error"]["code"] == "invalid"
    assert (await bo.wish("chat_explode", live_session_id=room))["error"]["code"] == "unknown_event"
    assert (await bo.wish("disconnect", live_session_id=room))["error"]["code"] == "unknown_event"


async def test_a_class_without_a_course_lets_in_who_has_its_code(tab: Connect, world: World) -> None:
    made = await world.live_session()
    async with world.database.work() as work:
        row = await work.get(LiveSession, made.id)
        assert row is not None
        row.course_id, row.invite_code = None, "the-code-of-this-class"
    eve, dan = await tab("eve"), await tab("dan")
    assert (await eve.wish("join", live_session_id=row.id))["error"]["code"] == "not_found"
    joined = await eve.wish("join", live_session_id=row.id, invite_code="the-code-of-this-class")
    assert (joined["ok"], joined["you"]["role"]) == (True, "guest")
    codes = [
        (await dan.wish("join", live_session_id=row.id, invite_code=f"guess {n}"))["error"]["code"] for n in range(6)
    ]
    assert codes == ["not_found"] * 5 + ["rate_limited"]


async def test_a_client_ahead_of_the_log_renews_its_epoch_and_everybody_catches_up(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await tab("ana"), await tab("bo")
    before = (await ana.wish("join", live_session_id=room))["epoch"]
    ahead = {"epoch": before, "seq": 500}
    joined = await bo.wish("join", live_session_id=room, after=ahead)
    assert joined["epoch"] != before and joined["snapshot"]["status"] == "live"
    told = await ana.until(lambda t: [x for x in t.all("timeline") if x["epoch"] == joined["epoch"]])
    assert told[0]["events"] == []
    assert "snapshot" in await ana.wish("sync", live_session_id=room, epoch=before, after=joined["seq"])
    await bo.durable("chat_send", live_session_id=room, text="on we go")
    assert (await ana.hear_event("chat_posted"))["seq"] == joined["seq"] + 1
    again = await bo.wish("join", live_session_id=room, after={"epoch": joined["epoch"], "seq": 900})
    assert again["epoch"] == joined["epoch"] and "snapshot" in again


async def test_nobody_makes_everybody_begin_anew_again_and_again(
    app: web.Application, tab: Connect, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is believed once that the log was put back, the host more often; whoever says it is shown what is so."""
    monkeypatch.setattr(timeline, "RENEWED_APART", timedelta(0))
    room, tabs = await a_class(tab, world, "ana", "bo", "cleo")
    epochs = [(await tabs[0].wish("join", live_session_id=room))["epoch"]]
    for one, is_believed in zip([tabs[n] for n in (1, 1, 2, 2, 1, 0, 0)], (1, 0, 1, 0, 0, 1, 1), strict=True):
        claim = {"epoch": epochs[-1], "after": 9_000}
        answer = await one.wish("sync", live_session_id=room, **claim)
        assert answer["snapshot"]["status"] == "live" and answer["seq"] < 100
        assert (answer["epoch"] != epochs[-1]) == bool(is_believed)
        epochs.append(answer["epoch"])


async def test_a_log_that_lost_its_end_under_a_running_server_goes_on_in_a_new_epoch(
    tab: Connect, world: World
) -> None:
    """As when a database comes back as a copy that was behind: everybody sees what is left, and what follows."""
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    lines = [await ana.durable("chat_send", live_session_id=room, text=f"{number}") for number in range(5)]
    await bo.until(lambda t: t.events and t.events[-1]["seq"] == lines[-1]["seq"])
    before = ana.all("timeline")[-1]["epoch"]
    await lose(world, room, after=lines[2]["seq"])
    said = await bo.durable("chat_send", live_session_id=room, text="on we go")
    assert said["seq"] == lines[3]["seq"]
    for one in (ana, bo):
        told = await one.until(lambda t: [page for page in t.all("timeline") if page["epoch"] != before])
        answer = await one.wish("sync", live_session_id=room, epoch=before, after=lines[-1]["seq"])
        assert (answer["epoch"], answer["seq"]) == (told[-1]["epoch"], said["seq"])
        shown = [line["text"] for line in answer["snapshot"]["chat"]["lines"]]
        assert shown == ["0", "1", "2", "on we go"]
    last = await ana.durable("chat_send", live_session_id=room, text="all of us")
    for one in (ana, bo):
        await one.until(lambda t: t.events[-1]["seq"] == last["seq"] == said["seq"] + 1)


async def test_people_who_come_at_the_same_moment_get_a_seat_each_while_there_are_any(
    tab: Connect, world: World
) -> None:
    room = (await world.live_session(students=["bo", "cleo", "eve"], max_participants=2)).id
    tabs = [await tab(person) for person in ("ana", "ana", "bo", "cleo", "eve")]
    answers = await asyncio.gather(*(one.wish("join", live_session_id=room) for one in tabs))
    refused = [answer["error"]["code"] for answer in answers if not answer["ok"]]
    assert refused == ["room_full"]
    joined = [event["user_id"] for event in await stored(world, room) if event["type"] == "participant_joined"]
    assert len(joined) == len(set(joined)) == 3
    assert [event["seq"] for event in await stored(world, room)] == [1, 2, 3, 4]
    async with world.database.read() as read:
        open_stays = list(await read.scalars(select(Participation.user_id).where(Participation.left_at.is_(None))))
        connections = list(await read.scalars(select(RoomConnection.user_id)))
    assert sorted(open_stays) == sorted(joined)
    assert len(connections) == 4
    for one in tabs:
        await one.close()
    async with asyncio.timeout(30):
        while True:  # the last of each person's tabs has gone, and their seats are held from then on
            async with world.database.read() as read:
                held = list(await read.scalars(select(Participation.last_seen_at)))
                left = list(await read.scalars(select(RoomConnection.user_id)))
            if not left and all(held):
                break
            await asyncio.sleep(0.05)


async def test_a_joining_tab_is_shown_who_belongs_and_who_is_here_as_it_is_now(tab: Connect, world: World) -> None:
    course = await world.course("ana", ["bo"])
    room = (await world.live_session(course=course)).id

    async def shown(person: str) -> dict[int, tuple[bool, bool]]:
        answer = await (await tab(person)).wish("join", live_session_id=room)
        return {line["user"]["id"]: (line["online"], line["in_room"]) for line in answer["roster"]}

    ana, bo, cleo = map(world.id_of, ("ana", "bo", "cleo"))
    assert await shown("ana") == {ana: (True, True), bo: (False, False)}
    await world.enroll(course, "cleo")  # by nobody who would tell
    await tab("bo")
    assert await shown("cleo") == {ana: (True, True), bo: (True, False), cleo: (True, True)}
    assert await shown("bo") == {ana: (True, True), bo: (True, True), cleo: (True, True)}
