"""Packets through a real worker: who gets what, in which numbers, and what stops at once."""

from __future__ import annotations

import time

import pytest

from signaling.media.client import SdpInvalid, Track, Wish
from signaling.media.errors import PeerUnknown
from signaling.media.subscriber import WISHES
from tests.signaling.media.conftest import Connect
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.scenes import ALL, ANA, BO, CLEO, ROOM, Web, a_class, counted
from tests.signaling.media.wire import Described, until

AWAY = Wish(paused=True)


async def test_nothing_flows_before_it_is_permitted_and_everything_after(web: Web) -> None:
    client, told = web
    before = await counted(client, lambda c: True)
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    ana.send("microphone", count=5)
    ana.send("camera", key=True, count=5)
    after = await counted(client, lambda c: c["unpermitted_dropped"] >= before["unpermitted_dropped"] + 10)
    assert after["rtp_out"] == before["rtp_out"]
    assert not told.named("flowing")

    client.permit(ROOM, {ANA: ALL}, [ANA])
    await until(lambda: told.bindings_of(bo.name).get("1") == {"user_id": ANA, "source": "camera"})
    ana.send("microphone", count=5)
    ana.send("camera", key=True, count=5)
    await until(lambda: len(bo.packets["0"]) == 5 and len(bo.packets["1"]) == 5)
    assert set(bo.senders("0")) == set(bo.senders("1")) == {ANA}
    assert ("flowing", ROOM, ANA, "camera", True) in told.events


async def test_a_revoked_source_stops_at_once_whatever_the_browser_sends(web: Web) -> None:
    client, told = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True, count=3)
    await until(lambda: len(bo.packets["1"]) == 3)
    client.permit(ROOM, {ANA: {"microphone"}}, [ANA])
    await until(lambda: told.bindings_of(bo.name).get("1", "unknown") is None)
    ana.send("camera", key=True, count=20)
    ana.send("microphone", count=20)
    await until(lambda: len(bo.packets["0"]) == 20)
    assert len(bo.packets["1"]) == 3
    assert told.named("flowing")[-2:] == [
        ("flowing", ROOM, ANA, "camera", False),
        ("flowing", ROOM, ANA, "microphone", True),
    ]


async def test_nobody_receives_their_own_picture(web: Web) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    mirror = await SubscribingPeer(ANA).subscribe(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    ana.send("camera", key=True, count=5)
    await until(lambda: len(bo.packets["1"]) == 5)
    assert mirror.bindings == dict.fromkeys(mirror.bindings)
    assert not any(mirror.packets.values())


async def test_a_slot_changes_hands_without_a_new_description_and_its_numbers_go_on(web: Web) -> None:
    client, told = web
    client.permit(ROOM, {ANA: ALL, CLEO: ALL}, [ANA])
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    cleo = await PublishingPeer(CLEO).publish(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    ana.send("camera", key=True, count=5)
    cleo.send("camera", key=True, count=1)
    await until(lambda: len(bo.packets["1"]) == 5 and bo.packets["5"])

    client.permit(ROOM, {ANA: ALL, CLEO: ALL}, [CLEO, ANA])
    await until(lambda: (told.bindings_of(bo.name).get("1") or {}).get("user_id") == CLEO)
    last = bo.packets["1"][-1]
    assert told.bindings_of(bo.name)["1"]["after"] == last.timestamp
    await until(lambda: cleo.keyframes_asked, what="a keyframe request for the new face")
    ana.send("camera", count=3)
    cleo.send("camera", count=3)
    cleo.send("camera", key=True, count=5)
    await until(lambda: len(bo.packets["1"]) == 10)
    assert bo.senders("1") == [ANA] * 5 + [CLEO] * 5
    numbers = [packet.seq for packet in bo.packets["1"]]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(10)]
    assert (bo.packets["1"][5].timestamp - last.timestamp) & 0xFFFFFFFF < 90000 * 10
    assert not told.named("offer")


async def test_offers_and_bindings_share_one_revision_and_only_the_last_offer_may_be_answered(web: Web) -> None:
    client, told = web
    client.permit(ROOM, {}, [ANA])
    bo = SubscribingPeer(BO)
    described = await bo.take_offer(client, ROOM)
    assert bo.revision == 1
    client.permit(ROOM, {ANA: ALL}, [ANA])
    await PublishingPeer(ANA).publish(client, ROOM)
    await until(lambda: told.named("bindings"))
    assert told.named("bindings")[-1][3] == 2
    await client.answer(ROOM, bo.name, 1, bo.answer(described))
    again = await client.restart_subscribe(ROOM, bo.name)
    assert again.revision == 3
    with pytest.raises(SdpInvalid, match="replaced by a newer one"):
        await client.answer(ROOM, bo.name, 1, bo.answer(described))


async def test_a_publisher_without_vp8_is_forwarded_in_h264_where_it_is_understood(web: Web) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL}, [ANA])
    ana = await PublishingPeer(ANA, codec="H264").publish(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    deaf = SubscribingPeer(CLEO)
    described = await deaf.take_offer(client, ROOM)
    answer = deaf.answer(described).replace("H264/90000", "other/90000")
    await client.answer(ROOM, deaf.name, deaf.revision, answer)
    await deaf.wire.connect(described)
    ana.send("camera", key=True, count=3)
    ana.send("microphone", count=3)
    await until(lambda: len(bo.packets["1"]) == 3 and len(deaf.packets["0"]) == 3)
    assert {packet.payload_type for packet in bo.packets["1"]} == {102}
    assert not deaf.packets["1"]


async def test_clocks_of_two_publishers_agree_and_reports_are_carried_on_to_now(web: Web) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: ALL, CLEO: ALL}, [ANA, CLEO])
    ana = await PublishingPeer(ANA, ("microphone",)).publish(client, ROOM)
    cleo = await PublishingPeer(CLEO, ("microphone",)).publish(client, ROOM)
    bo = await SubscribingPeer(BO).subscribe(client, ROOM)
    for peer, wrong_by in ((ana, 0.0), (cleo, 7.0)):
        peer.send("microphone")
        peer.report("microphone", time.time() + wrong_by)
    await until(lambda: bo.packets["0"] and bo.packets["4"])
    by_line = {mid: bo.packets[mid][0].ssrc for mid in ("0", "4")}
    found = await until(
        lambda: (
            {m: r for m, s in by_line.items() if len(r := [p for p in bo.reports if p.ssrc == s]) > 1}.keys()
            == by_line.keys()
        )
    )
    assert found
    for ssrc in by_line.values():
        reports = [report.sender_info for report in bo.reports if report.ssrc == ssrc]
        assert abs(reports[-1].ntp_timestamp / 2**32 - 2208988800 - time.time()) < 1.5
        elapsed = (reports[-1].ntp_timestamp - reports[0].ntp_timestamp) / 2**32
        ticks = (reports[-1].rtp_timestamp - reports[0].rtp_timestamp) & 0xFFFFFFFF
        assert ticks == pytest.approx(elapsed * 48000, abs=960)


async def test_a_publisher_is_told_its_cap_and_gets_reports_with_round_trip_data(web: Web) -> None:
    client, _ = web
    ana, _ = await a_class(client)
    ana.send("camera", key=True, count=10)
    ana.report("camera", 1_700_000_000.0)
    await until(lambda: ana.remb is not None and any(report.lsr for report in ana.reports))
    assert ana.remb == pytest.approx(1.25 * 1_396_000, rel=0.01)
    report = next(report for report in ana.reports if report.lsr)
    assert report.ssrc == ana.ssrcs["camera"]
    assert report.fraction_lost == 0
    assert report.highest_sequence & 0xFFFF == ana.seqs["camera"]


async def test_another_tab_of_a_user_replaces_the_first_and_the_first_is_told(web: Web) -> None:
    client, told = web
    first, bo = await a_class(client)
    second = await PublishingPeer(ANA, name="another-tab").publish(client, ROOM)
    assert ("closed", ROOM, first.name, "publish", "replaced") in told.events
    await until(lambda: first.wire.state == "closed")
    second.send("camera", key=True, count=2)
    await until(lambda: len(bo.packets["1"]) == 2)


async def test_tracks_are_added_and_stopped_on_the_same_connection(web: Web) -> None:
    client, told = web
    ana, bo = await a_class(client)
    ana.sources += ("screen",)
    ana.mids["screen"], ana.ssrcs["screen"], ana.seqs["screen"], ana.timestamps["screen"] = "2", 77, 5, 5
    ana.sent["screen"] = {}
    answer = await client.publish(ROOM, ana.name, ANA, ana.offer(), ana.tracks())
    assert Described.read(answer).ufrag == ana.wire.remote.ufrag  # type: ignore[union-attr]
    ana.send("screen", key=True, count=2)
    await until(lambda: len(bo.packets["3"]) == 2)
    await client.unpublish(ROOM, ana.name, ANA, ["camera"])
    await until(lambda: told.bindings_of(bo.name)["1"] is None)
    ana.send("camera", key=True, count=3)
    ana.send("screen", count=2)
    await until(lambda: len(bo.packets["3"]) == 4)
    assert not bo.packets["1"]


async def test_tracks_that_do_not_fit_the_offer_are_refused_and_change_nothing(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    for tracks, sentence in [
        ([Track("9", "camera")], "does not offer"),
        ([Track("0", "camera")], "cannot carry"),
        ([Track("0", "microphone"), Track("1", "microphone")], "twice"),
        ([Track("1", "elephant")], "cannot carry"),
    ]:
        with pytest.raises(SdpInvalid, match=sentence):
            await client.publish(ROOM, ana.name, ANA, ana.offer(), tracks)
    ana.send("camera", key=True, count=2)
    await until(lambda: len(bo.packets["1"]) == 2)


async def test_peers_end_with_the_web_process_that_opened_them_and_others_live_on(connect: Connect) -> None:
    (one, _), (two, told_two) = await connect(), await connect()
    one.permit(ROOM, {ANA: ALL, CLEO: ALL}, [ANA, CLEO])
    ana = await PublishingPeer(ANA).publish(one, ROOM)
    cleo = await PublishingPeer(CLEO).publish(two, ROOM)
    bo = await SubscribingPeer(BO).subscribe(two, ROOM)
    ana.send("microphone")
    await until(lambda: bo.packets["0"])
    await one.close()
    await until(lambda: told_two.bindings_of(bo.name).get("0", "unknown") is None)
    await until(lambda: ana.wire.state == "closed")
    cleo.send("microphone", count=3)
    await until(lambda: len(bo.packets["4"]) == 3)


async def test_closing_a_peer_is_told_with_its_reason_before_the_connection_ends(web: Web) -> None:
    client, told = web
    ana, bo = await a_class(client)
    client.close_peer(ROOM, ana.name, "removed")
    await until(lambda: ana.wire.state == "closed")
    assert ("closed", ROOM, ana.name, "publish", "removed") in told.events
    client.close_room(ROOM)
    await until(lambda: bo.wire.state == "closed")


async def test_an_older_word_about_permissions_that_arrives_later_is_ignored(connect: Connect) -> None:
    (one, _), (two, told) = await connect(), await connect()
    two.permit(ROOM, {ANA: {"microphone"}}, [ANA], revision=11)
    ana = await PublishingPeer(ANA).publish(two, ROOM)
    bo = await SubscribingPeer(BO).subscribe(two, ROOM)
    one.permit(ROOM, {ANA: ALL}, [ANA], revision=10)
    await one.stats()
    ana.send("camera", key=True, count=3)
    ana.send("microphone", count=3)
    await until(lambda: len(bo.packets["0"]) == 3)
    assert not bo.packets["1"]
    assert told.bindings_of(bo.name) == {}


async def test_a_publisher_is_told_when_its_packets_arrived_also_those_it_may_not_send(web: Web) -> None:
    client, _ = web
    client.permit(ROOM, {ANA: {"microphone"}}, [ANA])
    ana = await PublishingPeer(ANA).publish(client, ROOM)
    for told in (1, 2, 3):
        ana.send("camera", key=True, count=20)
        ana.send("microphone")
        await until(lambda told=told: len(ana.arrivals) >= told)  # type: ignore[misc]
    assert len(ana.arrivals) <= 9  # gathered, not one for each


async def test_a_paused_picture_is_not_sent_until_it_is_wanted_again_and_sound_always_is(web: Web) -> None:
    client, told = web
    ana, bo = await a_class(client)
    cleo = await SubscribingPeer(CLEO).subscribe(client, ROOM)
    ana.send("camera", key=True, count=3)
    await until(lambda: len(bo.packets["1"]) == len(cleo.packets["1"]) == 3)
    bound = told.named("bindings")

    await client.prefer(ROOM, bo.name, {(ANA, "camera"): AWAY, (ANA, "microphone"): AWAY, (99, "screen"): AWAY})
    asked = ana.keyframes_asked
    ana.send("camera", key=True, count=20)
    ana.send("microphone", count=20)
    await until(lambda: len(bo.packets["0"]) == 20 and len(cleo.packets["1"]) == 23)
    assert len(bo.packets["1"]) == 3
    assert ana.keyframes_asked == asked

    await client.prefer(ROOM, bo.name, {(ANA, "camera"): Wish()})
    await until(lambda: ana.keyframes_asked > asked, what="a keyframe request for the resumed picture")
    ana.send("camera", count=4)
    ana.send("camera", key=True, count=2)
    await until(lambda: len(bo.packets["1"]) == 5 and len(cleo.packets["1"]) == 29)
    numbers = [packet.seq for packet in bo.packets["1"]]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == [0, 1, 2, 3, 4]
    assert told.named("bindings") == bound


async def test_pauses_of_one_subscriber_are_bounded_and_those_of_nobody_are_refused(web: Web) -> None:
    client, _ = web
    ana, bo = await a_class(client)
    ana.send("camera", key=True)
    await until(lambda: bo.packets["1"])
    await client.prefer(ROOM, bo.name, {(ANA, "camera"): AWAY})
    await client.prefer(ROOM, bo.name, {(1000 + user, "camera"): AWAY for user in range(WISHES)})
    await until(lambda: ana.keyframes_asked, what="the forgotten pause has ended")
    ana.send("camera", key=True, count=2)
    await until(lambda: len(bo.packets["1"]) == 3)
    with pytest.raises(PeerUnknown):
        await client.prefer(ROOM, "nobody", {(ANA, "camera"): AWAY})
