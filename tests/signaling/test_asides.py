"""What is told on and forgotten: writing, loudness, peers' messages."""

from __future__ import annotations

from tests.factories import World
from tests.signaling.conftest import Connect, a_class, stored


async def test_writing_and_loudness_are_told_on_the_newest_only_and_stored_nowhere(tab: Connect, world: World) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    before = await stored(world, room)
    for level in (0.1, 0.9, 0.4):
        assert await bo.wish("media_level", live_session_id=room, level=level) == {"ok": True}
    assert await bo.wish("typing", live_session_id=room, on=True) == {"ok": True}
    who = world.id_of("bo")
    assert await ana.hear("typing") == {"live_session_id": room, "user_id": who, "on": True}
    levels = await ana.until(lambda t: (found := t.all("media_level")) and found[-1]["level"] == 0.4 and found)
    assert len(levels) < 3 and {told["user_id"] for told in levels} == {who}
    assert await stored(world, room) == before
    stranger = await tab("cleo")
    assert (await stranger.wish("typing", live_session_id=room, on=True))["error"]["code"] == "not_joined"


async def test_peers_messages_reach_one_person_and_follow_the_policy(tab: Connect, world: World) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    to_ana = {"live_session_id": room, "to_user_id": world.id_of("ana"), "data": {"sdp": "v=0", "n": [1, None]}}
    assert await bo.wish("peer_signal", **to_ana) == {"ok": True}
    assert await ana.hear("peer_signal") == {
        "live_session_id": room,
        "from_user_id": world.id_of("bo"),
        "data": {"sdp": "v=0", "n": [1, None]},
    }
    to_cleo = {"live_session_id": room, "to_user_id": world.id_of("cleo"), "data": "hello"}
    refused = (await bo.wish("peer_signal", **to_cleo))["error"]
    assert (refused["code"], refused["status"]) == ("peers_not_allowed", 403)
    await ana.durable("policy_set", live_session_id=room, peers="all")
    assert await bo.wish("peer_signal", **to_cleo) == {"ok": True}
    assert (await cleo.hear("peer_signal"))["data"] == "hello"
    assert len(ana.all("peer_signal")) == 1
    too_large = await bo.wish("peer_signal", **{**to_cleo, "data": "x" * 32_768})
    assert too_large["error"]["code"] == "invalid"
    nobody = await bo.wish("peer_signal", **{**to_cleo, "to_user_id": world.id_of("eve")})
    assert nobody["error"]["code"] == "not_in_room"
