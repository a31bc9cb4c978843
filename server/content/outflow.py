"""A stretch of a file onto a connection: by the kernel itself where it can, else in pieces that never pile up.

On plain TCP the kernel copies from its page cache straight to the socket (sendfile), as long as nothing of ours waits
before it and the bytes are in memory. What is not is read in a thread; where the peer is slow, pieces go through the
transport, which says when there is room again. Either way at most one piece is in our memory.
"""

from __future__ import annotations

import asyncio
import os
import socket

from aiohttp import web

from server.content.files import FileChanged, Files, OpenFile

STEP_BYTES = 256 * 1024
KERNEL_STEP_BYTES = 1024 * 1024  # in one call; then others have their turn
_SENDFILE = getattr(os, "sendfile", None)


async def flow(
    request: web.Request, response: web.StreamResponse, files: Files, file: OpenFile, start: int, length: int
) -> None:
    """Send the body of a prepared `response`. Raises ConnectionError when the peer is gone, FileChanged."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the connection is closed")
    direct = plain_socket(transport)
    position, end = start, start + length
    if direct is not None and length > KERNEL_STEP_BYTES:
        transport.set_write_buffer_limits(high=0)  # "there is room" means that nothing of ours waits any more
    while position < end:
        step = min(KERNEL_STEP_BYTES, end - position)
        if direct is not None and files.is_cached(file, position, step):
            count = _sent_by_kernel(transport, direct, file, position, step)
            position += count
            if count == step:
                if position < end:
                    await asyncio.sleep(0)
                continue
        data = await files.read(file, position, min(STEP_BYTES, end - position))
        await response.write(data)
        position += len(data)
    await response.write_eof()


def plain_socket(transport: asyncio.Transport) -> socket.socket | None:
    """Its socket when bytes given to it are the peer's bytes."""
    if _SENDFILE is None or transport.get_extra_info("sslcontext") is not None:
        return None
    found = transport.get_extra_info("socket")
    return found if found is not None and found.family in (socket.AF_INET, socket.AF_INET6) else None


def _sent_by_kernel(transport: asyncio.Transport, to: socket.socket, file: OpenFile, position: int, length: int) -> int:
    """How much it took; nothing when something of ours is still waiting. Raises ConnectionError, FileChanged."""
    assert _SENDFILE is not None
    if transport.is_closing():
        raise ConnectionResetError("the connection is closed")
    if transport.get_write_buffer_size():
        return 0
    try:
        count: int = _SENDFILE(to.fileno(), file.descriptor, position, length)
    except (BlockingIOError, InterruptedError):
        return 0
    if count == 0:
        raise FileChanged()
    return count
