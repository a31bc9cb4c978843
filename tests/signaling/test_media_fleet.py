"""Two real media workers behind the whole product: classes are spread, and one whose worker is killed goes on."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import select

from server.app import GATEWAY
from server.live_sessions.tables import MediaPlacement
from signaling.media_fleet import FULL, Fleet
from tests.factories import World
from tests.signaling.conftest import Connect, Tab, a_class
from tests.signaling.media.conftest import Worker, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import until
from tests.signaling.test_dropped_packets import joined_media

Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start("--option", ...)`: one more worker, at an address that is not as long as a test's name."""
    folder = tmp_path_factory.mktemp("media")
    with ExitStack() as stack:

        def one(*options: str) -> Worker:
            running = start_worker(f"unix:{folder}/{secrets.token_hex(4)}.sock", *options)
            stack.callback(running.stop)
            return running

        yield one


async def a_fleet(app: web.Application, workers: Sequence[Worker]) -> Fleet:
    """The application knows these, and their rows are written."""
    gateway = app[GATEWAY]
    await gateway.use_media(",".join(worker.control for worker in workers), None)
    await until(lambda: all(worker.running for worker in gateway.fleet.workers))
    return gateway.fleet


@dataclass
class Class:
    """Ana sends, Bo receives; the number of the worker they are on."""

    room: int
    ana: Tab
    bo: Tab
    worker: int


async def with_media(fleet: Fleet, world: World, room: int, ana: Tab, bo: Tab) -> Class:
    """Both connect, and her sound reaches him."""
    sender, viewer = PublishingPeer(world.id_of("ana")), SubscribingPeer(world.id_of("bo"))
    await joined_media(bo, ana, room, sender, viewer)
    await flows(sender, viewer)
    for peer in (sender, viewer):
        peer.wire.silence()
    seat = fleet.seat(room)
    assert seat is not None
    return Class(room, ana, bo, [worker.client for worker in fleet.workers].index(seat.client))


async def flows(sender: PublishingPeer, viewer: SubscribingPeer) -> None:
    """Until her sound reaches him."""
    while not viewer.packets["0"]:
        sender.send("microphone")
        await asyncio.sleep(0.02)


async def test_classes_are_spread_and_one_whose_worker_is_killed_goes_on_at_another(
    start: Start, app: web.Application, tab: Connect, world: World
) -> None:
    workers = [start(), start()]
    classes: list[Class] = []
    for _ in range(2):
        room, (ana, bo) = await a_class(tab, world, "ana", "bo")
        if not classes:
            fleet = await a_fleet(app, workers)
        classes.append(await with_media(fleet, world, room, ana, bo))
    assert {one.worker for one in classes} == {0, 1}

    hit, spared = classes
    workers[hit.worker].kill()
    for one in (hit.ana, hit.bo):
        await one.until(lambda tab: len(tab.all("media_closed")) == 2)
        assert {(told["live_session_id"], told["reason"]) for told in one.all("media_closed")} == {
            (hit.room, "worker_lost")
        }
    await hit.bo.until(lambda tab: [e["type"] for e in tab.events].count("track_unpublished") == 2)
    late = await hit.bo.wish("media_answer", live_session_id=hit.room, revision=1, sdp="v=0")  # to the worker that was
    assert late["error"]["code"] == "media_refused"
    again = await with_media(fleet, world, hit.room, hit.ana, hit.bo)
    assert again.worker == spared.worker
    tracks = [e["type"] for e in hit.bo.events if e["type"].startswith("track_")]
    assert tracks == ["track_published"] * 2 + ["track_unpublished"] * 2 + ["track_published"] * 2
    assert not spared.ana.all("media_closed")
    assert not spared.bo.all("media_closed")

    await hit.ana.durable("session_end", live_session_id=hit.room)
    await until(lambda: fleet.seat(hit.room) is None)

    for _ in range(200):
        async with world.database.read() as read:
            placed = list(await read.scalars(select(MediaPlacement.live_session_id)))
        if placed == [spared.room]:
            break
        await asyncio.sleep(0.02)
    assert placed == [spared.room]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what is shown is the worker
async def test_a_class_leaves_a_worker_that_stands_still_and_that_one_awake_again_forwards_nothing_of_it(
    start: Start, app: web.Application, tab: Connect, world: World
) -> None:
    workers = [start(), start()]
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    fleet = await a_fleet(app, workers)
    sender, viewer = PublishingPeer(world.id_of("ana")), SubscribingPeer(world.id_of("bo"))
    await joined_media(bo, ana, room, sender, viewer)
    await flows(sender, viewer)
    (held,) = [worker for worker in fleet.workers if (seat := fleet.seat(room)) and worker.client is seat.client]
    before = (await held.client.stats())["counters"]

    workers[held.number].process.send_signal(signal.SIGSTOP)
    for one in (ana, bo):
        await one.until(lambda tab: len(tab.all("media_closed")) == 2)
        assert {told["reason"] for told in one.all("media_closed")} == {"worker_lost"}
    sender.send("microphone", count=40)  # the old connection's browser has not heard yet; this waits unread
    assert (await with_media(fleet, world, room, ana, bo)).worker != held.number

    workers[held.number].process.send_signal(signal.SIGCONT)
    await until(lambda: held.client.connected)
    after = await held.client.stats()
    assert after["counters"]["rtp_out"] == before["rtp_out"]
    assert after["counters"]["strangers_dropped"] >= before["strangers_dropped"] + 40
    assert (after["rooms"], after["publishers"], after["subscribers"]) == (0, 0, 0)
    await until(lambda: held.running)  # for other classes
    assert not fleet.is_on(room, held.client)
    assert not any(told["reason"] != "worker_lost" for one in (ana, bo) for told in one.all("media_closed"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what is shown is the workers
async def test_a_worker_at_capacity_takes_no_new_class_and_when_all_are_a_class_is_refused_with_the_reason(
    start: Start, app: web.Application, tab: Connect, world: World
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    full, other = start("--most-load", "0"), start()
    fleet = await a_fleet(app, [full, other])
    await until(lambda: fleet.workers[0].client.is_full)
    assert (await with_media(fleet, world, room, ana, bo)).worker == 1
    other.kill()
    await bo.until(lambda tab: len(tab.all("media_closed")) == 2)
    refused = await bo.wish("media_subscribe", live_session_id=room)
    assert (refused["error"]["code"], refused["error"]["detail"]) == ("media_full", FULL)


async def test_metrics_show_each_source_of_a_room_while_it_lasts(
    start: Start, app: web.Application, tab: Connect, world: World, live_url: str
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    await with_media(await a_fleet(app, [start()]), world, room, ana, bo)

    async def shown() -> list[str]:
        async with aiohttp.ClientSession() as session, session.get(f"{live_url}/metrics") as answer:
            return [line for line in (await answer.text()).splitlines() if line.startswith("lectern_media_")]

    lines = await shown()
    source = f'{{layer="",media_worker="0",room="{room}",source="microphone",user="{world.id_of("ana")}"}}'
    values = dict(line.rsplit(" ", 1) for line in lines)
    assert float(values[f"lectern_media_source_packets_total{source}"]) >= 1
    assert float(values[f"lectern_media_source_bytes_total{source}"]) > 200
    assert values[f"lectern_media_source_lost_total{source}"] == "0.0"
    assert values[f"lectern_media_source_retransmitted_total{source}"] == "0.0"
    assert values[f"lectern_media_source_subscribers{source}"] == "1.0"
    assert values[f'lectern_media_room_subscribers{{media_worker="0",room="{room}"}}'] == "1.0"
    assert values['lectern_media_rooms{media_worker="0"}'] == "1.0"
    assert float(values['lectern_media_load{media_worker="0"}']) >= 0
    await ana.durable("session_end", live_session_id=room)
    await bo.hear("room_closed")
    assert not [line for line in await shown() if f'room="{room}"' in line]
