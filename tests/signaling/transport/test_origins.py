"""Which pages may connect, over both transports, with the rule REST follows too."""

from __future__ import annotations

import json

import aiohttp
import pytest

from server.http.origins import Origins
from server.settings import Settings
from tests.signaling.transport.conftest import Live, Start
from tests.signaling.transport.raw import RawClient

LISTED = "https://school.example"
STRANGER = "https://stranger.example"


def policy(**settings: str) -> Origins:
    return Origins(Settings.model_validate(settings))


async def refused(http: aiohttp.ClientSession, live: Live, **headers: str) -> bool:
    """Whether both transports refuse a page, with a problem that says why."""
    url = f"{live.url}/socket.io/?EIO=4&transport="
    async with http.get(url + "polling", headers=headers) as response:
        polling = response.status
        if polling == 403:
            assert response.content_type == "application/problem+json"
            assert json.loads(await response.text())["code"] == "origin_not_allowed"
            assert "Access-Control-Allow-Origin" not in response.headers
    try:
        async with http.ws_connect(url + "websocket", headers=headers):
            websocket = 101
    except aiohttp.WSServerHandshakeError as error:
        websocket = error.status
    assert (polling, websocket) in ((200, 101), (403, 403))
    return polling == 403


@pytest.mark.parametrize("rule", ["default", "settings"])
async def test_an_empty_list_means_the_same_origin_only(start: Start, http: aiohttp.ClientSession, rule: str) -> None:
    live = await start(**({} if rule == "default" else {"origins": policy()}))
    assert not await refused(http, live)
    assert not await refused(http, live, Origin=live.url)
    assert await refused(http, live, Origin=STRANGER)
    assert await refused(http, live, Origin=live.url.replace("http:", "https:"))
    assert await refused(http, live, Origin=live.url + "0")
    assert await refused(http, live, Origin="null")
    assert await refused(http, live, Origin=STRANGER, **{"X-Forwarded-Host": "stranger.example"})
    assert live.server.counters.foreign_origins == 10


async def test_a_listed_origin_is_answered_with_its_own_name(start: Start, http: aiohttp.ClientSession) -> None:
    live = await start(origins=policy(LECTERN_ALLOWED_ORIGINS=LISTED))
    url = f"{live.url}/socket.io/?EIO=4&transport=polling"
    async with http.get(url, headers={"Origin": LISTED}) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == LISTED
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert response.headers["Vary"] == "Origin"
    asked = {
        "Origin": LISTED,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with http.options(url, headers=asked) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == LISTED
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
    async with http.options(url, headers={**asked, "Origin": STRANGER}) as response:
        assert response.status == 403
    assert not await refused(http, live, Origin=live.url)
    assert await refused(http, live, Origin=STRANGER)


async def test_a_trusted_proxy_names_our_own_host_and_the_client(start: Start, raw: RawClient) -> None:
    live = await start(origins=policy(TRUSTED_PROXIES="127.0.0.1"))
    forwarded = {"X-Forwarded-Host": "class.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    assert not await refused(raw.http, live, Origin="https://class.example", **forwarded)
    assert await refused(raw.http, live, Origin="http://class.example", **forwarded)
    socket, _ = await raw.websocket(live.url, **forwarded)
    await socket.connect()
    (connection,) = live.server.connections()
    assert connection.remote_address == "203.0.113.9"


async def test_without_a_trusted_proxy_forwarding_headers_mean_nothing(live: Live, raw: RawClient) -> None:
    socket, _ = await raw.websocket(live.url, **{"X-Forwarded-For": "203.0.113.9"})
    await socket.connect()
    (connection,) = live.server.connections()
    assert connection.remote_address == "127.0.0.1"


async def test_script_tags_cannot_poll(live: Live, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{live.url}/socket.io/?EIO=4&transport=polling&j=0") as response:
        assert response.status == 400
