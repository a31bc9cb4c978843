"""What reaches a handler, in which order, and that every wish is answered."""

from __future__ import annotations

import aiohttp
import pytest

from signaling.transport import TransportLimits
from tests.signaling.transport.conftest import Live, Start
from tests.signaling.transport.official import OfficialClients
from tests.signaling.transport.raw import RawClient


@pytest.mark.parametrize("name", ["connect", "disconnect", "message", "handle", "__init__", "*", ""])
async def test_a_name_outside_the_list_never_reaches_a_handler(live: Live, raw: RawClient, name: str) -> None:
    socket = await raw.live(live.url)
    await socket.send(f'42/live,7["{name}",{{"a":1}}]')
    assert await socket.receive() == '43/live,7[{"ok":false,"error":{"code":"unknown_event"}}]'
    assert live.classroom.unknown_events == [name]
    assert live.classroom.wishes == []
    assert live.classroom.left == []
    assert len(live.server.connections()) == 1


async def test_the_official_client_may_say_disconnect_without_leaving(live: Live, official: OfficialClients) -> None:
    ana = official.client("ana")
    await ana.connected(live.live_url, transports=["websocket"])
    assert (await ana.wish("echo", {"n": 1}))["ok"]
    assert (await ana.wish("nonsense", {"n": 1}))["error"]["code"] == "unknown_event"


@pytest.mark.parametrize("args", ["", ',{"a":1},2', ",5", ",[1]", ',"text"', ",null"])
async def test_anything_but_one_object_is_refused(live: Live, raw: RawClient, args: str) -> None:
    socket = await raw.live(live.url)
    await socket.send(f'42/live,0["echo"{args}]')
    assert await socket.receive() == '43/live,0[{"ok":false,"error":{"code":"payload","retry_after":null}}]'
    assert live.classroom.refusals == [("echo", "payload")]
    assert live.classroom.wishes == []


async def test_binary_is_refused_with_an_answer_and_the_connection_goes_on(live: Live, raw: RawClient) -> None:
    socket = await raw.live(live.url)
    await socket.send('451-/live,3["echo",{"_placeholder":true,"num":0}]')
    await socket.send(b"\x00" * 1000)
    assert await socket.receive() == '43/live,3[{"ok":false,"error":{"code":"binary","retry_after":null}}]'
    await socket.send('42/live,4["echo",{}]')
    assert await socket.receive() == '43/live,4[{"ok":true,"payload":{}}]'


async def test_binary_over_polling_is_refused_too(live: Live, official: OfficialClients) -> None:
    ana = official.client("ana")
    await ana.connected(live.live_url, transports=["polling"])
    assert (await ana.wish("echo", {"$binary": [1, 2, 3]}))["error"]["code"] == "binary"
    assert (await ana.wish("echo", {}))["ok"]


@pytest.mark.parametrize("event", ["fail", "odd"])
async def test_a_handler_that_breaks_still_answers(live: Live, raw: RawClient, event: str) -> None:
    socket = await raw.live(live.url)
    await socket.send(f'42/live,1["{event}",{{}}]')
    answer = str(await socket.receive())
    assert answer.startswith('43/live,1[{"ok":false')
    assert '"code":"internal"' in answer
    await socket.send('42/live,2["echo",{}]')
    assert await socket.receive() == '43/live,2[{"ok":true,"payload":{}}]'


async def test_a_handler_that_hangs_is_ended_and_answered(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(handler_seconds=0.05))
    socket = await raw.live(live.url)
    await socket.send('42/live,1["wait",{}]')
    assert '"code":"internal"' in str(await socket.receive())
    assert live.server.counters.handler_failures == 1


async def test_wishes_are_worked_in_order_and_answered_before_their_consequences_overtake(
    live: Live, raw: RawClient
) -> None:
    socket = await raw.live(live.url)
    for number in range(30):
        await socket.send(f'42/live,{number}["say",{{"n":{number}}}]')
    for number in range(30):
        assert await socket.receive() == f'42/live,["said",{{"n":{number}}}]'
        assert str(await socket.receive()).startswith(f"43/live,{number}[")


async def test_a_slow_handler_delays_neither_pings_nor_others(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(ping_interval=0.05, ping_timeout=0.2))
    slow, quick = await raw.live(live.url), await raw.live(live.url)
    await slow.send('42/live,1["wait",{}]')
    await live.classroom.until(lambda: live.classroom.wishes)
    for _ in range(8):  # longer than the ping timeout
        message = await slow.ws.receive(timeout=5)
        assert message.data == "2"
        await slow.send("3")
        await quick.send('42/live,1["echo",{}]')
        assert await quick.receive() == '43/live,1[{"ok":true,"payload":{}}]'
    live.classroom.go_on.set()
    assert await slow.receive() == '43/live,1[{"ok":true,"payload":{}}]'


async def test_a_full_inbox_refuses_and_a_flood_is_closed(start: Start, raw: RawClient) -> None:
    live = await start(limits=TransportLimits(inbox=4, inbox_refusals=3))
    socket = await raw.live(live.url)
    await socket.send('42/live,0["wait",{}]')
    await live.classroom.until(lambda: live.classroom.wishes)
    for number in range(1, 8):
        await socket.send(f'42/live,{number}["echo",{{}}]')
    await socket.send("3")  # still read, still alive
    live.classroom.go_on.set()
    answers = [str(await socket.receive()) for _ in range(8)]
    assert [a.split("[")[0] for a in answers] == [f"43/live,{n}" for n in range(8)]
    assert ["queue_full" in a for a in answers] == [False] * 5 + [True] * 3
    assert '"retry_after":1.0' in answers[-1]

    live.classroom.go_on.clear()
    for _ in range(10):
        await socket.send('42/live,["wait",{}]')
    await socket.closed()
    assert live.server.counters.closed["flooding"] == 1


async def test_a_message_of_64_kib_is_taken_and_one_byte_more_ends_the_connection(live: Live, raw: RawClient) -> None:
    def wish(size: int) -> str:
        head, tail = '42/live,1["echo",{"t":"', '"}]'
        return head + "x" * (size - len(head) - len(tail)) + tail

    socket, polling = await raw.live(live.url), await raw.polling(live.url)
    await polling.post("40/live,{}")
    await polling.poll_until("40/live")
    await socket.send(wish(65_536))
    assert (await polling.post(wish(65_536)))[0] == 200
    assert str(await socket.receive()).startswith('43/live,1[{"ok":true')
    await polling.poll_until("43/live,1")
    await socket.send(wish(65_537))
    assert await socket.closed() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    assert (await polling.post(wish(65_537)))[0] in (400, 413)
    assert (await polling.poll())[0] == 400
    assert len(live.classroom.wishes) == 2


async def test_handlers_know_whose_wish_they_work_on(live: Live, raw: RawClient) -> None:
    socket = await raw.live(live.url)
    for number in range(2):
        await socket.send(f'42/live,{number}["echo",{{}}]')
        await socket.receive()
    (connection,) = live.server.connections()
    first, second = live.classroom.contexts
    assert first["connection_id"] == second["connection_id"] == connection.id
    assert first["request_id"] != second["request_id"]


async def test_text_of_any_kind_survives(live: Live, raw: RawClient) -> None:
    socket = await raw.live(live.url)
    await socket.send('42/live,1["echo",{"t":"\\ud800 half, \\u2028, 👋, \\u0000"}]')
    answer = str(await socket.receive())
    assert "half" in answer
    assert live.classroom.wishes == [("echo", {"t": "\ud800 half, \u2028, 👋, \x00"})]
