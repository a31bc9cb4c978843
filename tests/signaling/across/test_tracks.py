"""What somebody sent through a process that died is over for everybody, unless they are back by another."""

from __future__ import annotations

from datetime import timedelta

from aiohttp.test_utils import TestServer
from sqlalchemy import update

from server.app import GATEWAY
from server.http.keys import DATABASE
from server.live_sessions.tables import ProcessLease
from signaling.rooms.commands import PublishTracks
from tests.factories import World
from tests.signaling.across.conftest import Open


async def _stand_still(server: TestServer) -> None:
    """As if this process had not renewed its lease for a minute."""
    mine = ProcessLease.id == server.app[GATEWAY].presence.lease_id
    async with server.app[DATABASE].work() as work:
        await work.execute(update(ProcessLease).where(mine).values(renewed_at=work.now - timedelta(minutes=1)))


async def _publish(server: TestServer, live_session_id: int, user_id: int) -> None:
    timeline = server.app[GATEWAY].timeline
    async with server.app[DATABASE].work() as work:
        await timeline.judge(work, live_session_id, PublishTracks(user_id, ("microphone", "camera")), None, None)
        timeline.tell_after_commit(work)


async def test_tracks_of_whoever_vanished_with_a_process_are_ended(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, bo = await open_tab(1, "ana"), await open_tab(0, "bo")
    for one in (ana, bo):
        await one.wish("join", live_session_id=room)
    await _publish(processes[1], room, world.id_of("ana"))
    await bo.until(lambda t: [e["type"] for e in t.events].count("track_published") == 2)
    await _stand_still(processes[1])
    await processes[0].app[GATEWAY].presence.renew()
    ended = await bo.until(lambda t: (u := [e for e in t.events if e["type"] == "track_unpublished"])[1:] and u)
    assert {(e["payload"]["user_id"], e["payload"]["source"]) for e in ended} == {
        (world.id_of("ana"), "microphone"),
        (world.id_of("ana"), "camera"),
    }


async def test_tracks_of_whoever_came_back_by_another_process_go_on(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    room = (await world.live_session(students=["bo"])).id
    ana, back, bo = await open_tab(1, "ana"), await open_tab(0, "ana"), await open_tab(0, "bo")
    for one in (ana, back, bo):
        await one.wish("join", live_session_id=room)
    await _publish(processes[0], room, world.id_of("ana"))
    await _stand_still(processes[1])
    await processes[0].app[GATEWAY].presence.renew()
    assert (await bo.durable("chat_send", live_session_id=room, text="still here"))["ok"]
    await bo.until(lambda t: "chat_posted" in [e["type"] for e in t.events])
    assert "track_unpublished" not in [e["type"] for e in bo.events]
