"""A bare client of our Socket.IO sockets, light enough that a thousand of them leave a core to the server.

Engine.IO 4 over WebSocket (RFC 6455) on one asyncio protocol: no task, queue or timer a message. The same broadcast
reaches a thousand members as the same bytes, so it is parsed once.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

NAMESPACE = "/live"
PARSED_KEPT = 512  # broadcasts remembered by their bytes; then all are forgotten and parsed again when they come
_EVENT, _ACK = f"42{NAMESPACE},".encode(), f"43{NAMESPACE},".encode()
_CONNECTED, _REFUSED = f"40{NAMESPACE},".encode(), f"44{NAMESPACE},".encode()
_TEXT, _CLOSE = 1, 8

Answer = Mapping[str, Any]
Then = Callable[[Answer], None]
Hear = Callable[[str, Any], None]
CUT_OFF: Answer = {"ok": False, "error": {"code": "cut_off", "status": 0}}


class Refused(Exception):
    """The server said no: to the upgrade (`status`, an HTTP status), to the connection or to a wish (`code`)."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__(f"{status} {code}" if status else code)
        self.code, self.status = code, status


class Broadcasts:
    """Events parsed once for all sockets of this process."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[Any]] = {}

    def parsed(self, packet: bytes) -> list[Any]:
        """`[name, payload]` of an event packet; whoever gets it must not change it."""
        found = self._known.get(packet)
        if found is None:
            if len(self._known) >= PARSED_KEPT:
                self._known.clear()
            found = self._known[packet] = json.loads(packet[len(_EVENT) :])
        return found


class LoadSocket(asyncio.Protocol):
    """One connection. `hear(event, payload)` gets every event, in order with the acknowledgements."""

    def __init__(self, broadcasts: Broadcasts, hear: Hear) -> None:
        loop = asyncio.get_running_loop()
        self._broadcasts, self._hear = broadcasts, hear
        self._unread = b""
        self._is_upgraded = False
        self._next_ack = 0
        self._acks: dict[int, Then] = {}
        self._connected: asyncio.Future[None] = loop.create_future()
        self.is_over = False
        self.received_bytes = 0
        self.transport: asyncio.Transport | None = None
        self._auth = b""

    @classmethod
    async def connect(cls, host: str, port: int, token: str, broadcasts: Broadcasts, hear: Hear) -> LoadSocket:
        """An accepted connection to namespace /live. Raises Refused, OSError."""
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(broadcasts, hear), host, port)
        socket._auth = f"40{NAMESPACE},{json.dumps({'token': token})}".encode()
        assert socket.transport is not None
        socket.transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGVjdGVybiBsb2FkIHRlcw==\r\n\r\n"
            .encode()
        )  # fmt: skip
        try:
            await socket._connected
        except BaseException:
            socket.abort()
            raise
        return socket

    def wish(self, event: str, payload: Mapping[str, Any], then: Then) -> None:
        """Send a wish; `then` gets its acknowledgement before anything that came after it, or CUT_OFF."""
        if self.is_over:
            then(CUT_OFF)
            return
        number, self._next_ack = self._next_ack, self._next_ack + 1
        self._acks[number] = then
        body = json.dumps([event, payload], separators=(",", ":"), ensure_ascii=False)
        self._send(f"42{NAMESPACE},{number}{body}".encode())

    async def ask(self, event: str, payload: Mapping[str, Any], then: Then) -> Answer:
        """Like wish(), and wait. Raises Refused, ConnectionError."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer) -> None:
            if answer["ok"]:
                then(answer)
            if not future.done():
                future.set_result(answer)

        self.wish(event, payload, answered)
        answer = await future
        if answer["ok"]:
            return answer
        if answer is CUT_OFF:
            raise ConnectionError("cut off")
        raise Refused(str(answer["error"]["code"]), int(answer["error"]["status"]))

    def abort(self) -> None:
        """Gone without a word, as when a cable is pulled."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.is_over = True
        if not self._connected.done():
            self._connected.set_exception(ConnectionError("cut off"))
        waiting, self._acks = list(self._acks.values()), {}
        for then in waiting:
            then(CUT_OFF)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self._unread:
            data = self._unread + data
        if not self._is_upgraded:
            data = self._upgraded(data)
        self._unread = self._frames(data) if self._is_upgraded else data

    def _upgraded(self, data: bytes) -> bytes:
        head, ended, rest = data.partition(b"\r\n\r\n")
        if not ended:
            return data
        status = int(head.split(b" ", 2)[1])
        if status == 101:
            self._is_upgraded = True
        elif not self._connected.done():
            self._connected.set_exception(Refused("upgrade refused", status))
        return rest

    def _frames(self, data: bytes) -> bytes:
        """Handle every complete frame; what remains. Server frames are not masked (RFC 6455 5.1)."""
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start > end or end - start < size:
                break
            opcode = data[at] & 0x0F
            if opcode == _TEXT:
                self._packet(data[start : start + size])
            elif opcode == _CLOSE:
                self.abort()
            at = start + size
        return data[at:]

    def _packet(self, packet: bytes) -> None:
        if packet.startswith(_EVENT):
            event, *payload = self._broadcasts.parsed(packet)
            self._hear(event, payload[0] if payload else None)
        elif packet == b"2":
            self._send(b"3")
        elif packet.startswith(_ACK):
            number, _, body = packet[len(_ACK) :].partition(b"[")
            self._acks.pop(int(number), _nobody)(json.loads(b"[" + body)[0])
        elif packet.startswith(b"0{"):
            self._send(self._auth)
        elif self._connected.done():
            return
        elif packet.startswith(_CONNECTED):
            self._connected.set_result(None)
        elif packet.startswith(_REFUSED):
            said = json.loads(packet[len(_REFUSED) :])
            self._connected.set_exception(Refused(str(said.get("data", {}).get("code", said.get("message")))))

    def _send(self, packet: bytes) -> None:
        """One masked text frame (RFC 6455 5.3)."""
        if self.transport is None:
            return
        size, mask = len(packet), secrets.token_bytes(4)
        key = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(packet, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
        if size < 126:
            head = bytes((0x81, 0x80 | size))
        elif size < 65_536:
            head = bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x81, 0x80 | 127)) + size.to_bytes(8, "big")
        self.transport.write(head + mask + masked)


def _nobody(answer: Answer) -> None:
    """An acknowledgement nobody waits for."""
