"""Encrypted connections: the same write path, the same cap."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from signaling.transport import LiveServer
from tests.signaling.transport.certificates import a_certificate
from tests.signaling.transport.classroom import Classroom
from tests.signaling.transport.raw import RawClient


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return a_certificate(tmp_path)


async def test_a_stalled_reader_is_cut_over_tls_too(certificate: Path) -> None:
    classroom = Classroom()
    server = classroom.server = LiveServer(classroom)
    app = web.Application()
    server.attach(app)
    runner = server.runner(app, shutdown_timeout=1)
    await runner.setup()
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ours).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"

    theirs = ssl.create_default_context(cafile=str(certificate))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=theirs)) as http:
        raw = RawClient(http)
        healthy, stuck = await raw.live(url), await raw.live(url)
        stuck.ws._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        told = 0
        async with asyncio.timeout(30):
            while not server.counters.slow:
                server.broadcast("class", "said", {"n": told, "t": "x" * 60_000})
                assert f'"n":{told},' in str(await healthy.receive())
                told += 1
        assert len(server.members("class")) == 1
    await server.close()
    await runner.cleanup()
