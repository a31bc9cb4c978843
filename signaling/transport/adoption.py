"""Connections that siblings give away: taken with the head of their request, and served as if they had come to us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path

import structlog

from signaling.transport.siblings import CONNECT_SECONDS, HEAD_BYTES, LENGTH_BYTES

BACKLOG = 1024  # connections given away that wait for us; a sibling that finds no room counts us as gone
log = structlog.get_logger(__name__)

Server = Callable[[], asyncio.Protocol]  # makes the protocol of one HTTP connection


class Door:
    """The Unix socket at `path`, in a folder that only our own user may enter. Closing twice is harmless."""

    def __init__(self, path: Path, server: Server) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        path.unlink(missing_ok=True)  # a dead predecessor's
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(path))
        self._door.listen(BACKLOG)
        self._door.setblocking(False)
        self._spawn(self._listen())

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._door.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sibling, _ = await loop.sock_accept(self._door)
            except OSError as error:  # no descriptor is free
                log.warning("nothing can be taken from siblings", reason=error.strerror)
                await asyncio.sleep(1)
                continue
            self._spawn(self._adopt(sibling))

    async def _adopt(self, sibling: socket.socket) -> None:
        with sibling, contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                given = await _received(sibling)
            if given is None:
                return
            connection, head = given
            _, protocol = await asyncio.get_running_loop().connect_accepted_socket(self._server, connection)
            protocol.data_received(head)


async def _received(sibling: socket.socket) -> tuple[socket.socket, bytes] | None:
    """A connection and the head of its request; None when the sibling did not say everything."""
    loop = asyncio.get_running_loop()
    sibling.setblocking(False)
    await _readable(sibling)
    said, descriptors, _, _ = socket.recv_fds(sibling, LENGTH_BYTES + HEAD_BYTES, 1)
    try:
        while len(said) < LENGTH_BYTES or len(said) < LENGTH_BYTES + int.from_bytes(said[:LENGTH_BYTES]):
            more = await loop.sock_recv(sibling, HEAD_BYTES)
            if not more or len(said) > LENGTH_BYTES + HEAD_BYTES:
                return None
            said += more
        if not descriptors:
            return None
        connection = socket.socket(fileno=descriptors.pop())
        connection.setblocking(False)
        return connection, said[LENGTH_BYTES:]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, future.set_result, None)
    try:
        await future
    finally:
        loop.remove_reader(connection)
