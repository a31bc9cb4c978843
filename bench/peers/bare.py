"""The floor: the same bytes written to every transport in a loop, with nothing around it."""

from __future__ import annotations

import asyncio
import json
import sys

from bench.peers._orders import obey, say
from signaling.transport.wire import framed

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + framed("0{}")


class Member(asyncio.Protocol):
    """As much of the handshake as the sink waits for."""

    def __init__(self, rooms: list[list[asyncio.Transport]], size: int) -> None:
        self._rooms, self._size = rooms, size
        self._is_open = self._is_in = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._is_open = True
            self._transport.write(UPGRADED)
        elif not self._is_in:
            self._is_in = True
            if len(self._rooms[-1]) == self._size:
                self._rooms.append([])
            self._rooms[-1].append(self._transport)
            self._transport.write(framed('40/live,{"sid":"0"}'))


async def main() -> None:
    size = int(sys.argv[2])
    frame = framed('42/live,["timeline",' + sys.argv[1] + "]")
    assert json.loads(sys.argv[1])
    rooms: list[list[asyncio.Transport]] = [[]]
    server = await asyncio.get_running_loop().create_server(lambda: Member(rooms, size), "127.0.0.1", 0, backlog=4096)
    say(port=server.sockets[0].getsockname()[1], version=sys.version.split()[0])

    def broadcast(room: int) -> None:
        for transport in rooms[room]:
            transport.write(frame)

    await obey(broadcast)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
