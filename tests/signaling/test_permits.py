"""Whose packets may flow follows the room at once: policy, muting and removal reach the media worker."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiohttp import web

from server.app import GATEWAY
from server.live_sessions.tables import LiveSession
from signaling.media.client import MediaClient, MediaFull, Wish
from signaling.media_fleet import Seat
from tests.factories import World
from tests.signaling.conftest import Connect, Tab, a_class


class HeardWorker:
    """A media worker's client that remembers what it was told, and answers every offer alike."""

    connected = True

    def __init__(self) -> None:
        self.may: dict[int, frozenset[str]] = {}
        self.closed: list[str] = []
        self.wishes: list[dict[tuple[int, str], Wish]] = []
        self.permits: list[tuple[dict[int, frozenset[str]], list[int], int, str]] = []
        self.published: list[int] = []
        self.answering = lambda: None

    async def subscribe(self, room: int, peer: str, user: int) -> Any:
        raise MediaFull("It is full.")

    async def publish(self, room: int, peer: str, user: int, sdp: str, tracks: list[Any]) -> str:
        self.published.append(user)
        self.answering()
        return "v=0"

    def permit(
        self, room: int, may: dict[int, frozenset[str]], order: list[int], revision: int, epoch: str, faces: int
    ) -> None:
        self.may = may
        self.permits.append((may, order, revision, epoch))

    async def prefer(self, room: int, peer: str, wishes: dict[tuple[int, str], Wish]) -> None:
        self.wishes.append(wishes)

    def close_peer(self, room: int, peer: str, reason: str) -> None:
        self.closed.append(reason)

    def close_room(self, room: int) -> None:
        self.may = {}


class OnOneWorker:
    """Every room is on this worker; while `is_open` is cleared it takes time to find that out."""

    is_up = True

    def __init__(self, worker: HeardWorker) -> None:
        self.client = cast(MediaClient, worker)
        self.life = ""
        self.is_open, self.asked = asyncio.Event(), asyncio.Event()
        self.is_open.set()

    def seat(self, room: int) -> Seat:
        return Seat(self.client, self.life)

    async def place(self, room: int) -> MediaClient:
        self.asked.set()
        await self.is_open.wait()
        return self.client

    def forget(self, room: int) -> None:
        self.client.close_room(room)


@pytest.fixture
def worker(app: web.Application) -> HeardWorker:
    heard = HeardWorker()
    app[GATEWAY].media.use(OnOneWorker(heard))
    return heard


async def test_policy_mute_and_removal_decide_whose_packets_flow(
    worker: HeardWorker, tab: Connect, world: World
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    who, here = world.id_of("bo"), {"live_session_id": room}
    publish = {**here, "sdp": "v=0", "tracks": [{"mid": "0", "source": "microphone"}]}
    assert (await bo.wish("media_publish", **publish))["error"]["code"] == "not_allowed"
    await ana.durable("policy_set", **here, microphones="all")
    assert (await bo.wish("media_publish", **publish))["ok"]
    assert worker.may[who] == {"microphone"}

    mute = {**here, "user_id": who, "sources": ["microphone"]}
    await ana.durable("participant_mute", **mute, muted=True)
    assert who not in worker.may
    assert (await bo.wish("media_publish", **publish))["error"]["code"] == "not_allowed"
    await ana.durable("participant_mute", **mute, muted=False)
    await bo.until(lambda t: [e for e in t.events if e["type"] == "participant_muted"][1:])
    assert worker.may[who] == {"microphone"}

    await ana.durable("policy_set", **here, microphones="instructor")
    assert (await bo.hear_event("track_unpublished"))["payload"] == {"user_id": who, "source": "microphone"}
    assert who not in worker.may
    await ana.durable("participant_remove", **here, user_id=who)
    await bo.hear("room_closed")
    assert worker.closed == ["removed"]
    positions = [revision for _, _, revision, _ in worker.permits]
    assert positions == sorted(set(positions))
    async with world.database.read() as read:
        row = await read.get(LiveSession, room)
    assert row is not None and {epoch for *_, epoch in worker.permits} == {row.epoch}
    assert positions[-1] <= row.last_seq


async def put_out(ana: Tab, room: int, bo: int) -> None:
    assert (await ana.durable("participant_remove", live_session_id=room, user_id=bo))["ok"]


async def ended(ana: Tab, room: int, bo: int) -> None:
    assert (await ana.durable("session_end", live_session_id=room))["ok"]


@pytest.mark.parametrize(("end", "code"), [(put_out, "not_joined"), (ended, "session_not_live")])
async def test_who_is_out_by_the_time_a_worker_is_found_is_not_connected_to_it(
    worker: HeardWorker, app: web.Application, tab: Connect, world: World, end: Any, code: str
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    await ana.durable("policy_set", live_session_id=room, microphones="all")
    fleet = OnOneWorker(worker)
    app[GATEWAY].media.use(fleet)
    fleet.is_open.clear()
    tracks = [{"mid": "0", "source": "microphone"}]
    wish = asyncio.create_task(bo.wish("media_publish", live_session_id=room, sdp="v=0", tracks=tracks))
    await fleet.asked.wait()
    await end(ana, room, world.id_of("bo"))
    await bo.hear("room_closed")
    fleet.is_open.set()
    assert (await wish)["error"]["code"] in (code, "not_joined")
    assert not worker.published


async def test_tracks_of_a_worker_that_ends_as_it_answers_are_not_written_down(
    worker: HeardWorker, app: web.Application, tab: Connect, world: World
) -> None:
    room, (ana, bo) = await a_class(tab, world, "ana", "bo")
    fleet = OnOneWorker(worker)
    app[GATEWAY].media.use(fleet)
    publish = {"live_session_id": room, "sdp": "v=0", "tracks": [{"mid": "0", "source": "microphone"}]}
    worker.answering = lambda: setattr(fleet, "life", "the next")
    assert (await ana.wish("media_publish", **publish))["error"]["code"] == "media_away"
    worker.answering = lambda: None
    assert (await ana.wish("media_publish", **publish))["ok"]
    await bo.hear_event("track_published")
    assert [event["type"] for event in bo.events].count("track_published") == 1


async def test_what_a_tab_does_not_look_at_reaches_the_worker_and_nonsense_does_not(
    worker: HeardWorker, tab: Connect, world: World
) -> None:
    room, (bo,) = await a_class(tab, world, "bo")
    camera = {"user_id": world.id_of("ana"), "source": "camera", "width": 320, "paused": True}
    assert await bo.wish("media_prefer", live_session_id=room, sources=[camera]) == {"ok": True}
    for wrong in (
        [{**camera, "width": -1}],
        [{**camera, "source": "lamp"}],
        [{**camera, "more": 1}],
        [camera] * 33,
        None,
    ):
        answer = await bo.wish("media_prefer", live_session_id=room, sources=wrong)
        assert answer["error"]["code"] == "invalid", answer
    cleo = await tab("cleo")
    assert (await cleo.wish("media_prefer", live_session_id=room, sources=[camera]))["error"]["code"] == "not_joined"
    assert worker.wishes == [{(world.id_of("ana"), "camera"): Wish(paused=True, width=320)}]


async def test_a_full_worker_is_a_refusal_with_its_reason(worker: HeardWorker, tab: Connect, world: World) -> None:
    room, (bo,) = await a_class(tab, world, "bo")
    answer = await bo.wish("media_subscribe", live_session_id=room)
    assert (answer["ok"], answer["error"]["code"]) == (False, "media_full")
    assert answer["error"]["detail"] == "It is full."
