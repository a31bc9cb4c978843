"""The official JavaScript client, unmodified, over each transport."""

from __future__ import annotations

import asyncio

import pytest

from tests.signaling.transport.conftest import Live
from tests.signaling.transport.official import OfficialClients

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=["websocket", "polling", "upgraded"])
async def test_a_client_connects_wishes_hears_and_leaves(
    live: Live, official: OfficialClients, transports: list[str]
) -> None:
    ana, bo = official.client("ana"), official.client("bo")
    await ana.connected(live.live_url, auth={"name": "ana"}, transports=transports)
    await bo.connected(live.live_url, auth={"name": "bo"}, transports=transports)

    assert await ana.wish("say", {"text": "hello Zoë 👋"}) == {"ok": True, "payload": {"text": "hello Zoë 👋"}}
    await bo.first("event")
    assert bo.events("said") == ana.events("said") == [{"text": "hello Zoë 👋"}]

    (theirs,) = (c for c in live.server.connections() if c.state == "bo")
    bo.disconnect()
    connection, reason = await live.classroom.until(lambda: live.classroom.left and live.classroom.left[0])
    assert connection is theirs
    assert reason == "client disconnect"
    assert [c.state for c in live.server.connections()] == ["ana"]
    assert [c.state for c in live.server.members("class")] == ["ana"]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=["websocket", "polling", "upgraded"])
async def test_the_server_closing_a_connection_brings_the_client_back_by_itself(
    live: Live, official: OfficialClients, transports: list[str]
) -> None:
    ana = official.client("ana")
    await ana.connected(live.live_url, auth={"name": "ana"}, transports=transports)
    if len(transports) > 1:
        await ana.first("upgrade")
    (connection,) = live.server.connections()
    connection.emit("last", {"word": 1})
    connection.close("token ran out")

    await ana.first("connect", count=2)
    assert ana.events("last") == [{"word": 1}]
    assert [reason for _, reason in live.classroom.left] == ["token ran out"]
    assert len(live.server.connections()) == 1


async def test_a_refused_client_learns_why(live: Live, official: OfficialClients) -> None:
    ana = official.client("ana")
    ana.connect(live.live_url, auth={"refuse": "token_expired"})
    told = await ana.first("connect_error")
    assert told["message"] == "Sign in again."
    assert told["data"]["code"] == "token_expired"
    assert live.server.counters.refused["token_expired"] == 1
    assert live.classroom.left == []


async def test_an_unknown_namespace_is_refused_by_name(live: Live, official: OfficialClients) -> None:
    ana = official.client("ana")
    ana.connect(f"{live.url}/other")
    assert (await ana.first("connect_error"))["message"] == "Invalid namespace"


async def test_a_burst_over_polling_arrives_whole_and_in_order(live: Live, official: OfficialClients) -> None:
    ana = official.client("ana")
    await ana.connected(live.live_url, transports=["polling"])
    for number in range(40):
        ana.emit("echo", {"n": number})
    assert (await ana.wish("echo", {"n": 40}))["ok"]
    assert [payload["n"] for _, payload in live.classroom.wishes] == list(range(41))


async def test_an_upgrade_in_the_middle_of_a_stream_loses_and_reorders_nothing(
    live: Live, official: OfficialClients
) -> None:
    clients = [official.client(f"c{i}") for i in range(8)]
    for client in clients:
        client.connect(live.live_url, transports=["polling", "websocket"])
    await live.classroom.until(lambda: live.server.connections())
    number = 0
    while live.server.counters.upgraded < len(clients):
        live.server.broadcast("class", "said", {"n": number})
        number += 1
        await asyncio.sleep(0.001)
    live.server.broadcast("class", "said", {"n": number})
    for client in clients:
        await client.said({"n": number})
        numbers = [said["n"] for said in client.events("said")]
        assert numbers == list(range(numbers[0], number + 1))
