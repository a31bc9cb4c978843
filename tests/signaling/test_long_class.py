"""A long class is entered as quickly as a short one: little is read, however much was said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from server.app import build
from server.http.keys import READINESS
from server.live_sessions.tables import LiveSessionState
from server.settings import Settings
from signaling.rooms import log as timeline_log
from signaling.rooms.fitting import SNAPSHOT_BYTES
from signaling.rooms.keeping import EVERY
from signaling.rooms.state import TimelineEvent
from tests.factories import World
from tests.signaling.conftest import Tab

SAID = 3_000


@asynccontextmanager
async def _process(settings: Settings, world: World, person: str) -> AsyncIterator[Tab]:
    """A server that knows no room yet, and a tab of that person."""
    app = build(settings)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    app[READINESS].sockets_accepted = True
    tab = Tab(str(server.make_url("")).rstrip("/"))
    try:
        yield await tab.connect(world.token(person))
    finally:
        await tab.close()
        await server.close()


async def _kept_seq(world: World, room: int) -> int:
    async with world.database.read() as read:
        return await read.scalar(select(LiveSessionState.seq).filter_by(live_session_id=room)) or 0


async def test_a_process_that_does_not_know_the_class_reads_little_of_it(
    settings: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await world.live_session(students=["bo", "cleo"])
    await world.talk(row, ["ana", "bo"], SAID)
    async with _process(settings, world, "bo") as bo:
        assert (await bo.wish("join", live_session_id=row.id))["ok"]
        async with asyncio.timeout(30):
            while await _kept_seq(world, row.id) < SAID:
                await asyncio.sleep(0.01)
    await world.talk(row, ["cleo"], EVERY - 10)
    read: list[int] = []
    whole = timeline_log.events_after

    async def counted(*given: Any) -> list[TimelineEvent]:
        found = await whole(*given)
        read.append(len(found))
        return found

    monkeypatch.setattr(timeline_log, "events_after", counted)
    async with _process(settings, world, "cleo") as cleo:
        joined = await cleo.wish("join", live_session_id=row.id)
    said = [line["text"] for line in joined["snapshot"]["chat"]["lines"]]
    assert said == [f"This is line {seq} of a long class." for seq in range(row.last_seq - 99, row.last_seq + 1)]
    assert 0 < sum(read) <= EVERY + 10


@pytest.mark.parametrize(("lines", "more", "fewest_pages"), [(1_200, "", 3), (160, " And so on." * 360, 3)])
async def test_what_was_missed_comes_in_pages_that_can_trip_no_bound(
    settings: Settings, world: World, lines: int, more: str, fewest_pages: int
) -> None:
    row = await world.live_session(students=["bo"])
    await world.talk(row, ["ana"], lines, more=more)
    told: list[dict[str, Any]] = []
    async with _process(settings, world, "bo") as bo:
        page = await bo.wish("join", live_session_id=row.id, after={"epoch": row.epoch, "seq": 0})
        pages = [page]
        while page["more"]:
            page = await bo.wish("sync", live_session_id=row.id, epoch=page["epoch"], after=page["seq"])
            pages.append(page)
    for page in pages:
        assert 0 < len(page["events"]) <= 500
        assert sum(len(json.dumps(event, separators=(",", ":"))) for event in page["events"]) <= 256 * 1024
        assert page["seq"] == page["events"][-1]["seq"]
        told += page["events"]
    assert len(pages) >= fewest_pages
    assert [event["seq"] for event in told] == list(range(1, page["seq"] + 1))
    assert [event["payload"]["text"] for event in told if event["type"] == "chat_posted"] == [
        f"This is line {seq} of a long class.{more}" for seq in range(row.last_seq - lines + 1, row.last_seq + 1)
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_missed_five_thousand_is_given_events_and_who_missed_more_a_snapshot(
    settings: Settings, world: World
) -> None:
    row = await world.live_session(students=["bo"])
    await world.talk(row, ["ana"], 5_100)
    async with _process(settings, world, "bo") as bo:
        now = (await bo.wish("join", live_session_id=row.id))["seq"]
        for missed, is_whole in ((5_000, True), (5_001, False)):
            page = await bo.wish("sync", live_session_id=row.id, epoch=row.epoch, after=now - missed)
            assert ("events" in page, "snapshot" in page) == (is_whole, not is_whole)
            assert page["seq"] == (now - missed + 500 if is_whole else now)


async def test_joining_a_crowd_answers_a_snapshot_that_fits(settings: Settings, world: World) -> None:
    row = await world.live_session(students=["bo"])
    await world.crowd(row, range(10_000, 14_000))
    async with _process(settings, world, "bo") as bo:
        answer = await bo.wish("join", live_session_id=row.id)
    assert answer["ok"]
    shown = answer["snapshot"]
    assert len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode()) <= SNAPSHOT_BYTES
    ids = [one["user_id"] for one in shown["participants"]]
    assert ids[-2:] == [13_999, world.id_of("bo")] and ids[0] > 10_000
