"""Packets through a real worker: who gets what, in which numbers, and what stops at once."""

from __future__ import annotations

import asyncio

from signaling.media.client import MediaClient
from tests.signaling.media.conftest import Told
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer, until

Web = tuple[MediaClient, Told]
ROOM, ANA, BO, CLEO = 7, 1, 2, 3
ALL = {"microphone", "camera", "screen", "screen_audio"}


async def test_a_permitted_publisher_reaches_a_subscriber_and_nobody_else_hears_before(web: Web) -> None:
    client, told = web
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    ana.send("microphone", count=5)
    ana.send("camera", key=True, count=5)
    stats = await until_unpermitted(client, 10)
    assert stats["rtp_out"] == 0
    assert not told.named("flowing")

    client.permit(ROOM, {ANA: ALL}, [ANA])
    await until(lambda: told.bindings_of(bo.name).get("1") == {"user_id": ANA, "source": "camera"})
    ana.send("microphone", count=5)
    ana.send("camera", key=True, count=5)
    await until(lambda: len(bo.packets["0"]) == 5 and len(bo.packets["1"]) == 5)
    assert set(bo.senders("0")) == set(bo.senders("1")) == {ANA}
    assert ("flowing", ROOM, ANA, "camera", True) in told.events


async def until_unpermitted(client: MediaClient, count: int) -> dict[str, int]:
    """Wait until the worker has dropped so many."""
    for _ in range(500):
        stats = (await client.stats())["counters"]
        if stats["unpermitted_dropped"] >= count:
            return dict(stats)
        await asyncio.sleep(0.01)
    raise AssertionError(stats)
