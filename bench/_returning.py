"""Many signed-in tabs on one real server: raw sockets that connect, answer pings, vanish together and come back.

Each tab behaves like the official client where it matters to a server: WebSocket, the token in its CONNECT, a pong for
every ping, a first pause of half to one and a half seconds before it comes back, longer ones after failures.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence

from bench._sink import Member, masked

PING, PONG = b"\x81\x012", "3"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0  # the official client's reconnectionDelay and reconnectionDelayMax
ACCEPTED_SECONDS = 60


class Tab(Member):
    """One connection of a tab; `gone` is set at its end."""

    def __init__(self, arrived: asyncio.Event, token: str) -> None:
        super().__init__(arrived)
        self.connect = b"40/live," + json.dumps({"token": token}).encode()
        self.is_gone = False

    def buffer_updated(self, nbytes: int) -> None:
        if self.accepted.done() and PING in bytes(self._buffer[:nbytes]):
            self.transport.write(masked(PONG.encode()))
        super().buffer_updated(nbytes)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        super().connection_lost(error)


class Crowd:
    """All tabs, one for each token. `failures` counts tries that ended without an acceptance."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        self._port, self._tokens = port, tokens
        self._arrived = asyncio.Event()
        self.tabs: list[Tab] = []
        self.failures = 0
        self.reasons: set[str] = set()

    async def come(self, *, pause: float = FIRST_PAUSE) -> float:
        """Connect everybody, each after its own random pause; the seconds until the last was accepted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.tabs = list(await asyncio.gather(*(self._come(token, pause) for token in self._tokens)))
        return loop.time() - began

    async def _come(self, token: str, pause: float) -> Tab:
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            try:
                async with asyncio.timeout(ACCEPTED_SECONDS):
                    _, tab = await asyncio.get_running_loop().create_connection(
                        lambda: Tab(self._arrived, token), "127.0.0.1", self._port
                    )
                    await tab.accepted
                    return tab
            except (OSError, TimeoutError) as error:
                self.failures += 1
                self.reasons.add(repr(error))
                pause = min(LONGEST_PAUSE, 2 * max(pause, FIRST_PAUSE))

    def vanish(self) -> None:
        """All connections are lost in one moment, without a word."""
        for tab in self.tabs:
            tab.transport.abort()

    @property
    def here(self) -> int:
        return sum(not tab.is_gone for tab in self.tabs)
