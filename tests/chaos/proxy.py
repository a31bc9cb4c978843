"""A TCP proxy that misbehaves on request: between clients and a server, a server and PostgreSQL, a server and Redis.

Every fault can be put on and taken off while bytes flow. What TCP itself excludes (loss, reorder, doubling inside a
stream) is not pretended: a network that loses packets shows as latency, one that forgets a flow as silence, then a
reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field

HELD_PIECES = 256  # read and not yet due, per direction; then the sender waits
READ_BYTES = 64 * 1024
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST instead of FIN
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Direction:
    """How bytes travel one way. Seconds and bytes; the defaults are a perfect line."""

    latency: float = 0.0
    jitter: float = 0.0  # added to the latency, evenly between 0 and this
    bytes_per_second: float = 0.0  # 0 is no limit
    piece_bytes: int = READ_BYTES  # 1 dribbles


@dataclass(eq=False)
class Link:
    """One connection through the proxy."""

    client: Stream
    server: Stream | None = None
    is_silent: bool = False  # what arrives is thrown away, ends of the stream too
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """Both ends get a reset (RST)."""
        for task in self.tasks:
            task.cancel()
        for stream in (self.client, self.server):
            if stream is not None:
                raw = stream[1].get_extra_info("socket")
                if raw is not None:
                    with contextlib.suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                stream[1].transport.abort()


class FaultProxy:
    """Listens on a free loopback port and passes on to `target_port`."""

    def __init__(self, target_port: int, *, seed: str = "") -> None:
        self.target_port = target_port
        self.to_server, self.to_client = Direction(), Direction()
        self.port = 0
        self._random = random.Random(f"{seed}/proxy/{target_port}")
        self._links: set[Link] = set()
        self._is_refusing = self._is_hanging = self._is_silent = False
        self._server: asyncio.Server | None = None

    async def start(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Reset everything and stop listening."""
        if self._server is not None:
            self._server.close()
        tasks = [task for link in self._links for task in link.tasks]
        self.cut()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def cut(self) -> None:
        """Every connection there is gets a reset; new ones are as good as before."""
        for link in list(self._links):
            link.reset()
        self._links.clear()

    def forget(self) -> None:
        """Every connection there is falls silent for good, as when a router forgets it; new ones are well."""
        for link in self._links:
            link.is_silent = True

    def silence(self) -> None:
        """Half-open: old and new connections stay up and carry nothing, until mend()."""
        self.forget()
        self._is_silent = True

    def hang(self) -> None:
        """New connections are accepted and never served, until mend()."""
        self._is_hanging = True

    def refuse(self) -> None:
        """New connections are reset at once, until mend(); those there are stay."""
        self._is_refusing = True

    def mend(self) -> None:
        """A perfect line again; what cannot be saved (bytes were thrown away) gets a reset, as from a router."""
        self._is_refusing = self._is_hanging = self._is_silent = False
        self.to_server, self.to_client = Direction(), Direction()
        for link in [link for link in self._links if link.is_silent or link.server is None]:
            link.reset()
            self._links.discard(link)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link((reader, writer), is_silent=self._is_silent)
        self._links.add(link)
        if self._is_refusing:
            link.reset()
            self._links.discard(link)
        elif not (self._is_hanging or self._is_silent):
            link.tasks.append(asyncio.create_task(self._carry(link)))

    async def _carry(self, link: Link) -> None:
        try:
            link.server = await asyncio.open_connection("127.0.0.1", self.target_port)
            ways = [self._pump(link, link.client, link.server, True), self._pump(link, link.server, link.client, False)]
            link.tasks.extend(asyncio.create_task(way) for way in ways)
            await asyncio.gather(*link.tasks[1:])
        except OSError:
            link.reset()
        finally:
            self._links.discard(link)
            for task in link.tasks[1:]:
                task.cancel()
            for stream in (link.client, link.server):
                if stream is not None:
                    stream[1].close()

    async def _pump(self, link: Link, source: Stream, target: Stream, is_to_server: bool) -> None:
        """One way until its end. Raises OSError when either side was reset."""
        loop = asyncio.get_running_loop()
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_PIECES)

        async def write() -> None:
            while True:
                due, data = await held.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not data:
                    if target[1].can_write_eof():
                        target[1].write_eof()
                    return
                await self._write(link, target[1], data, is_to_server)

        writing = asyncio.create_task(write())
        link.tasks.append(writing)
        due = 0.0
        try:
            while True:
                data = await source[0].read(READ_BYTES)
                if link.is_silent:
                    if not data:
                        await asyncio.Event().wait()  # the other side never hears of the end
                    continue
                way = self.to_server if is_to_server else self.to_client
                due = max(due, loop.time() + way.latency + self._random.uniform(0, way.jitter))
                await held.put((due, data))
                if not data:
                    break
            await writing
        finally:
            writing.cancel()

    async def _write(self, link: Link, writer: asyncio.StreamWriter, data: bytes, is_to_server: bool) -> None:
        while data and not link.is_silent:
            way = self.to_server if is_to_server else self.to_client
            piece, data = data[: way.piece_bytes], data[way.piece_bytes :]
            writer.write(piece)
            await writer.drain()
            if way.bytes_per_second:
                await asyncio.sleep(len(piece) / way.bytes_per_second)
