"""The doorbell itself, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from signaling.bus import RedisBus
from signaling.rooms.effects import RoomOpened
from tests.services import Redis


async def test_a_bell_whose_hearing_fails_is_not_the_last_one_heard(own_redis: Redis) -> None:
    heard, both = list[object](), asyncio.Event()

    def hear(facts: Sequence[object]) -> None:
        heard.extend(facts)
        if heard == [RoomOpened(1)]:
            raise RuntimeError("a fault of ours")
        both.set()

    ringing, hearing = _bus(own_redis, lambda facts: None), _bus(own_redis, hear)
    await ringing.start()
    await hearing.start()
    try:
        async with asyncio.timeout(30):
            await _up(ringing, hearing)
            ringing.tell([RoomOpened(1)])
            while heard != [RoomOpened(1)]:
                await asyncio.sleep(0.01)
            while hearing.is_up:
                await asyncio.sleep(0.01)  # whoever asks meanwhile asks the database more often
            await _up(hearing)
            ringing.tell([RoomOpened(2)])
            await both.wait()
        assert heard == [RoomOpened(1), RoomOpened(2)]
    finally:
        await ringing.close()
        await hearing.close()


def _bus(redis: Redis, hear: object) -> RedisBus:
    return RedisBus(
        redis.url,
        watched=list,
        on_room=lambda *_: None,
        on_facts=hear,  # type: ignore[arg-type]
        on_missed=lambda ids: None,
    )


async def _up(*buses: RedisBus) -> None:
    while not all(bus.is_up for bus in buses):
        await asyncio.sleep(0.01)
