"""Whoever loses a right loses it everywhere: rooms, media, REST and streams, on every process, also without Redis.

The bounds: 2 s on the process that did it, 5 s on another, 15 s on another while Redis is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from server.accounts.service import end_sign_ins
from server.app import GATEWAY
from server.content.wiring import LIBRARY
from server.http.keys import DATABASE
from tests.factories import World
from tests.services import Redis
from tests.signaling.across.conftest import Apis, Open
from tests.signaling.conftest import Tab
from tests.signaling.test_permits import HeardWorker, OnOneWorker

DAN = "dan"  # an expert elsewhere, and a student here
KEY = "videos/aa/aabb/video-0123456789abcdef.mp4"


@dataclass
class Scene:
    """Dan is in ana's class through one process; his rights are taken through the first."""

    server: TestServer
    apis: Apis
    world: World
    ana: Tab
    dan: Tab
    worker: HeardWorker
    process: int
    course_id: int
    room: int
    stream: str

    @property
    def who(self) -> int:
        return self.world.id_of(DAN)

    async def is_streamed(self) -> bool:
        """Whether his ticket still opens the lesson, at his process."""
        async with aiohttp.ClientSession() as session, session.get(self.stream) as answer:
            return answer.status == 200

    async def code(self, method: str, path: str, body: Any = None) -> str:
        """What his process refuses this call of his with."""
        return (await self.apis(self.process, DAN).call(method, path, body)).code


async def _unenrolled(scene: Scene) -> None:
    await scene.apis(0, "ana").delete(f"/courses/{scene.course_id}/enrollments/{scene.who}")


async def _removed(scene: Scene) -> None:
    assert (await scene.ana.durable("participant_remove", live_session_id=scene.room, user_id=scene.who))["ok"]


async def _demoted(scene: Scene) -> None:
    assert (await scene.apis(0, "root").patch(f"/users/{scene.who}", {"role": "student"})).status == 200


async def _disabled(scene: Scene) -> None:
    assert (await scene.apis(0, "root").patch(f"/users/{scene.who}", {"disabled": True})).status == 200


async def _signed_out(scene: Scene) -> None:
    async with scene.server.app[DATABASE].work() as work:
        await end_sign_ins(work, scene.who, "everywhere")


@dataclass(frozen=True)
class Loss:
    """How a right is lost, and what is refused from then on."""

    act: Callable[[Scene], Awaitable[None]]
    closed: str | None  # the reason of room_closed; None when the whole connection ends
    code: str
    method: str
    path: str
    body: Any = None
    ends_streams: bool = False


LOSSES = {
    "unenrolled": Loss(_unenrolled, "revoked", "not_found", "GET", "/live-sessions/{room}", ends_streams=True),
    "removed": Loss(_removed, "removed", "removed_from_session", "GET", "/live-sessions/{room}/timeline"),
    "demoted": Loss(_demoted, None, "expert_only", "POST", "/live-sessions", {"title": "Mine"}),
    "disabled": Loss(_disabled, None, "unauthenticated", "GET", "/live-sessions/{room}", ends_streams=True),
    "signed out": Loss(_signed_out, None, "unauthenticated", "GET", "/live-sessions/{room}"),
}


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest, processes: list[TestServer], world: World, open_tab: Open, apis: Apis
) -> Scene:
    process: int = request.param
    worker = HeardWorker()
    processes[process].app[GATEWAY].media.use(OnOneWorker(worker))
    course = await world.course("ana", [DAN])
    storage = processes[0].app[LIBRARY].storage
    part = storage.new_part()
    part.write_bytes(bytes(1000))
    storage.adopt(KEY, part)
    lesson = await world.content(course, file_url=KEY, served_mime_type="video/mp4", original_key=KEY)
    room = (await world.live_session(course=course)).id
    ana, dan = await open_tab(0, "ana"), await open_tab(process, DAN)
    for one in (ana, dan):
        await one.wish("join", live_session_id=room)
    await ana.durable("policy_set", live_session_id=room, microphones="all")
    await dan.hear_event("policy_changed")
    tracks = [{"mid": "0", "source": "microphone"}]
    assert (await dan.wish("media_publish", live_session_id=room, sdp="v=0", tracks=tracks))["ok"]
    stream = (await apis(process, DAN).get(f"/content/{lesson.id}")).json["file_url"]
    at_its_process = str(processes[process].make_url(stream[stream.index("/media/") :]))
    made = Scene(processes[0], apis, world, ana, dan, worker, process, course.id, room, at_its_process)
    assert await made.is_streamed()
    return made


async def _is_lost(scene: Scene, loss: Loss, seconds: float) -> None:
    path = loss.path.format(room=scene.room)
    async with asyncio.timeout(seconds):
        await loss.act(scene)
        if loss.closed is None:
            await scene.dan.io.wait()
        else:
            assert (await scene.dan.hear("room_closed"))["reason"] == loss.closed
        while not scene.worker.closed:
            await asyncio.sleep(0.01)
        while (await scene.code(loss.method, path, loss.body)) != loss.code:
            await asyncio.sleep(0.05)
        while loss.ends_streams and await scene.is_streamed():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("scene", [0], indirect=True, ids=["here"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_within_two_seconds_on_the_same_process(scene: Scene, loss: Loss) -> None:
    await _is_lost(scene, loss, 2)


@pytest.mark.parametrize("scene", [1], indirect=True, ids=["there"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_within_five_seconds_on_another(scene: Scene, loss: Loss) -> None:
    await _is_lost(scene, loss, 5)


@pytest.mark.parametrize("scene", [1], indirect=True, ids=["there"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_within_fifteen_seconds_on_another_while_redis_is_away(
    scene: Scene, loss: Loss, own_redis: Redis
) -> None:
    own_redis.kill()
    await _is_lost(scene, loss, 15)
