"""The fault proxy does to bytes what it says, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.proxy import FaultProxy
from tests.services import free_port

PATIENCE = 20.0
SHORT = 0.15


@pytest.fixture
async def echo() -> AsyncIterator[asyncio.Server]:
    """A server that sends everything back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server
    server.close()


@pytest.fixture
async def proxy(echo: asyncio.Server) -> AsyncIterator[FaultProxy]:
    opened = await FaultProxy(echo.sockets[0].getsockname()[1], seed="1").start()
    yield opened
    await opened.close()


class Caller:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def call(cls, port: int) -> Caller:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def echoed(self, data: bytes, seconds: float = PATIENCE) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(seconds):
            return await self.reader.readexactly(len(data))

    async def is_reset(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read(1) == b"never"
        except ConnectionResetError:
            return True


async def test_a_mended_line_carries_everything_in_order(proxy: FaultProxy) -> None:
    caller = await Caller.call(proxy.port)
    data = bytes(range(256)) * 4096
    assert await caller.echoed(data) == data
    caller.writer.write_eof()
    assert await caller.reader.read() == b""


async def test_latency_and_jitter_delay_without_reordering(proxy: FaultProxy) -> None:
    caller, loop = await Caller.call(proxy.port), asyncio.get_running_loop()
    await caller.echoed(b"warm")
    proxy.to_server.latency, proxy.to_client.latency, proxy.to_client.jitter = SHORT, SHORT, SHORT
    started = loop.time()
    sent = [b"%04d" % number for number in range(50)]
    for piece in sent:
        caller.writer.write(piece)
        await asyncio.sleep(0)
    assert await caller.reader.readexactly(200) == b"".join(sent)
    assert 2 * SHORT <= loop.time() - started < PATIENCE


async def test_a_dribble_comes_byte_by_byte(proxy: FaultProxy) -> None:
    caller, loop = await Caller.call(proxy.port), asyncio.get_running_loop()
    proxy.to_client.piece_bytes, proxy.to_client.bytes_per_second = 1, 200
    started = loop.time()
    assert await caller.echoed(b"x" * 40) == b"x" * 40
    assert loop.time() - started >= 39 / 200


async def test_a_cut_is_a_reset_and_the_next_connection_is_well(proxy: FaultProxy) -> None:
    caller = await Caller.call(proxy.port)
    await caller.echoed(b"here")
    proxy.cut()
    assert await caller.is_reset()
    assert await (await Caller.call(proxy.port)).echoed(b"again") == b"again"


async def test_half_open_says_nothing_to_anybody_until_it_is_mended(proxy: FaultProxy) -> None:
    old = await Caller.call(proxy.port)
    await old.echoed(b"here")
    proxy.silence()
    new = await Caller.call(proxy.port)
    for caller in (old, new):
        with pytest.raises(TimeoutError):
            await caller.echoed(b"lost", SHORT)
    proxy.mend()
    assert await old.is_reset()
    assert await new.is_reset()
    assert await (await Caller.call(proxy.port)).echoed(b"again") == b"again"


async def test_a_forgotten_connection_is_lost_while_new_ones_are_well(proxy: FaultProxy) -> None:
    old = await Caller.call(proxy.port)
    await old.echoed(b"here")
    proxy.forget()
    assert await (await Caller.call(proxy.port)).echoed(b"again") == b"again"
    with pytest.raises(TimeoutError):
        await old.echoed(b"lost", SHORT)


async def test_new_connections_hang_or_are_refused_until_it_is_mended(proxy: FaultProxy) -> None:
    proxy.hang()
    hanging = await Caller.call(proxy.port)
    with pytest.raises(TimeoutError):
        await hanging.echoed(b"lost", SHORT)
    proxy.mend()
    assert await hanging.is_reset()
    proxy.refuse()
    assert await (await Caller.call(proxy.port)).is_reset()
    proxy.mend()
    assert await (await Caller.call(proxy.port)).echoed(b"again") == b"again"


async def test_a_server_that_is_away_is_a_reset() -> None:
    proxy = await FaultProxy(free_port()).start()
    assert await (await Caller.call(proxy.port)).is_reset()
    assert proxy.links == 0
    await proxy.close()
