"""Members of rooms: they enter, catch up, write lines, are cut off and come back as the official client would."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.load_test.ledger import Ledger, Position
from server.load_test.process import HOST
from server.load_test.socket import CUT_OFF, Answer, Broadcasts, LoadSocket, Refused
from server.load_test.world import Person

ENTERING = 32  # members entering at once at the beginning
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 5.0  # of the official client's reconnection, each by 0.5 to 1.5
IN_FLIGHT = 8  # lines of one member on their way; more at once would be a flood, for which the server cuts it off
RETRY_SECONDS = 0.2  # before an unanswered line is sent again under its client_id


@dataclass(slots=True)
class Crowd:
    """What all members share: where they go, and what went wrong."""

    port: int
    broadcasts: Broadcasts = field(default_factory=Broadcasts)
    refusals: Counter[str] = field(default_factory=Counter)
    server_errors: int = 0
    given_up: int = 0  # lines that were refused or cut off, and not to be sent again

    def refused(self, error: Refused) -> None:
        self.refusals[error.code] += 1
        self.server_errors += error.status >= 500

    async def enter(self, members: Sequence[Member], entered: Callable[[int], None]) -> None:
        """Everybody comes in, ENTERING at once; `entered` is told how many are. Raises Refused, OSError."""
        waiting, done = iter(members), 0

        async def usher() -> None:
            nonlocal done
            for member in waiting:
                await member.enter()
                done += 1
                entered(done)

        async with asyncio.TaskGroup() as group:
            for _ in range(ENTERING):
                group.create_task(usher())


class Member:
    """One person's tab in one room."""

    def __init__(self, crowd: Crowd, person: Person, live_session_id: int, ledger: Ledger) -> None:
        self._crowd, self._person, self._room = crowd, person, live_session_id
        self._loop = asyncio.get_running_loop()
        self.ledger, self.position = ledger, Position(ledger)
        self.socket: LoadSocket | None = None
        self._is_caught_up = False
        self._unsent: deque[tuple[str, str, bool]] = deque()
        self._in_flight = 0

    async def enter(self) -> None:
        """Connect, join where it was, fetch what it missed. Raises Refused, ConnectionError."""
        self._is_caught_up = False
        socket = await LoadSocket.connect(
            HOST, self._crowd.port, self._person.token, self._crowd.broadcasts, self._hear
        )
        self.socket = socket
        here = {"live_session_id": self._room}
        position = self.position
        after = {"after": {"epoch": position.epoch, "seq": position.seq}} if position.epoch else {}
        await socket.ask("join", {**here, **after}, self._page)
        while not self._is_caught_up:
            await socket.ask("sync", {**here, "epoch": position.epoch, "after": position.seq}, self._page)

    def _page(self, answer: Answer) -> None:
        if "events" in answer:
            self.position.take(answer["events"], self._loop.time(), is_live=False)
            self._is_caught_up = not answer["more"]
        else:
            self.position.begin(answer["epoch"], answer["seq"])
            self._is_caught_up = True

    async def come_back(self) -> float:
        """Enter again, after the official client's pauses, until it succeeds; when that was."""
        delay = FIRST_DELAY_SECONDS
        while True:
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))
            try:
                await self.enter()
            except Refused as error:
                self._crowd.refused(error)
            except OSError:
                pass  # nobody listens yet, or it was cut again
            else:
                return self._loop.time()
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    def cut(self) -> None:
        """The connection is gone without a word."""
        if self.socket is not None:
            self.socket.abort()

    def post(self, text: str, *, until_kept: bool = False) -> None:
        """Write one line; with `until_kept` it is sent again, under the same client_id, until it is acknowledged."""
        client_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        self.ledger.sent[client_id] = self._loop.time()
        self._unsent.append((client_id, text, until_kept))
        self._send()

    def _send(self) -> None:
        while self._unsent and self._in_flight < IN_FLIGHT:
            self._in_flight += 1
            self._send_one(*self._unsent.popleft())

    def _send_one(self, client_id: str, text: str, until_kept: bool) -> None:
        def answered(answer: Answer) -> None:
            if answer is not CUT_OFF and not answer["ok"]:
                self._crowd.refused(Refused(answer["error"]["code"], int(answer["error"]["status"])))
            if not answer["ok"] and until_kept:
                self._loop.call_later(RETRY_SECONDS, self._send_one, client_id, text, until_kept)
                return
            self._crowd.given_up += not answer["ok"]
            if answer["ok"]:
                self.ledger.acknowledge(client_id, answer["seq"], self._loop.time())
            self._in_flight -= 1
            self._loop.call_soon(self._send)

        wish = {"live_session_id": self._room, "client_id": client_id, "text": text}
        if self.socket is None:
            answered(CUT_OFF)
        else:
            self.socket.wish("chat_send", wish, answered)

    def _hear(self, event: str, payload: Any) -> None:
        if event == "timeline" and payload["live_session_id"] == self._room:
            self.position.take(payload["events"], self._loop.time())
