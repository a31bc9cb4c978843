"""IPv4, IPv6 and public addresses: what is bound, what browsers are told, and media over either."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from server.serving import media_hosts
from server.settings import Settings
from signaling.media.client import MediaClient
from signaling.media.worker import advertised, bind_sockets
from tests.signaling.media.conftest import Told, other_address, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.scenes import ALL, ANA, BO, ROOM, arrived
from tests.signaling.media.wire import Described


@pytest.mark.parametrize(
    ("host", "public", "bound"),
    [
        ("127.0.0.1", "", ["127.0.0.1"]),
        ("localhost", "127.0.0.2", ["127.0.0.1"]),
        ("127.0.0.1", "::1", ["127.0.0.1", "::1"]),
        ("127.0.0.1", "203.0.113.9", ["0.0.0.0"]),
        ("127.0.0.1", "2001:db8::9", ["0.0.0.0", "::"]),
        ("0.0.0.0", "", ["0.0.0.0"]),
        ("0.0.0.0", "203.0.113.9, 2001:db8::9", ["0.0.0.0", "::"]),
        ("0.0.0.0", "class.example.org", ["0.0.0.0", "::"]),
        ("::", "", ["::"]),
        ("::", "203.0.113.9", ["::", "0.0.0.0"]),
    ],
)
def test_the_kinds_of_addresses_that_browsers_are_told_are_bound(host: str, public: str, bound: list[str]) -> None:
    assert media_hosts(Settings.model_validate({"HOST": host, "PUBLIC_ADDRESS": public})) == bound


def test_a_name_stands_for_its_addresses_of_the_kinds_that_are_bound() -> None:
    assert advertised(["0.0.0.0"], ["localhost"]) == ["127.0.0.1"]
    assert "127.0.0.1" in advertised(["0.0.0.0", "::"], ["localhost"])


def test_both_kinds_share_one_port() -> None:
    sockets = bind_sockets(["127.0.0.1", other_address()], 0, 0)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
    finally:
        for sock in sockets:
            sock.close()


async def test_media_flows_over_ipv6_and_goes_on_when_a_peer_moves_between_the_two(tmp_path: Path) -> None:
    other = other_address()
    worker = start_worker(f"unix:{tmp_path}/media.sock", "--udp-host", "127.0.0.1", "--udp-host", other)
    client = MediaClient(worker.control, Told())
    await client.start()
    assert await client.wait_ready()
    client.permit(ROOM, {ANA: ALL}, [ANA])
    ana, bo = PublishingPeer(ANA), SubscribingPeer(BO)
    answer = await client.publish(ROOM, ana.name, ANA, ana.offer(), ana.tracks())
    await ana.wire.connect(Described.read(answer, other))
    four = await bo.take_offer(client, ROOM)
    await client.answer(ROOM, bo.name, bo.revision, bo.answer(four))
    await bo.wire.connect(four)
    six = dataclasses.replace(four, address=Described.read(four.text, other).address)
    assert six.address[0] == other
    ana.send("microphone", count=2)
    await arrived(bo, "0", 2)
    for turn, way in enumerate((six, four, six)):
        bo.wire.remote = way
        await bo.wire.move()
        ana.send("microphone", count=2)
        await arrived(bo, "0", 4 + 2 * turn)
    await client.close()
    assert worker.stop() == 0
