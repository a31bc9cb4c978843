"""Two web processes tell one worker who may send: the later decision holds, in whatever order their words arrive."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from aiohttp.test_utils import TestServer

from server.app import GATEWAY
from signaling.media.room import Room
from tests.factories import World
from tests.signaling.across.conftest import Open
from tests.signaling.conftest import Tab
from tests.signaling.test_permits import HeardWorker, OnOneWorker


def _forwarding(words: list[tuple[Any, ...]]) -> dict[int, frozenset[str]]:
    """What a worker that was told this allows in the end."""
    room = Room(1, cast(Any, None), lambda *told: None)
    for word in words:
        room.permit(*word)
    return room.may


def _has_reached(seq: int, tab: Tab) -> bool:
    return bool(tab.events) and tab.events[-1]["seq"] >= seq


async def test_the_later_decision_holds_in_the_worker(
    processes: list[TestServer], world: World, open_tab: Open
) -> None:
    room = (await world.live_session(students=["bo"])).id
    who, here = world.id_of("bo"), {"live_session_id": room}
    workers = [HeardWorker(), HeardWorker()]
    for server, worker in zip(processes, workers, strict=True):
        server.app[GATEWAY].media.use(OnOneWorker(worker))
    ana, bo = await open_tab(0, "ana"), await open_tab(1, "bo")
    for one in (ana, bo):
        await one.wish("join", **here)
    await ana.wish("media_publish", **here, sdp="v=0", tracks=[{"mid": "0", "source": "microphone"}])
    await ana.durable("policy_set", **here, microphones="all")
    await bo.hear_event("policy_changed")
    await bo.wish("media_publish", **here, sdp="v=0", tracks=[{"mid": "0", "source": "microphone"}])
    for on in (True, False, True):
        muted = await ana.durable("participant_mute", **here, user_id=who, sources=["microphone"], muted=on)
        for one in (ana, bo):
            await one.until(partial(_has_reached, muted["seq"]))
    first, second = workers[0].permits, workers[1].permits
    assert all(who in may for may, *_ in (first[-2], second[-2]))  # each of them once said the opposite
    for words in ([*first, *second], [*second, *first], [*first[-1:], *second, *first], [*second[-1:], *first]):
        assert _forwarding(words).get(who) is None
