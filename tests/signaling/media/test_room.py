"""Rooms and links inside this process, where their clocks and bounds can be made small."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from signaling.media import ice, sdp
from signaling.media.carrier import Carrier
from signaling.media.counters import Counters
from signaling.media.dtls import Certificate
from signaling.media.errors import MediaFull, PeerUnknown
from signaling.media.forward import PACED_PACKETS
from signaling.media.ice import Mux
from signaling.media.link import Host
from signaling.media.load import CONNECTION_LOAD
from signaling.media.pulse import LONGEST_PAUSE_SECONDS
from signaling.media.room import PENDING_PER_USER, Room
from signaling.media.service import SILENT_SECONDS, Service, WebSide
from signaling.media.values import Track
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import Described, until

ANA, BO = 1, 2
ALL = frozenset({"microphone", "camera"})


class Place:
    """A room on a mux of its own, and what it told."""

    def __init__(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        self.mux = Mux([sock], Counters())
        self.told: list[tuple[Any, ...]] = []
        self.host = Host(self.mux, Certificate(), (("127.0.0.1", sock.getsockname()[1]),))
        self.room = Room(1, self.host, lambda *told: self.told.append(told))

    async def publishes(self, peer: PublishingPeer) -> PublishingPeer:
        """Offer, answer, connect."""
        await peer.wire.connect(self.answered(peer))
        return peer

    def answered(self, peer: PublishingPeer) -> Described:
        """Offer and answer only."""
        tracks = [Track(mid, source) for source, mid in peer.mids.items()]
        return Described.read(self.room.publish(peer.name, peer.user, sdp.read(peer.offer()), tracks))

    async def subscribes(self, peer: SubscribingPeer) -> SubscribingPeer:
        """Be offered the pool, answer it, connect."""
        offer = self.room.subscribe(peer.name, peer.user)
        described = peer.read_offer(offer.revision, offer.sdp, offer.bindings)
        self.room.answer(peer.name, offer.revision, sdp.read(peer.answer(described)))
        await peer.wire.connect(described)
        return peer

    def closed(self, peer: str) -> list[tuple[str, str]]:
        """Sides and reasons of a peer's ends."""
        return [(e[2]["side"], e[2]["reason"]) for e in self.told if e[0] == peer and e[1] == "closed"]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A room that ends with the test."""
    made = Place()
    yield made
    made.room.close("over")
    assert not made.host.links
    assert not made.mux.by_ufrag
    assert not made.mux.by_address
    made.mux.close()
    await asyncio.sleep(0)


async def test_a_peer_that_vanishes_is_closed_and_its_slots_are_free(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media.link.DEAD_SECONDS", 1.5)
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    ana.send("microphone")
    await until(lambda: bo.packets["0"])
    ana.wire.silence()
    await until(lambda: place.closed(ana.name) == [("publish", "timeout")])
    assert (ana.name, "flowing", {"user": ANA, "source": "microphone", "on": False}) in place.told
    assert place.told[-2][1:] == ("bindings", {"revision": 2, "bindings": dict.fromkeys("0123456789")})
    assert bo.wire.state == "connected"


@pytest.mark.prove
async def test_a_peer_that_vanishes_is_known_to_be_gone_within_fifteen_seconds(place: Place) -> None:
    ana, bo = await place.publishes(PublishingPeer(ANA)), await place.subscribes(SubscribingPeer(BO))
    loop = asyncio.get_running_loop()
    await asyncio.sleep(1.5)  # so that it does not fall together with the once-a-second look by chance
    vanished = loop.time()
    ana.wire.silence()
    await until(lambda: place.closed(ana.name) == [("publish", "timeout")], 20)
    took = loop.time() - vanished
    print(f"known after {took:.2f} s")
    assert took < 15
    assert not place.closed(bo.name), "who goes on checking stays"


async def test_a_peer_that_never_comes_is_closed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.media.link.START_SECONDS", 0.1)
    place.answered(PublishingPeer(ANA))
    await until(lambda: place.closed("publisher-1") == [("publish", "never_connected")])


async def test_a_worker_at_its_capacity_takes_nobody_new_and_those_inside_go_on(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    place.host.load.share = place.host.load.most + 0.01
    with pytest.raises(MediaFull, match="without losing quality"):
        place.room.subscribe("cleo", 3)
    with pytest.raises(MediaFull, match="without losing quality"):
        place.answered(PublishingPeer(3))
    ana.send("microphone")
    await until(lambda: bo.packets["0"])
    bo = await place.subscribes(SubscribingPeer(BO))  # the same page anew
    ana.send("microphone")
    await until(lambda: bo.packets["0"])
    place.host.load.share = place.host.load.most - 10 * CONNECTION_LOAD
    crowd = range(10 - 2)  # ana and bo have only just come, too
    for number in crowd:
        place.room.subscribe(f"student {number}", 10 + number)
    place.room.subscribe("one more", 30)  # still at the limit, not over it
    with pytest.raises(MediaFull, match="without losing quality"):
        place.room.subscribe("cleo", 3)


async def test_of_a_peer_that_was_refused_the_worker_keeps_nothing(place: Place) -> None:
    service = Service(place.host, "now", secret=None)
    side = WebSide(Carrier(lambda *_: None, lambda _: None))
    asked = {"room": 7, "peer": "bo", "user": BO}
    place.host.load.share = place.host.load.most + 0.01
    with pytest.raises(MediaFull):
        service._subscribe(side, asked)
    assert (side.peers, service._owners) == (set(), {})
    place.host.load.share = 0.0
    service._subscribe(side, asked)
    assert side.peers == {(7, "bo")}
    service.close("over")


class Wire(Carrier):
    """A web process's line that is written down."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None, lambda _: None)
        self.is_open, self.said = True, list[Mapping[str, Any]]()

    def send(self, message: Mapping[str, Any]) -> bool:
        self.said.append(message)
        return True


async def test_a_web_process_that_stands_still_beside_a_living_one_loses_its_peers_when_its_lease_may_have_run_out(
    place: Place,
) -> None:
    service = Service(place.host, "now", secret=None)
    still, lively = Wire(), Wire()
    for peer, carrier in (("bo", still), ("cleo", lively)):
        service._connected(carrier)
        service._received(carrier, {"hello": {}})
        service._received(carrier, {"n": 1, "do": "subscribe", "room": 7, "peer": peer, "user": BO})
    now = time.monotonic()
    service.look(now + SILENT_SECONDS + 1)
    assert set(service.rooms[7].subscribers) == {"bo", "cleo"}, "nobody is there who could take them over"
    service._sides[still].heard_at = now - SILENT_SECONDS - 1
    service.look(now)
    assert set(service.rooms[7].subscribers) == {"cleo"}
    told = {"tell": "closed", "room": 7, "peer": "bo", "side": "subscribe", "reason": "silent"}
    assert still.said[-1] == told
    assert told not in lively.said
    service._received(still, {"n": 2, "do": "subscribe", "room": 7, "peer": "bo", "user": BO})  # it goes on
    service.look(now)
    assert set(service.rooms[7].subscribers) == {"bo", "cleo"}
    service.close("over")
    for side in service._sides.values():
        assert side.deadline is not None
        side.deadline.cancel()


async def test_a_worker_that_stood_still_ends_every_connection_before_anything_else_and_keeps_what_is_permitted(
    place: Place,
) -> None:
    service, web = Service(place.host, "now", secret=None), Wire()
    service._connected(web)
    service._received(web, {"hello": {}})
    service._received(web, {"do": "permit", "room": 7, "may": [[ANA, ["microphone"]]], "order": [ANA], "revision": 5})
    subscribe = {"do": "subscribe", "room": 7, "peer": "bo", "user": BO}
    service._received(web, {"n": 1, **subscribe})
    service.pulse._felt_at -= LONGEST_PAUSE_SECONDS
    service._received(web, {"n": 2, **subscribe, "peer": "cleo"})
    (closed,) = [said for said in web.said if said.get("tell") == "closed"]
    assert (closed["peer"], closed["reason"]) == ("bo", "stood_still")
    assert set(service.rooms[7].subscribers) == {"cleo"}
    assert service.rooms[7].may == {ANA: {"microphone"}}, "whoever still takes us for alive does not say it again"
    service.close("over")
    side = service._sides[web]
    assert side.deadline is not None
    side.deadline.cancel()


async def test_revisions_of_a_peer_go_on_when_it_subscribes_anew_so_that_older_news_is_known_as_such(
    place: Place,
) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    bo = await place.subscribes(SubscribingPeer(BO))
    await place.publishes(PublishingPeer(ANA))
    told = max(fields["revision"] for peer, what, fields in place.told if (peer, what) == (bo.name, "bindings"))
    assert place.room.subscribe(bo.name, BO).revision > told > 1


async def test_a_source_that_falls_silent_is_told_and_again_when_it_returns(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media.source.SILENT_SECONDS", 0.2)
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    told = [(ana.name, "flowing", {"user": ANA, "source": "microphone", "on": on}) for on in (True, False)]
    ana.send("microphone")
    await until(lambda: place.told == told)
    ana.send("microphone")
    await until(lambda: place.told == [*told, told[0]])


async def test_unfinished_handshakes_are_bounded_and_there_is_room_again_when_they_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media.room.PENDING_HANDSHAKES", 2)
    place.room.subscribe("one", 1)
    place.room.subscribe("two", 2)
    with pytest.raises(MediaFull):
        place.room.subscribe("three", 3)
    place.room.close_peer("one", "left")
    place.room.subscribe("three", 3)
    with pytest.raises(PeerUnknown):
        place.room.restart_subscribe("one")


async def test_one_person_does_not_take_the_places_of_all_others(place: Place) -> None:
    for tab in range(PENDING_PER_USER):
        place.room.subscribe(f"tab {tab}", BO)
    with pytest.raises(MediaFull, match="at once"):
        place.room.subscribe("one more", BO)
    with pytest.raises(MediaFull, match="at once"):
        place.answered(PublishingPeer(BO))
    await place.subscribes(SubscribingPeer(ANA))
    place.room.close_peer("tab 0", "left")
    await place.subscribes(SubscribingPeer(BO))


async def test_a_browser_that_says_goodbye_is_gone_at_once(place: Place) -> None:
    ana = await place.publishes(PublishingPeer(ANA))
    await ana.wire.close()
    await until(lambda: place.closed(ana.name) == [("publish", "gone")])


async def test_only_the_last_addresses_and_names_of_a_peer_are_kept(place: Place) -> None:
    ana = await place.publishes(PublishingPeer(ANA))
    for _ in range(ice.ADDRESSES_PER_LINK + 3):
        await ana.wire.move()
    assert len(place.mux.by_address) == ice.ADDRESSES_PER_LINK
    for turn in range(10):
        ana.wire.ufrag = f"again{turn}"
        place.room.restart_publish(ana.name, sdp.read(ana.offer()))
    assert len(place.mux.by_ufrag) == 4


async def test_a_revoked_source_is_cut_before_the_call_returns(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    ana.send("camera", key=True)
    await until(lambda: bo.packets["1"])
    line = place.room.subscribers[bo.name].outs["1"]
    assert line.source is not None
    place.room.permit({}, [ANA])
    assert line.source is None
    assert place.told[-1][1] == "bindings"
    assert not place.room.publishers[ANA].named()["camera"].sources[0].outs


async def test_a_new_source_of_packets_on_the_same_line_is_cut_over_at_its_keyframe(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    ana.send("camera", key=True, count=3)
    await until(lambda: len(bo.packets["1"]) == 3)
    ana.ssrcs["camera"], ana.seqs["camera"], ana.sent["camera"] = 4711, 9, {}
    ana.send("camera", count=2)
    await until(lambda: ana.keyframes_asked)
    ana.send("camera", key=True, count=3)
    await until(lambda: len(bo.packets["1"]) == 6)
    numbers = [packet.seq for packet in bo.packets["1"]]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(6)]
    assert bo.numbers("1")[3:] == [12, 13, 14]


async def test_of_two_decisions_the_later_one_holds_whichever_arrives_first(place: Place) -> None:
    later, earlier = ({ANA: frozenset({"microphone"})}, [ANA], 11, "first"), ({ANA: ALL}, [ANA], 10, "first")
    place.room.permit(*later)
    place.room.permit(*earlier)
    assert place.room.may == later[0]
    place.room.permit({BO: ALL}, [BO], 3, "restored")
    assert place.room.may == {BO: ALL}
    place.room.permit({ANA: ALL}, [ANA], 12, "first")
    place.room.permit({ANA: ALL}, [ANA], 2, "restored")
    assert place.room.may == {BO: ALL}


async def test_of_more_guests_than_places_the_one_who_begins_to_speak_is_seen_and_heard(place: Place) -> None:
    guests = range(11, 15)
    place.room.permit(dict.fromkeys((ANA, *guests), ALL), [ANA, *guests])
    peers = {user: await place.publishes(PublishingPeer(user)) for user in guests}
    bo = await place.subscribes(SubscribingPeer(BO))
    assert place.room.subscribers[bo.name].seats[2:] == (11, 12, 13)
    peers[14].level = 70
    peers[14].send("microphone", count=30)
    peers[11].level = peers[14].level = 25
    peers[11].send("microphone", count=30)
    peers[14].send("microphone", count=30)
    await until(lambda: place.room.subscribers[bo.name].seats[2:] == (11, 12, 14))
    assert place.room.speakers.lately == (14, 11)
    told = [fields for peer, what, fields in place.told if peer == bo.name and what == "bindings"]
    assert told[-1]["bindings"]["8"] == {"user_id": 14, "source": "microphone"}
    peers[14].send("camera", key=True)
    await until(lambda: bo.packets["9"])


async def test_as_many_guests_are_seen_as_the_limit_says(place: Place) -> None:
    place.room.permit(dict.fromkeys((ANA, 11, 12), ALL), [ANA, 11, 12], faces=1)
    peers = {user: await place.publishes(PublishingPeer(user)) for user in (ANA, 11, 12)}
    bo = await place.subscribes(SubscribingPeer(BO))

    def seen() -> set[int]:
        bound = place.room.subscribers[bo.name].bindings.values()
        return {each.user_id for each in bound if each and each.source == "camera"}

    assert seen() == {ANA, 11}
    peers[12].level = 25
    peers[12].send("microphone", count=30)
    await until(lambda: seen() == {ANA, 12})


async def test_a_picture_in_a_codec_the_viewers_browser_lacks_is_refused_and_its_page_is_told_why(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA, codec="H264"))
    bo = SubscribingPeer(BO)
    offer = place.room.subscribe(bo.name, BO)
    assert offer.bindings["1"] == {"user_id": ANA, "source": "camera"}
    described = bo.read_offer(offer.revision, offer.sdp, offer.bindings)
    answer = re.sub(r"a=[a-z-]+:10[23] .*\r\n", "", bo.answer(described)).replace(" 102 103", "")
    place.room.answer(bo.name, offer.revision, sdp.read(answer))
    refused = {"user_id": ANA, "source": "camera", "refused": "codec_unsupported"}
    assert place.told[-1][1] == "bindings"
    assert place.told[-1][2]["bindings"]["1"] == refused
    assert place.told[-1][2]["bindings"]["0"] == {"user_id": ANA, "source": "microphone"}
    await bo.wire.connect(described)
    ana.send("camera", key=True)
    ana.send("microphone")
    await until(lambda: bo.packets["0"])
    assert not bo.packets["1"]
    cleo = await place.subscribes(SubscribingPeer(3))
    ana.send("camera", key=True)
    await until(lambda: cleo.packets["1"])


async def test_a_keyframe_is_replayed_to_a_newcomer_a_few_packets_at_a_time_and_in_order(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media.forward.PACE_SECONDS", 0.1)
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    ana.send("camera", key=True, count=30)
    await until(lambda: place.mux.counters.rtp_in == 30)
    bo = SubscribingPeer(BO)
    connecting = asyncio.ensure_future(place.subscribes(bo))
    await until(lambda: place.mux.counters.rtp_out)
    assert place.mux.counters.rtp_out == PACED_PACKETS
    ana.send("camera", count=5)
    await connecting
    await until(lambda: len(bo.packets["1"]) == 35)
    first = bo.packets["1"][0].seq
    assert [packet.seq for packet in bo.packets["1"]] == [(first + step) & 0xFFFF for step in range(35)]
    assert ana.keyframes_asked == 0


async def test_what_is_being_replayed_is_cut_with_its_permission(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.media.forward.PACE_SECONDS", 0.1)
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    ana.send("camera", key=True, count=30)
    await until(lambda: place.mux.counters.rtp_in == 30)
    bo = SubscribingPeer(BO)
    connecting = asyncio.ensure_future(place.subscribes(bo))
    await until(lambda: place.mux.counters.rtp_out)
    place.room.permit({}, [ANA])
    line = place.room.subscribers[bo.name].outs["1"]
    assert line.source is None
    assert not place.room.publishers[ANA].named()["camera"].sources[0].joining
    await connecting
    await asyncio.sleep(0.15)
    assert place.mux.counters.rtp_out == PACED_PACKETS
