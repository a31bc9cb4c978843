"""A stretch of a file arrives whole and in order, whoever copies it: the kernel, a thread, or the transport."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.content.disk import Disk
from server.content.files import Files
from server.content.outflow import flow

BYTES = random.Random(3).randbytes(9 * 1024 * 1024 + 137)
SLOW_BUFFER_BYTES = 16 * 1024


class Forgetful(Files):
    """As if every other stretch had to come from the disk."""

    asked = 0

    def is_cached(self, file: object, start: int, length: int) -> bool:
        self.asked += 1
        return self.asked % 2 == 0


@pytest.fixture(params=[Files, Forgetful], ids=["in memory", "partly on disk"])
def files(request: pytest.FixtureRequest) -> Files:
    made: Files = request.param(Disk())
    return made


@pytest.fixture
async def server(files: Files, tmp_path: Path) -> AsyncIterator[TestServer]:
    path = tmp_path / "lesson.mp4"
    path.write_bytes(BYTES)

    async def answer(request: web.Request) -> web.StreamResponse:
        start, length = int(request.query["start"]), int(request.query["length"])
        file = await files.hold(path)
        response = web.StreamResponse(status=206)
        response.content_length = length
        try:
            await response.prepare(request)
            await flow(request, response, files, file, start, length)
        finally:
            files.release(file)
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    running = TestServer(app)
    await running.start_server()
    yield running
    await running.close()
    files.close()


@pytest.mark.parametrize(
    ("start", "length"), [(0, len(BYTES)), (1, 70_000), (5_000_000, 1024 * 1024), (len(BYTES) - 1, 1)]
)
async def test_a_slow_reader_gets_every_byte_and_the_connection_goes_on(
    server: TestServer, start: int, length: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=SLOW_BUFFER_BYTES)
    for _ in range(2):  # twice over one connection: what was sent past the transport did not confuse it
        writer.write(f"GET /?start={start}&length={length} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 206") and f"Content-Length: {length}".encode() in head
        assert await reader.readexactly(length) == BYTES[start : start + length]
    writer.close()


async def test_what_was_used_is_closed_once_it_is_idle(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "lesson.mp4"
    path.write_bytes(b"some")
    held = await files.hold(path)
    again = await files.hold(path)
    assert held is again
    files.release(held)
    assert await files.read(again, 1, 2) == b"om"
    files.release(again)
    files.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await files.read(again, 0, 1)
