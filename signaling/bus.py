"""The doorbell between web processes: room events and facts that another process committed. Never the truth.

Redis pub/sub carries one channel per room, subscribed only while somebody here is in it, and one for facts. A bell may
be lost: healer.py compares rooms with the log. Losing Redis delays what crosses processes; it loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signaling.facts import facts_from_json, facts_to_json
from signaling.rooms.state import TimelineEvent

WAITING_BELLS = 2_000  # not yet published; the oldest are dropped first, and healing brings what they announced
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
LISTEN_SECONDS = 0.2  # how late a change of watched rooms reaches Redis at the most
PING_SECONDS = 1.0  # a half-open connection is found within this and ANSWER_SECONDS
ANSWER_SECONDS = 1.5
LAST_BELLS_SECONDS = 0.5  # to publish them when closing
CANCELLATIONS = 10  # Redis's client loses one that meets the end of what it waits for
ROOM, FACTS = "lectern:room:", "lectern:facts"
log = structlog.get_logger(__name__)


class Bus(Protocol):
    """What the rest needs of it."""

    is_up: bool

    def ring(self, live_session_id: int, epoch: str, events: Sequence[TimelineEvent]) -> None:
        """Other processes may tell their members of these committed events."""

    def tell(self, facts: Sequence[object]) -> None:
        """Other processes may announce these facts."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class NoBus:
    """One process hears everything by itself."""

    is_up = True

    def ring(self, live_session_id: int, epoch: str, events: Sequence[TimelineEvent]) -> None:
        """Nobody else listens."""

    def tell(self, facts: Sequence[object]) -> None:
        """Nobody else listens."""

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Nothing to close."""


class RedisBus:
    """Calls back in the loop, never awaiting.

    `watched()` are the rooms somebody here is in. `on_room(id, epoch, events)` and `on_facts(facts)` are for other
    processes' bells; `on_missed(ids)` for rooms whose bells may have been missed until now.
    """

    def __init__(
        self,
        url: str,
        *,
        watched: Callable[[], Iterable[int]],
        on_room: Callable[[int, str, Sequence[TimelineEvent]], None],
        on_facts: Callable[[Sequence[object]], None],
        on_missed: Callable[[Iterable[int]], None],
    ) -> None:
        self._url, self._watched = url, watched
        self._on_room, self._on_facts, self._on_missed = on_room, on_facts, on_missed
        self._self = secrets.token_hex(8)
        self._bells: deque[tuple[str, str]] = deque(maxlen=WAITING_BELLS)
        self._rung = asyncio.Event()
        self._is_closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self.is_up = False

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._publish())]

    async def close(self) -> None:
        """Publish what waits, then end; bounded, whatever Redis does."""
        tasks, self._tasks = set(self._tasks), []
        if not tasks:
            return
        self._is_closing = True
        self._rung.set()
        await asyncio.wait(tasks, timeout=LAST_BELLS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(CANCELLATIONS):
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=LAST_BELLS_SECONDS)
            if not tasks:
                return

    def ring(self, live_session_id: int, epoch: str, events: Sequence[TimelineEvent]) -> None:
        if events:
            self._put(f"{ROOM}{live_session_id}", {"epoch": epoch, "events": [event.wire() for event in events]})

    def tell(self, facts: Sequence[object]) -> None:
        if shown := facts_to_json(facts):
            self._put(FACTS, {"facts": shown})

    def _put(self, channel: str, message: dict[str, Any]) -> None:
        self._bells.append((channel, json.dumps({"from": self._self, **message}, separators=(",", ":"))))
        self._rung.set()

    def _connect(self) -> Redis:
        return Redis.from_url(
            self._url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=2,
            health_check_interval=int(PING_SECONDS),
        )

    async def _publish(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        client = self._connect()
        lost = 0
        try:
            while not self._is_closing or self._bells:
                await self._rung.wait()
                self._rung.clear()
                batch = [self._bells.popleft() for _ in range(len(self._bells))]
                try:
                    async with client.pipeline(transaction=False) as pipe:
                        for channel, message in batch:
                            pipe.publish(channel, message)
                        await pipe.execute()
                    if lost:
                        log.warning("bells were lost", count=lost)
                    pause, lost = FIRST_PAUSE_SECONDS, 0
                except (RedisError, OSError, TimeoutError):
                    # Lost bells are not repeated: by then the other processes have compared with the log.
                    lost += len(batch)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        finally:
            await client.aclose()

    async def _listen(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, TimeoutError) as error:
                if self.is_up:
                    log.warning("redis lost", reason=str(error)[:200])
                self.is_up = False
            except Exception:
                log.exception("a bell was not taken")  # a fault of ours; whoever hears on must not end with it
                self.is_up = False
            await asyncio.sleep(pause)
            pause = LONGEST_PAUSE_SECONDS if not self.is_up else FIRST_PAUSE_SECONDS

    async def _hear(self) -> None:
        client = self._connect()
        subscribed: set[int] = set()
        try:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(FACTS)
                self.is_up = True
                loop = asyncio.get_running_loop()
                pinged = loop.time()
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=LISTEN_SECONDS)
                    if message is not None and message["type"] == "message":
                        self._take(message["channel"].decode(), message["data"])
                    await self._follow(pubsub, subscribed)
                    if loop.time() - pinged > PING_SECONDS:
                        pinged = loop.time()
                        await pubsub.ping()
                        await client.ping()
        finally:
            await client.aclose()

    async def _follow(self, pubsub: Any, subscribed: set[int]) -> None:
        watched = set(self._watched())
        new, gone = watched - subscribed, subscribed - watched
        if new:
            await pubsub.subscribe(*(f"{ROOM}{number}" for number in new))
            self._on_missed(new)
        if gone:
            await pubsub.unsubscribe(*(f"{ROOM}{number}" for number in gone))
        subscribed ^= new | gone

    def _take(self, channel: str, data: bytes) -> None:
        try:
            message = json.loads(data)
            if message["from"] == self._self:
                return
            if channel == FACTS:
                self._on_facts(facts_from_json(message["facts"]))
            else:
                events = [_event(told) for told in message["events"]]
                self._on_room(int(channel.removeprefix(ROOM)), message["epoch"], events)
        except (ValueError, KeyError, TypeError):
            log.warning("bell not understood", channel=channel)


def _event(told: dict[str, Any]) -> TimelineEvent:
    at = datetime.fromisoformat(told["at"])
    return TimelineEvent(told["seq"], at, told["type"], told["actor_id"], told.get("client_id"), told["payload"])
