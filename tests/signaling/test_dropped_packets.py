"""A right to speak that ends is silence in the server within a tenth of a second, though the browser goes on sending:
the whole product, a real media worker, and a sender that never stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from server.app import GATEWAY
from tests.api import Api
from tests.factories import World
from tests.signaling.conftest import Connect, Tab
from tests.signaling.media.conftest import Worker, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import Described, until

DROPPED_SECONDS = 0.1  # from the acknowledgement to the last packet that was forwarded
PACE_SECONDS = 0.01  # between the sender's packets
WATCHED_PACKETS = 30  # sent after the acknowledgement; none may be forwarded from DROPPED_SECONDS on
RUNNING_IN = 5  # packets that must have come through before

ApiOf = Callable[[str | None], Api]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    running = start_worker(f"unix:{tmp_path_factory.mktemp('media')}/media.sock")
    yield running
    assert running.stop() == 0


@dataclass
class Class:
    """Ana, who listens, and Bo, who has the floor and sends without end."""

    room: int
    course: int
    ana: Tab
    bo: int
    api: Api
    sender: PublishingPeer
    sent: int = 0
    came: list[float] = field(default_factory=list)  # when each of his packets reached her

    async def send_on(self) -> None:
        """Sound and picture, whatever the server says."""
        while True:
            self.sender.send("microphone")
            self.sender.send("camera", key=self.sent % 10 == 0)
            self.sent += 2
            await asyncio.sleep(PACE_SECONDS)


async def joined_media(ana: Tab, bo: Tab, room: int, sender: PublishingPeer, viewer: SubscribingPeer) -> None:
    """Both sides connect through the product's own wishes."""
    tracks = [{"mid": mid, "source": source} for source, mid in sender.mids.items()]
    answer = await bo.wish("media_publish", live_session_id=room, sdp=sender.offer(), tracks=tracks)
    await sender.wire.connect(Described.read(answer["sdp"]))
    offer = await ana.wish("media_subscribe", live_session_id=room)
    described = viewer.read_offer(offer["revision"], offer["sdp"], offer["bindings"])
    said = {"revision": offer["revision"], "sdp": viewer.answer(described)}
    assert (await ana.wish("media_answer", live_session_id=room, **said))["ok"]
    await viewer.wire.connect(described)


@pytest.fixture
async def a_class(app: web.Application, worker: Worker, tab: Connect, api: ApiOf, world: World) -> AsyncIterator[Class]:
    course = await world.course("ana", ["bo"])
    room = (await world.live_session(course=course)).id
    ana, bo = await tab("ana"), await tab("bo")
    await app[GATEWAY].use_media(worker.control, None)
    await until(lambda: app[GATEWAY].media.is_up)
    for one in (ana, bo):
        assert (await one.wish("join", live_session_id=room))["ok"]
    who = world.id_of("bo")
    assert (await ana.durable("floor_give", live_session_id=room, user_id=who))["ok"]
    sender, viewer = PublishingPeer(who), SubscribingPeer(world.id_of("ana"))
    await joined_media(ana, bo, room, sender, viewer)
    made = Class(room, course.id, ana, who, api("ana"), sender)
    keep = viewer.wire.on_rtp

    def heard(packet: Any) -> None:
        made.came.append(time.monotonic())
        keep(packet)

    viewer.wire.on_rtp = heard
    sending = asyncio.create_task(made.send_on())
    await until(lambda: len(made.came) >= RUNNING_IN)
    yield made
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending


async def muted(a_class: Class) -> None:
    sources = ["microphone", "camera"]
    wish = {"live_session_id": a_class.room, "user_id": a_class.bo, "sources": sources, "muted": True}
    assert (await a_class.ana.durable("participant_mute", **wish))["ok"]


async def floor_taken(a_class: Class) -> None:
    assert (await a_class.ana.durable("floor_take", live_session_id=a_class.room, user_id=a_class.bo))["ok"]


async def removed(a_class: Class) -> None:
    assert (await a_class.ana.durable("participant_remove", live_session_id=a_class.room, user_id=a_class.bo))["ok"]


async def revoked(a_class: Class) -> None:
    answer = await a_class.api.delete(f"/courses/{a_class.course}/enrollments/{a_class.bo}")
    assert answer.status == 204


@pytest.mark.parametrize("end", [muted, floor_taken, removed, revoked])
async def test_packets_stop_within_a_tenth_of_a_second_though_they_keep_coming(
    a_class: Class, end: Callable[[Class], Awaitable[None]]
) -> None:
    await end(a_class)
    acknowledged, sent = time.monotonic(), a_class.sent
    await until(lambda: a_class.sent >= sent + 2 * WATCHED_PACKETS)
    last = a_class.came[-1] - acknowledged
    print(f"{end.__name__}: the last packet came {last * 1000:+.1f} ms after the acknowledgement")
    assert last <= DROPPED_SECONDS
    assert time.monotonic() - acknowledged > 2 * DROPPED_SECONDS
