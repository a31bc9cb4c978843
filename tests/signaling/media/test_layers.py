"""A camera in layers through a real worker: each viewer gets the one that fits, and changes it at a keyframe."""

from __future__ import annotations

import asyncio
import itertools
import re

from signaling.media import sdp
from signaling.media.client import MediaClient, Wish
from signaling.media.publisher import LAYERED_CAP
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.scenes import ALL, ANA, BO, CLEO, ROOM, Web, arrived, counted
from tests.signaling.media.wire import until

RIDS = ("l", "m", "h")
CAMERA = (ANA, "camera")


async def ana_in_layers(client: MediaClient, rids: tuple[str, ...] = RIDS) -> PublishingPeer:
    client.permit(ROOM, {ANA: ALL}, [ANA])
    return await PublishingPeer(ANA, ("camera",), rids=rids).publish(client, ROOM)


def a_frame(ana: PublishingPeer, *, key: bool = False, count: int = 1) -> None:
    """One in each layer, or several."""
    for rid in ana.rids:
        ana.send(f"camera/{rid}", key=key, count=count)


def counts_on(numbers: list[int]) -> bool:
    return numbers == [(numbers[0] + step) & 0xFFFF for step in range(len(numbers))]


def test_layers_are_read_from_an_offer_and_taken_in_the_answer() -> None:
    offer = sdp.read(PublishingPeer(ANA, ("microphone", "camera"), rids=RIDS).offer())
    assert [line.rids for line in offer.media] == [(), RIDS]
    assert sdp.choose(offer.media[1]).rids == RIDS
    for said, rids in [
        ("send l;m;h;x", ("l", "m", "h")),
        ("recv a send h,g;~l", ("h", "l")),
        ("send h", ()),
        ("send h;h", ()),
        ("send <>;h", ()),
        ("recv l;h", ()),
    ]:
        text = re.sub(r"a=simulcast:.*", f"a=simulcast:{said}", PublishingPeer(ANA, rids=RIDS).offer())
        assert sdp.read(text).media[1].rids == rids


async def test_the_answer_takes_layers_of_a_camera_and_none_of_a_screen(web: Web) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    peer = PublishingPeer(ANA, ("camera", "microphone"), rids=RIDS)
    answer = await client.publish(ROOM, peer.name, ANA, peer.offer(), peer.tracks())
    assert "a=simulcast:recv l;m;h\r\n" in answer
    assert re.findall(r"a=rid:(\S+) recv", answer) == list(RIDS)
    assert f"a=extmap:6 {sdp.RID_EXTENSION}\r\n" in answer
    assert f"a=extmap:7 {sdp.REPAIRED_RID_EXTENSION}\r\n" in answer
    as_screen = [type(track)(track.mid, track.source.replace("camera", "screen")) for track in peer.tracks()]
    assert "simulcast" not in await client.publish(ROOM, "other", CLEO, peer.offer(), as_screen)
    client.close_peer(ROOM, "other", "over")


async def test_each_viewer_gets_the_layer_that_fits_its_tile_and_the_largest_when_it_never_said(web: Web) -> None:
    client, _ = web
    ana = await ana_in_layers(client)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    cleo = await SubscribingPeer(CLEO).subscribe(client, ROOM)
    await client.prefer(ROOM, cleo.name, {CAMERA: Wish(width=300)})
    a_frame(ana, key=True)
    await until(lambda: bo.packets["1"] and cleo.packets["1"])
    a_frame(ana, key=True)
    a_frame(ana, count=3)
    await until(lambda: bo.widths("1")[-4:] == [1280] * 4 and cleo.widths("1")[-4:] == [320] * 4)
    assert counts_on([packet.seq for packet in bo.packets["1"]])
    assert ana.remb is None or ana.remb >= LAYERED_CAP


async def test_a_layer_changes_at_a_keyframe_only_and_numbers_and_times_go_on(web: Web) -> None:
    client, _ = web
    ana = await ana_in_layers(client)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    await settle(ana, bo, 1280)
    for width, stream in ((300, "camera/l"), (600, "camera/m"), (1200, "camera/h")):
        asked = len(ana.asked_of)
        await client.prefer(ROOM, bo.name, {CAMERA: Wish(width=width)})
        await more_than(ana.asked_of, asked)
        assert set(ana.asked_of[asked:]) == {stream}
        before = len(bo.packets["1"])
        a_frame(ana)
        await arrived(bo, "1", before + 1)
        assert bo.widths("1")[-1] == bo.widths("1")[-2]  # the former layer until then
        await asyncio.sleep(0.01)
        a_frame(ana, key=True)
        a_frame(ana)
        wide = {"camera/l": 320, "camera/m": 640, "camera/h": 1280}[stream]
        await shows(bo, [wide] * 2)
        await asyncio.sleep(0.5)  # keyframes of one layer are asked for at most so often
    assert counts_on([packet.seq for packet in bo.packets["1"]])
    times = [packet.timestamp for packet in bo.packets["1"]]
    assert all(0 < (later - earlier) & 0xFFFFFFFF < 90_000 * 3 for earlier, later in itertools.pairwise(times))


async def shows(bo: SubscribingPeer, widths: list[int]) -> None:
    """Wait until the last packets were of these layers."""
    await until(lambda: bo.widths("1")[-len(widths) :] == widths)


async def more_than(some: list[str], count: int) -> None:
    """Wait until there are."""
    await until(lambda: len(some) > count)


async def settle(ana: PublishingPeer, bo: SubscribingPeer, width: int) -> None:
    """Until this layer is what he gets."""
    for _ in range(100):
        a_frame(ana, key=True)
        await asyncio.sleep(0.01)
        if bo.packets["1"] and bo.widths("1")[-1] == width:
            return
    raise AssertionError(bo.widths("1"))


async def test_a_layer_that_ceases_is_replaced_and_taken_again_when_it_returns(web: Web) -> None:
    client, _ = web
    ana = await ana_in_layers(client, ("l", "h"))
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    await settle(ana, bo, 1280)
    for rids, width in ((("l",), 320), (("l", "h"), 1280)):
        ana.rids = rids
        for _ in range(250):
            a_frame(ana, key=bool(ana.asked_of))
            ana.asked_of.clear()
            await asyncio.sleep(0.01)
            if bo.widths("1")[-1] == width:
                break
        assert bo.widths("1")[-1] == width
    assert counts_on([packet.seq for packet in bo.packets["1"]])


async def test_viewers_who_all_want_another_layer_cost_one_request(web: Web) -> None:
    client, _ = web
    ana = await ana_in_layers(client)
    some = [await SubscribingPeer(BO + n, f"s{n}").subscribe(client, ROOM) for n in range(5)]
    for one in some:
        await settle(ana, one, 1280)
    ana.asked_of.clear()
    for one in some:
        await client.prefer(ROOM, one.name, {CAMERA: Wish(width=320)})
    await until(lambda: ana.asked_of)
    a_frame(ana, key=True)
    await until(lambda: all(one.widths("1")[-1] == 320 for one in some))
    assert ana.asked_of == ["camera/l"]


async def test_what_a_layer_lacks_is_asked_for_and_repaired_by_its_own_stream(web: Web) -> None:
    client, _ = web
    ana = await ana_in_layers(client)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    await settle(ana, bo, 1280)
    lost = ana.hold_back("camera/h")
    ana.send("camera/h", count=5)
    await until(lambda: lost in ana.nacked)
    await until(lambda: lost in bo.numbers("1"))
    before = await counted(client, lambda c: True)
    some = bo.packets["1"][-1]
    bo.ask_for("1", [some.seq])
    await counted(client, lambda c: c["retransmitted"] == before["retransmitted"] + 1)
    assert sorted({packet.seq for packet in bo.packets["1"]}) == sorted(
        {(bo.packets["1"][0].seq + step) & 0xFFFF for step in range(len({p.seq for p in bo.packets["1"]}))}
    )
