"""Lost packets and keyframes through a real worker: who asks whom, and what is sent again."""

from __future__ import annotations

import asyncio
import time

import pytest

from signaling.media.dtls import rtp
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.scenes import ALL, ANA, BO, CLEO, ROOM, Web, a_class, arrived, counted
from tests.signaling.media.wire import until


async def test_a_late_subscriber_gets_the_recent_keyframe_again_and_nobody_is_asked_for_one(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True, count=10)
    await until(lambda: len(bo.packets["1"]) == 10)
    asked = ana.keyframes_asked
    cleo = await SubscribingPeer(CLEO).subscribe(client, ROOM)
    await until(lambda: len(cleo.packets["1"]) == 10)
    assert cleo.numbers("1") == bo.numbers("1")
    assert ana.keyframes_asked == asked


async def test_a_late_subscriber_without_a_recent_keyframe_waits_for_one_that_is_asked_for(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True, count=60)
    await until(lambda: len(bo.packets["1"]) == 60)
    asked = ana.keyframes_asked
    cleo = await SubscribingPeer(CLEO).subscribe(client, ROOM)
    await until(lambda: ana.keyframes_asked >= asked + 2, what="a keyframe request, and its repetition")
    ana.send("camera", count=2)
    ana.send("camera", key=True, count=2)
    await until(lambda: len(cleo.packets["1"]) == 2)
    assert cleo.numbers("1") == bo.numbers("1")[-2:]


async def test_keyframe_wishes_of_many_become_one_request(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    cleo = await SubscribingPeer(CLEO).subscribe(client, ROOM)
    ana.send("camera", key=True, count=2)
    await until(lambda: bo.packets["1"] and cleo.packets["1"])
    asked, before = ana.keyframes_asked, await counted(client, lambda c: True)
    for _ in range(5):
        bo.ask_keyframe("1")
        cleo.ask_keyframe("1", by_fir=True)
    await until(lambda: ana.keyframes_asked == asked + 1)
    after = await counted(client, lambda c: c["rtcp_in"] >= before["rtcp_in"] + 10)
    assert after["keyframes_asked"] == before["keyframes_asked"] + 1


async def test_what_a_subscriber_lacks_is_sent_again_video_as_rtx_and_sound_as_it_was(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    for source, mid in (("camera", "1"), ("microphone", "0")):
        ana.send(source, key=True)
        await arrived(bo, mid, 1)
        bo.wire.is_deaf = True
        ana.send(source)
        await until(lambda: bo.wire.missed)
        bo.wire.is_deaf, bo.wire.missed = False, 0
        ana.send(source)
        await arrived(bo, mid, 2)
        first, third = bo.packets[mid]
        bo.ask_for(mid, [(first.seq + 1) & 0xFFFF])
        await arrived(bo, mid, 3)
        again = bo.packets[mid][-1]
        assert first.timestamp < again.timestamp < third.timestamp
        assert bo.numbers(mid) == [ana.seqs[source] - 2, ana.seqs[source], ana.seqs[source] - 1]
        assert (again.ssrc == first.ssrc) is (source == "microphone")


async def test_over_a_long_way_what_is_asked_for_again_before_it_can_have_come_is_sent_once(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True, count=2)
    ana.report("camera", time.time())
    await arrived(bo, "1", 2)
    await until(lambda: bo.reports and bo.reports[-1].ssrc == bo.packets["1"][0].ssrc)
    asked, before = bo.packets["1"][0].seq, await counted(client, lambda c: True)
    bo.report_trip("1", 5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(4):
        bo.ask_for("1", [asked])
        await asyncio.sleep(0.03)
    after = await counted(client, lambda c: c["nacks_in"] >= before["nacks_in"] + 4)
    assert after["retransmitted"] - before["retransmitted"] <= 1 + (loop.time() - began) // 0.3


async def test_what_was_lost_on_the_way_in_is_asked_of_the_publisher_and_sent_on_under_its_number(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    for source, mid in (("camera", "1"), ("microphone", "0")):
        ana.send(source, key=True, count=3)
        lost = ana.hold_back(source)
        ana.send(source, count=3)
        await arrived(bo, mid, 7)
        assert lost in ana.nacked
        in_order = sorted(bo.packets[mid], key=lambda packet: packet.seq)
        assert [packet.payload for packet in in_order] == list(ana.sent[source].values())


async def test_a_keyframe_whose_beginning_came_late_is_followed_by_what_came_before_it(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", count=2)
    await until(lambda: ana.keyframes_asked)
    beginning = ana.hold_back("camera", key=True)
    ana.send("camera", count=4)
    await until(lambda: len(bo.packets["1"]) == 5)
    assert bo.numbers("1") == [(beginning + i) & 0xFFFF for i in range(5)]


async def test_a_packet_is_never_sent_on_twice_under_one_number(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True, count=3)
    await until(lambda: len(bo.packets["1"]) == 3)
    seq = ana.seqs["camera"]
    before = (await client.stats())["counters"]["rtp_in"]
    for _ in range(3):
        # The publisher may retransmit one number with other contents; only the first counts.
        ana.sent["camera"][seq] += b"other"
        ana.wire.on_rtcp([nack_of(ana, seq)])
    await counted(client, lambda c: c["rtp_in"] >= before + 3)
    assert len(bo.packets["1"]) == 3


def nack_of(publisher: PublishingPeer, seq: int) -> object:
    """A request that makes a publishing peer send a number again."""
    ssrc = publisher.ssrcs["camera"]
    return rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=ssrc, lost=[seq])


@pytest.mark.parametrize(("loss", "arriving"), [(0.01, 1.0), (0.03, 0.99), (0.10, 0.97)])
async def test_what_is_lost_both_ways_is_repaired(web: Web, loss: float, arriving: float) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    bo = SubscribingPeer(BO)
    bo.asks_for_missing = True
    await bo.subscribe(client, ROOM)
    ana.send("camera", key=True)
    ana.send("microphone")
    await until(lambda: bo.packets["1"] and bo.packets["0"])
    await client.test_loss(loss, loss)
    for _ in range(100):
        ana.send("camera", count=3)
        ana.send("microphone")
        await asyncio.sleep(0.01)
    await client.test_loss(0, 0)
    ana.send("camera")
    ana.send("microphone")
    # Sound is given up after 0.3 s, so at much loss a little of it stays away; without repair it would be twice the
    # loss.
    for mid, source in (("1", "camera"), ("0", "microphone")):
        enough = arriving * len(ana.sent[source])
        await until(lambda mid=mid, enough=enough: len(set(bo.numbers(mid))) >= enough, 3, source)  # type: ignore[misc]
    assert (await client.stats())["counters"]["test_lost"] > 0
