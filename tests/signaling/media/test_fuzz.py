"""Whatever an admitted peer puts inside SRTP, or DTLS is given: nothing raises, nothing grows, nothing takes long."""

from __future__ import annotations

import contextlib
import struct
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signaling.media import sdp
from signaling.media.dtls import HANDSHAKE_DATAGRAMS, IN_VIEW, rtp
from signaling.media.publisher import SSRCS_PER_PUBLISHER
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.test_room import ALL, ANA, BO, Place, place
from tests.signaling.media.wire import until

__all__ = ["place"]

MANY = settings(max_examples=300, deadline=500, suppress_health_check=list(HealthCheck))
FIRST = st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0x8F, 0x9F, 0xBF])
SECOND = st.sampled_from([96, 97, 111, 0x80 | 96, 0x80 | 97, 50])
EXTENSION = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda profile, words, rest: struct.pack("!HH", profile, words) + rest,
        st.sampled_from([0xBEDE, 0x1000, 0x100F, 0]),
        st.one_of(st.integers(0, 20), st.just(0xFFFF)),
        st.binary(max_size=80),
    ),
)
FEEDBACK = st.builds(
    lambda count, kind, words, body: struct.pack("!BBH", 0x80 | count, kind, words) + body,
    st.integers(0, 63),
    st.integers(192, 223),
    st.one_of(st.integers(0, 40), st.just(0xFFFF)),
    st.binary(max_size=160),
)


async def test_no_rtp_packet_of_a_publisher_raises_or_makes_anything_grow(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    ana.send("camera", key=True)
    await until(lambda: bo.packets["1"])
    publisher = place.room.publishers[ANA]
    ssrcs = st.one_of(st.sampled_from(sorted(publisher._by_ssrc)), st.integers(0, 2**32 - 1))

    @MANY
    @given(FIRST, SECOND, st.integers(0, 65535), st.integers(0, 2**32 - 1), ssrcs, EXTENSION)
    def feed(first: int, second: int, seq: int, timestamp: int, ssrc: int, rest: bytes) -> None:
        packet = struct.pack("!BBHII", first, second, seq, timestamp, ssrc) + rest
        for size in (len(packet), len(packet) // 2):
            IN_VIEW[: len(packet)] = packet
            publisher.rtp(size)

    feed()
    assert len(publisher._by_ssrc) <= SSRCS_PER_PUBLISHER
    assert place.mux.counters.errors == 0
    assert bo.wire.state == ana.wire.state == "connected"


async def test_no_feedback_raises_at_either_end(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    ana = await place.publishes(PublishingPeer(ANA))
    bo = await place.subscribes(SubscribingPeer(BO))
    ana.send("camera", key=True)
    await until(lambda: bo.packets["1"])
    ends = (place.room.publishers[ANA], place.room.subscribers[bo.name])

    @MANY
    @given(st.lists(FEEDBACK, min_size=1, max_size=4).map(b"".join))
    def feed(compound: bytes) -> None:
        packets = []
        with contextlib.suppress(Exception):  # the link does the same and counts it
            packets = rtp.RtcpPacket.parse(compound)
        for end in ends:
            end.rtcp(packets)

    feed()
    assert place.mux.counters.errors == 0
    ana.send("camera", key=True, count=2)
    await until(lambda: len(bo.packets["1"]) >= 3)


async def test_noise_before_a_handshake_is_held_within_bounds_and_the_handshake_still_comes(place: Place) -> None:
    place.room.permit({ANA: ALL}, [ANA])
    bo = SubscribingPeer(BO)
    offer = place.room.subscribe(bo.name, BO)
    link = place.room.subscribers[bo.name].link

    @MANY
    @given(st.integers(20, 63), st.binary(max_size=200))
    def feed(first: int, rest: bytes) -> None:
        IN_VIEW[: 1 + len(rest)] = bytes([first]) + rest
        link.datagram(1 + len(rest))

    began = time.monotonic()
    feed()
    assert link._handshake._queue.qsize() <= HANDSHAKE_DATAGRAMS
    assert place.mux.counters.handshake_dropped > 0
    assert time.monotonic() - began < 30
    described = bo.read_offer(offer.revision, offer.sdp, offer.bindings)
    place.room.answer(bo.name, offer.revision, sdp.read(bo.answer(described)))
    await bo.wire.connect(described)
    assert link.is_up
