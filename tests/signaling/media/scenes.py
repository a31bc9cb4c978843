"""What the tests of a real worker share: a room, its people, and how they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signaling.media.client import MediaClient
from tests.signaling.media.conftest import Told
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import until

Web = tuple[MediaClient, Told]
ROOM, ANA, BO, CLEO = 7, 1, 2, 3
ALL = {"microphone", "camera", "screen", "screen_audio"}


async def a_class(client: MediaClient) -> tuple[PublishingPeer, SubscribingPeer]:
    """Ana may send everything, Bo receives."""
    client.permit(ROOM, {ANA: ALL}, [ANA])
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    return ana, await SubscribingPeer(BO).subscribe(client, ROOM)


async def counted(client: MediaClient, enough: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """Wait until the worker's counters say so."""
    for _ in range(500):
        counters = dict((await client.stats())["counters"])
        if enough(counters):
            return counters
        await asyncio.sleep(0.01)
    raise AssertionError(counters)


async def arrived(subscriber: SubscribingPeer, mid: str, count: int) -> None:
    """Wait until so many packets came on an m-line."""
    await until(lambda: len(subscriber.packets[mid]) == count)
