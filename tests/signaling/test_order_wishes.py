"""The instructor keeps order over the socket: policy, muting, removal."""

from __future__ import annotations

from sqlalchemy import select

from server.live_sessions.tables import LiveSessionRemoval, Participation
from tests.factories import World
from tests.signaling.conftest import Connect, a_class


async def test_who_is_removed_is_told_so_and_stays_out_of_this_session(tab: Connect, world: World) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    second = await tab("bo")
    await second.wish("join", live_session_id=room)
    refused = await cleo.durable("participant_remove", live_session_id=room, user_id=world.id_of("bo"))
    assert refused["error"]["code"] == "not_course_instructor"
    assert (await ana.durable("participant_remove", live_session_id=room, user_id=world.id_of("bo")))["ok"]
    for one in (bo, second):
        assert (await one.hear("room_closed")) == {"live_session_id": room, "reason": "removed"}
        assert [name for name, _ in one.told if name in ("timeline", "room_closed")][-1] == "room_closed"
    assert (await cleo.hear_event("participant_removed"))["payload"] == {"user_id": world.id_of("bo")}
    assert (await cleo.hear_event("participant_left"))["payload"]["user_id"] == world.id_of("bo")
    assert (await bo.durable("chat_send", live_session_id=room, text="hey"))["error"]["code"] == "not_joined"
    for again in (bo, await tab("bo")):
        error = (await again.wish("join", live_session_id=room))["error"]
        assert (error["code"], error["status"]) == ("removed_from_session", 403)
    async with world.database.read() as read:
        assert list(await read.scalars(select(LiveSessionRemoval.user_id))) == [world.id_of("bo")]
        left = select(Participation.left_at).filter_by(user_id=world.id_of("bo"))
        assert None not in list(await read.scalars(left))


async def test_a_closed_chat_is_the_instructors(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    refused = await bo.durable("policy_set", live_session_id=room, chat="instructor")
    assert refused["error"]["code"] == "not_course_instructor"
    answer = await ana.durable("policy_set", live_session_id=room, chat="instructor", hands="instructor")
    assert answer["ok"]
    told = (await bo.hear_event("policy_changed"))["payload"]
    assert told == {
        "chat": "instructor",
        "hands": "instructor",
        "microphones": "instructor",
        "cameras": "instructor",
        "screens": "instructor",
        "peers": "instructor",
    }
    assert (await bo.durable("chat_send", live_session_id=room, text="?"))["error"]["code"] == "chat_closed"
    assert (await bo.durable("hand_raise", live_session_id=room))["error"]["code"] == "hands_closed"
    assert (await bo.wish("typing", live_session_id=room, on=True))["error"]["code"] == "chat_closed"
    assert (await ana.durable("chat_send", live_session_id=room, text="Listen"))["ok"]
    for wrong in ({}, {"chat": "everybody"}, {"doors": "all"}):
        assert (await ana.durable("policy_set", live_session_id=room, **wrong))["error"]["code"] == "invalid"


async def test_a_mute_is_in_every_snapshot_until_it_is_undone(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    who = world.id_of("bo")
    mute = {"live_session_id": room, "user_id": who, "sources": ["camera", "microphone"]}
    assert (await bo.durable("participant_mute", **mute, muted=True))["error"]["code"] == "not_course_instructor"
    assert (await ana.durable("participant_mute", **mute, muted=True))["ok"]
    assert (await ana.durable("participant_mute", **mute, muted=True))["unchanged"] is True
    snapshot = (await bo.wish("join", live_session_id=room))["snapshot"]
    assert snapshot["muted"] == [{"user_id": who, "sources": ["microphone", "camera"]}]
    assert (await ana.durable("participant_mute", **mute, muted=False))["ok"]
    assert (await bo.wish("join", live_session_id=room))["snapshot"]["muted"] == []


async def test_each_role_is_told_what_it_may(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    moderating = {"participant_mute", "participant_remove", "policy_set", "poll_open", "poll_close", "session_end"}
    everybodys = {"chat_edit", "chat_delete", "chat_react", "poll_answer", "question_ask", "question_vote", "typing"}
    anas = set((await ana.wish("join", live_session_id=room))["you"]["may"])
    bos = set((await bo.wish("join", live_session_id=room))["you"]["may"])
    assert moderating | everybodys | {"media_publish"} <= anas
    assert everybodys | {"hand_raise"} <= bos
    assert not moderating & bos and "hand_raise" not in anas
