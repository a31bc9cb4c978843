"""Passing credentials for a TURN server: who gets them, and that a real server takes them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from aioice import stun, turn
from pydantic import ValidationError

from server import turn_check
from server.settings import Settings
from signaling.turn import LIFE_SECONDS, ice_servers
from tests.coturn import coturn
from tests.factories import World
from tests.signaling.conftest import Connect

SECRET = "a-secret-shared-with-the-relay-0123456789"
URLS = "turn:turn.example.org:3478, turns:turn.example.org:443?transport=tcp"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"turn_urls_given": URLS, "turn_secret": SECRET})


async def test_whoever_enters_a_live_class_gets_credentials_for_an_hour(tab: Connect, world: World) -> None:
    room = (await world.live_session(students=["bo"])).id
    bo = await tab("bo")
    before = time.time()
    (relay,) = (await bo.wish("join", live_session_id=room))["ice_servers"]
    assert relay["urls"] == [part.strip() for part in URLS.split(",")]
    until, user = map(int, relay["username"].split(":"))
    assert user == world.id_of("bo")
    assert int(before) < until <= time.time() + LIFE_SECONDS
    signed = hmac.digest(SECRET.encode(), relay["username"].encode(), hashlib.sha1)
    assert base64.b64decode(relay["credential"]) == signed


async def test_whoever_waits_or_is_refused_gets_none(tab: Connect, world: World) -> None:
    later = (await world.live_session(students=["bo"], status="scheduled")).id
    bo, cleo = await tab("bo"), await tab("cleo")
    assert (await bo.wish("join", live_session_id=later))["waiting"] is True
    for answer in (await bo.wish("join", live_session_id=later), await cleo.wish("join", live_session_id=later)):
        assert "ice_servers" not in answer


def test_without_a_server_there_is_nothing_to_give() -> None:
    assert ice_servers((), "", 1, 0.0) == []


@pytest.mark.parametrize(
    "given",
    [
        {"LECTERN_TURN_URLS": "turn:turn.example.org"},
        {"LECTERN_TURN_SECRET": SECRET},
        {"LECTERN_TURN_URLS": "turn:turn.example.org", "LECTERN_TURN_SECRET": "short"},
        {"LECTERN_TURN_URLS": "stun:turn.example.org", "LECTERN_TURN_SECRET": SECRET},
        {"LECTERN_TURN_URLS": "turn:turn.example.org/path", "LECTERN_TURN_SECRET": SECRET},
        {"LECTERN_TURN_URLS": "turn://turn.example.org", "LECTERN_TURN_SECRET": SECRET},
    ],
)
def test_half_a_setting_or_another_address_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="LECTERN_TURN"):
        Settings.model_validate(given)


# --- with coturn, where it is installed -----------------------------------------------------------
@pytest.fixture
def relay_port(tmp_path: Path) -> Iterator[int]:
    with coturn(tmp_path, SECRET) as port:
        yield port


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(data, address)


class Heard(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.got.put_nowait(data)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_real_relay_takes_them_and_carries_packets(relay_port: int, transport: str) -> None:
    assert turn_check.complaint(f"turn:127.0.0.1:{relay_port}?transport={transport}") == ""
    (given,) = ice_servers(("turn:x",), SECRET, 7, time.time())
    loop = asyncio.get_running_loop()
    echo, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    line, heard = await turn.create_turn_endpoint(
        Heard, ("127.0.0.1", relay_port), given["username"], given["credential"], transport=transport
    )
    payload = os.urandom(1100)
    line.sendto(payload, echo.get_extra_info("sockname"))
    async with asyncio.timeout(30):
        assert await heard.got.get() == payload
    with pytest.raises(stun.TransactionFailed, match="403"):  # a permission for anybody else
        await line._TurnTransport__inner_protocol.channel_bind(0x4001, ("127.0.0.2", 9))
    line.close()
    echo.close()


@pytest.mark.parametrize(("secret", "now"), [("another-secret", 0.0), (SECRET, -2.0 * LIFE_SECONDS)])
async def test_a_real_relay_refuses_forged_and_expired_ones(relay_port: int, secret: str, now: float) -> None:
    (given,) = ice_servers(("turn:x",), secret, 7, time.time() + now)
    with pytest.raises(stun.TransactionFailed):
        await turn.create_turn_endpoint(
            Heard, ("127.0.0.1", relay_port), given["username"], given["credential"], transport="udp"
        )


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        assert turn_check.complaint(f"turn:127.0.0.1:{mute.getsockname()[1]}?transport=tcp")
