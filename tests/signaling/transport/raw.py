"""Engine.IO spoken by hand over aiohttp's client, packet by packet."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

PATIENCE = 20.0  # seconds; only a failing test waits that long


class RawPolling:
    """A polling session."""

    def __init__(self, http: aiohttp.ClientSession, base: str, opening: dict[str, Any]) -> None:
        self._http = http
        self.opening = opening
        self.sid = opening["sid"]
        self.url = f"{base}/?EIO=4&transport=polling&sid={self.sid}"
        self.websocket_url = f"{base}/?EIO=4&transport=websocket&sid={self.sid}"

    async def post(self, body: str | bytes) -> tuple[int, str]:
        async with self._http.post(self.url, data=body) as response:
            return response.status, await response.text()

    async def poll(self) -> tuple[int, str]:
        async with self._http.get(self.url) as response:
            return response.status, await response.text()

    async def poll_until(self, wanted: str) -> list[str]:
        """Poll, answering pings, until a packet that begins with `wanted` has come; all packets."""
        packets: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not any(p.startswith(wanted) for p in packets):
                status, body = await self.poll()
                assert status == 200, body
                for packet in body.split("\x1e"):
                    if packet == "2":
                        await self.post("3")
                    else:
                        packets.append(packet)
        return packets


class RawSocket:
    """A WebSocket session."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, packet: str | bytes) -> None:
        await (self.ws.send_bytes(packet) if isinstance(packet, bytes) else self.ws.send_str(packet))

    async def receive(self) -> str | bytes:
        """The next packet that is not a ping; pings are answered."""
        while True:
            message = await self.ws.receive(timeout=PATIENCE)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.data != "2":
                data: str | bytes = message.data
                return data
            await self.ws.send_str("3")

    async def closed(self) -> int | None:
        """Wait for the server's close; its code (None for a lost connection)."""
        while True:
            message = await self.ws.receive(timeout=PATIENCE)
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return self.ws.close_code

    async def connect(self, auth: dict[str, Any] | None = None, namespace: str = "/live") -> str | bytes:
        await self.send(f"40{namespace},{json.dumps(auth or {})}")
        return await self.receive()


class RawClient:
    """Opens sessions of both kinds."""

    def __init__(self, http: aiohttp.ClientSession, path: str = "socket.io") -> None:
        self.http = http
        self.path = path

    async def polling(self, url: str, **headers: str) -> RawPolling:
        base = f"{url}/{self.path}"
        async with self.http.get(f"{base}/?EIO=4&transport=polling", headers=headers) as response:
            body = await response.text()
            assert response.status == 200, body
            return RawPolling(self.http, base, json.loads(body[1:]))

    async def websocket(self, url: str, **headers: str) -> tuple[RawSocket, dict[str, Any]]:
        ws = await self.http.ws_connect(f"{url}/{self.path}/?EIO=4&transport=websocket", headers=headers)
        socket = RawSocket(ws)
        opening = await socket.receive()
        assert isinstance(opening, str)
        return socket, json.loads(opening[1:])

    async def live(self, url: str, auth: dict[str, Any] | None = None) -> RawSocket:
        """A WebSocket session accepted in /live."""
        socket, _ = await self.websocket(url)
        answer = await socket.connect(auth)
        assert isinstance(answer, str)
        assert answer.startswith("40/live,"), answer
        return socket
