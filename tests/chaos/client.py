"""A light real client: Engine.IO and Socket.IO by hand over a WebSocket, with the page's manners.

It comes back by itself, says which events it has, and sends each wish under its one client_id until it is answered for
good. What it is told goes into its View, unfiltered, so that the checker sees what the server did.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.chaos.checker import History, View, Wish

ANSWER_SECONDS = 8.0  # then a wish is sent again, and a join that is not answered ends the connection
CONNECT_SECONDS = 8.0
BACK_OFF_SECONDS = (0.25, 1.0)  # the page's: doubling from the first to the second, shifted by up to half
AGAIN_SECONDS = 0.5
NOT_NOW = {"rate_limited"}  # beside everything with status 503


class Gone(Exception):
    """This connection is of no use any more; the text says why."""


class LightClient:
    """One person's one tab."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        person: str,
        user_id: int,
        *,
        port: int,
        token: Callable[[], str],
        room: int,
        history: History,
        chance: random.Random,
    ) -> None:
        self.person, self.user_id, self.room, self.port = person, user_id, room, port
        self.view = history.views.setdefault(person, View(person))
        self.is_live = False
        self.ends: list[str] = []  # why its connections ended
        self._http, self._token, self._history, self._chance = http, token, history, chance
        self._waiting: dict[str, Wish] = {}
        self._acks: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._numbers = itertools.count(1)
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._limit = asyncio.timeout(None)
        self._silence = 20.0
        self._asked_pause = 0.0  # seconds; what a closing server asked for
        self._task: asyncio.Task[None] | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def move(self, port: int) -> None:
        """Give up this connection and come back by another server."""
        await self.close()
        self.port = port
        self.start()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for timer in self._timers:
            timer.cancel()
        self.is_live, self._ws = False, None
        self._acks.clear()

    def wish(self, event: str, **payload: Any) -> Wish:
        """Send until answered; returns at once."""
        made = Wish(str(uuid.uuid4()), self.person, self.user_id, event, payload, time.monotonic())
        self._history.wishes[made.client_id] = self._waiting[made.client_id] = made
        self._attempt(made)
        return made

    async def _run(self) -> None:
        pause, longest = BACK_OFF_SECONDS
        while True:
            try:
                await self._connection()
            except (Gone, aiohttp.ClientError, OSError, TimeoutError) as error:
                self.ends.append(f"{type(error).__name__} {error}")
            if self.is_live:
                pause = BACK_OFF_SECONDS[0]
            self.is_live, self._ws = False, None
            self._acks.clear()
            asked, self._asked_pause = self._asked_pause, 0.0
            await asyncio.sleep(max(asked, pause * self._chance.uniform(0.5, 1.5)))
            pause = min(2 * pause, longest)

    async def _connection(self) -> None:
        url = f"http://127.0.0.1:{self.port}/socket.io/?EIO=4&transport=websocket"
        async with asyncio.timeout(CONNECT_SECONDS) as self._limit:
            quick = aiohttp.ClientWSTimeout(ws_close=0.1)
            async with self._http.ws_connect(url, timeout=quick) as self._ws:
                while True:
                    message = await self._ws.receive()
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        raise Gone(f"{message.type.name} {message.data} {message.extra}")
                    if self.is_live:
                        self._within(self._silence)
                    await self._hear(message.data)

    def _within(self, seconds: float) -> None:
        """This connection ends unless something happens by then."""
        self._limit.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _hear(self, packet: str) -> None:
        assert self._ws is not None
        if packet == "2":
            await self._ws.send_str("3")
        elif packet.startswith("0"):
            opening = json.loads(packet[1:])
            self._silence = (opening["pingInterval"] + opening["pingTimeout"]) / 1000
            await self._ws.send_str("40/live," + json.dumps({"token": self._token()}))
        elif packet.startswith("40/live,"):
            self._join()
        elif packet.startswith("42/live,"):
            self._told(*json.loads(packet.removeprefix("42/live,")))
        elif packet.startswith("43/live,"):
            number, _, answer = packet.removeprefix("43/live,").partition("[")
            if (settle := self._acks.pop(int(number), None)) is not None:
                settle(json.loads("[" + answer)[0])
        else:
            raise Gone(packet[:200])

    def _told(self, event: str, payload: dict[str, Any]) -> None:
        if event == "timeline":
            if not self.is_live:
                self.view.complaints.append(f"{self.person} was told live events before it had caught up")
            if payload["epoch"] != self.view.epoch:
                self.view.complaints.append(f"{self.person} was told a new epoch")
            self.view.take(payload["events"])
        elif event == "draining":
            self._asked_pause = payload["retry_after"]
        elif event == "room_closed":
            self.view.complaints.append(f"{self.person} was put out: {payload['reason']}")

    def _join(self) -> None:
        self._within(ANSWER_SECONDS)
        payload: dict[str, Any] = {"live_session_id": self.room}
        if self.view.base >= 0:
            payload["after"] = {"epoch": self.view.epoch, "seq": self.view.position}
        self._emit("join", payload, self._joined)

    def _joined(self, answer: dict[str, Any]) -> None:
        """The answer to a join or a sync: a page, the last of which makes this tab live."""
        if not answer["ok"]:
            if _may_try_again(answer["error"]):
                self._later(answer["error"].get("retry_after") or AGAIN_SECONDS, self._join)
            else:
                self.view.complaints.append(f"{self.person} was not let in: {answer['error']['code']}")
            return
        if "snapshot" in answer:
            if self.view.base >= 0:
                self.view.complaints.append(f"{self.person} was given a snapshot instead of what it missed")
            self.view.base, self.view.epoch, self.view.events = answer["seq"], answer["epoch"], []
        else:
            self.view.take(answer["events"])
            if answer["more"]:
                self._within(ANSWER_SECONDS)
                where = {"epoch": self.view.epoch, "after": self.view.position}
                self._emit("sync", {"live_session_id": self.room, **where}, self._joined)
                return
        self.is_live = True
        self._within(self._silence)
        for wish in self._waiting.values():
            self._attempt(wish)

    def _attempt(self, wish: Wish) -> None:
        """Send it, if it still waits and there is a room to send it to."""
        if wish.outcome != "pending" or not self.is_live:
            return
        wish.times_sent += 1
        payload = {"live_session_id": self.room, "client_id": wish.client_id, **wish.payload}
        number = self._emit(wish.event, payload, lambda answer: self._answered(wish, answer))
        self._later(ANSWER_SECONDS, lambda: self._attempt(wish) if self._acks.pop(number, None) else None)

    def _answered(self, wish: Wish, answer: dict[str, Any]) -> None:
        if wish.outcome != "pending":
            if answer["ok"] and answer["seq"] != wish.seq:
                self.view.complaints.append(f"{self.person}'s wish was answered {wish.seq}, then {answer['seq']}")
            return
        if not answer["ok"]:
            wish.refusals.append(answer["error"]["code"])
            if _may_try_again(answer["error"]):
                self._later(answer["error"].get("retry_after") or AGAIN_SECONDS, lambda: self._attempt(wish))
                return
        wish.outcome, wish.seq = ("ok", answer["seq"]) if answer["ok"] else ("refused", None)
        wish.settled_at = time.monotonic()
        del self._waiting[wish.client_id]

    def _emit(self, event: str, payload: dict[str, Any], settle: Callable[[dict[str, Any]], None]) -> int:
        number = next(self._numbers)
        self._acks[number] = settle
        ws = self._ws
        assert ws is not None
        if not ws.closed:
            sending = asyncio.ensure_future(ws.send_str(f"42/live,{number}" + json.dumps([event, payload])))
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())  # its end is seen by receive()
        return number

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        """Unless this connection has gone by then."""
        ws = self._ws

        def now() -> None:
            self._timers.discard(timer)
            if self._ws is ws:
                act()

        timer = asyncio.get_running_loop().call_later(seconds, now)
        self._timers.add(timer)


def _may_try_again(error: dict[str, Any]) -> bool:
    return error["code"] in NOT_NOW or error.get("status") == 503
