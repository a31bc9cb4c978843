"""A roster on screen comes to what is so, whatever its tab was busy with when something changed."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import insert, update

from server.app import GATEWAY
from server.live_sessions.tables import LiveSession, LiveSessionGuest
from signaling.doorway import PAGE_EVENTS
from signaling.transport import Connection
from tests.factories import World
from tests.signaling.conftest import Connect, Tab, a_class

# What a roster says does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def _shows(tab: Tab, room: int, user_id: int, **change: Any) -> None:
    """Wait until that is the last word about this person."""

    def last(told: Tab) -> dict[str, Any]:
        presences = [p for p in told.all("presence") if p.get("live_session_id") == room]
        changes = [c for p in presences for c in p["changes"] if c["user_id"] == user_id]
        return changes[-1] if changes else {}

    await tab.until(lambda told: change.items() <= last(told).items())


async def test_who_had_much_unread_is_told_as_soon_as_it_was_read(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    gateway, who = app[GATEWAY], world.id_of("cleo")
    (slow,) = [c for c in gateway.live.connections() if c.state.actor.id == world.id_of("bo")]
    behind = {slow}
    monkeypatch.setattr(Connection, "is_busy", property(lambda self: self in behind))
    gateway.presence.flush()
    await cleo.close()
    await _shows(ana, room, who, online=False, in_room=False)
    gateway.presence.flush()  # once more, and in vain
    assert (await bo.wish("leave", live_session_id=10**9))["ok"]  # behind everything told so far
    told = [c for p in bo.all("presence") for c in p["changes"] if c["user_id"] == who and not c["in_room"]]
    assert not told
    behind.clear()
    gateway.presence._news.mark((world.id_of("ana"), room), [])  # something new, with what was missed in one
    gateway.presence.flush()
    await _shows(bo, room, who, online=False, in_room=False, connections=0)
    assert {c["user_id"] for c in bo.all("presence")[-1]["changes"]} == {who, world.id_of("ana")}
    assert not gateway.presence._news._owed


async def test_who_is_passed_over_and_goes_is_forgotten(
    app: web.Application, world: World, tab: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ana, bo, cleo) = await a_class(tab, world, "ana", "bo", "cleo")
    gateway = app[GATEWAY]
    (slow,) = [c for c in gateway.live.connections() if c.state.actor.id == world.id_of("bo")]
    monkeypatch.setattr(Connection, "is_busy", property(lambda self: self is slow))
    assert (await cleo.wish("leave", live_session_id=room))["ok"]
    await _shows(ana, room, world.id_of("cleo"), in_room=False)
    assert list(gateway.presence._news._owed) == [slow]
    await bo.close()
    await _shows(ana, room, world.id_of("bo"), online=False)
    gateway.presence.flush()
    assert not gateway.presence._news._owed


async def test_who_still_reads_what_was_missed_hears_who_comes_and_goes(world: World, tab: Connect) -> None:
    """The roster came with the first page; no later page brings another."""
    row = await world.live_session(students=["bo", "cleo"])
    cleo, who = await tab("cleo"), world.id_of("cleo")
    started = await cleo.wish("join", live_session_id=row.id)
    await world.talk(row, ["cleo"], PAGE_EVENTS + 10)
    bo = await tab("bo")
    after = {"epoch": started["epoch"], "seq": started["seq"]}
    page = await bo.wish("join", live_session_id=row.id, after=after)
    assert page["more"] and {p["user"]["id"]: p["in_room"] for p in page["roster"]}[who]
    await cleo.close()
    await _shows(bo, row.id, who, online=False, in_room=False)
    rest = await bo.wish("sync", live_session_id=row.id, epoch=page["epoch"], after=page["seq"])
    assert not rest["more"]


async def test_a_guest_whose_last_tab_closes_outside_the_class_is_offline_in_it(world: World, tab: Connect) -> None:
    """A class without a course has no course's roster to tell its members by."""
    row = await world.live_session()
    async with world.database.work("guests") as work:
        await work.execute(update(LiveSession).where(LiveSession.id == row.id).values(course_id=None))
        guests = [
            {"live_session_id": row.id, "user_id": world.id_of(name), "created_at": work.now} for name in ("bo", "eve")
        ]
        await work.execute(insert(LiveSessionGuest), guests)
    bo, inside, outside = await tab("bo"), await tab("eve"), await tab("eve")
    for one in (bo, inside):
        assert (await one.wish("join", live_session_id=row.id))["ok"]
    await inside.close()
    await _shows(bo, row.id, world.id_of("eve"), online=True, in_room=False)
    await outside.close()
    await _shows(bo, row.id, world.id_of("eve"), online=False, in_room=False)
