"""Real datagrams and descriptions, spoiled a little: what fits almost finds mistakes. No crash, no leak, bounded time.

Noise is tried elsewhere (test_fuzz.py, test_checks.py, test_sdp.py); here everything begins as a peer's own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from pathlib import Path

import pytest

from signaling.media import sdp
from signaling.media.client import MediaClient
from signaling.media.errors import MediaError, SdpInvalid
from signaling.media.values import Track
from tests.signaling.media.conftest import Told, Worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.scenes import ALL, ANA, BO, CLEO, ROOM, a_class, arrived
from tests.signaling.media.test_hostile import a_stranger
from tests.signaling.media.test_room import Place, place
from tests.signaling.media.wire import Described, Wire, until

__all__ = ["place"]

DATAGRAM_SECONDS = 0.002  # of each, on a slow and busy machine: twenty times what it takes
DESCRIPTION_SECONDS = 0.5  # for the slowest of them, there
LEAK_BYTES = 6 << 20  # allocators keep what they once had; a leak of one datagram's size each would be more


def spoiled(rng: random.Random, data: bytes) -> bytes:
    """One or a few of its bits, its length, a 16-bit field, or a piece of it somewhere else."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        at = rng.randrange(len(made)) if made else 0
        kind = rng.randrange(6)
        if kind == 0 and made:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at:]
        elif kind == 2:
            made += rng.randbytes(rng.randrange(1, 64))
        elif kind == 3 and len(made) > 2:
            made[at : at + 2] = rng.choice((b"\0\0", b"\xff\xff", b"\0\1", b"\x7f\xff"))
        elif kind == 4 and made:
            made[at:at] = made[at : at + rng.randrange(1, 32)]
        elif made:
            made[at] = rng.randrange(256)
    return bytes(made)


class Heard(Wire):
    """A wire that keeps what it sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Kept, then sent."""
        self.sent.append(data)
        super().send(data)


def memory(worker: Worker) -> int:
    """Its resident bytes."""
    pages = int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def a_spoiled_set_up(client: MediaClient, rng: random.Random, samples: list[bytes], count: int) -> None:
    """Cleo's handshake, among her own words spoiled; it may fail, and then her page would begin anew."""
    cleo = PublishingPeer(CLEO)
    cleo.wire = Heard()
    answer = await client.publish(ROOM, cleo.name, CLEO, cleo.offer(), cleo.tracks())
    await cleo.wire.open(Described.read(answer))
    await until(lambda: cleo.wire.checks_answered)
    cleo.wire.shake()
    for at in range(count):
        Wire.send(cleo.wire, spoiled(rng, rng.choice(samples + cleo.wire.sent[-20:])))
        if at % 20 == 19:
            await asyncio.sleep(0)
    client.close_peer(ROOM, cleo.name, "left")
    cleo.wire.silence()
    cleo.wire.handshake.close()


async def spoil_datagrams(client: MediaClient, worker: Worker, rounds: int, seed: int) -> None:
    """Strangers' and peers' datagrams spoiled, in rounds of some 300, beside a class that goes on."""
    rng = random.Random(seed)
    ana, bo = await a_class(client)
    wire = Heard()
    dave = PublishingPeer(CLEO + 1)
    dave.wire = wire
    await dave.publish(client, ROOM)
    dave.send("camera", key=True, count=3)
    dave.send("microphone", count=3)
    dave.report("camera", time.time())
    samples = list(wire.sent)
    assert {data[0] >> 6 for data in samples} == {0, 2}, "checks, handshake and media"
    came, grown, began = 0, 0, time.monotonic()
    with a_stranger(worker.udp_port) as stranger:
        for round_ in range(rounds):
            if round_ == rounds // 3:
                grown = -memory(worker)  # by now everything was tried, and buffers have their size
            for _ in range(100):
                with contextlib.suppress(OSError):
                    stranger.send(spoiled(rng, rng.choice(samples)))
                Wire.send(dave.wire, spoiled(rng, rng.choice(samples)))
            await a_spoiled_set_up(client, rng, samples, 100)
            ana.send("microphone", count=2)
            came += 2
            await arrived(bo, "0", came)
    took = time.monotonic() - began
    grown += memory(worker)
    after = await client.stats()
    print(f"{rounds * 300} datagrams, seed {seed}: {took:.1f} s, {grown >> 10} KiB more, {after['counters']}")
    assert after["counters"]["errors"] == 0
    assert after["pending"] == 0
    assert grown < LEAK_BYTES
    assert took < rounds * 300 * DATAGRAM_SECONDS + 10
    assert (after["publishers"], after["subscribers"]) <= (2, 1)


async def test_spoiled_datagrams_stop_nobody_and_leave_nothing(web: tuple[MediaClient, Told], worker: Worker) -> None:
    await spoil_datagrams(web[0], worker, 12, 1)


@pytest.mark.prove
async def test_very_many_spoiled_datagrams_do_neither(web: tuple[MediaClient, Told], worker: Worker) -> None:
    await spoil_datagrams(web[0], worker, 300, random.randrange(2**32))


def spoiled_lines(rng: random.Random, text: str) -> str:
    """A description with lines lost, doubled, moved, cut, or with other values in them."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        kind = rng.randrange(7)
        if kind == 0 and len(lines) > 1:
            del lines[at]
        elif kind == 1:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif kind == 2:
            lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
        elif kind == 3:
            value = rng.choice(("0", "-1", "65536", "99999999999999999999", "", "x", "é", "\0", "1 2", "*"))
            lines[at] = value.join(re.split(r"\d+", lines[at], maxsplit=1))
        elif kind == 4:
            lines[at] += rng.choice((" ", ";", ":", "/", "=1", " 96", ";apt=97", " a=b"))
        elif kind == 5:
            lines[at] = lines[at].replace(
                rng.choice(("video", "audio", "96", "97", "VP8", "send")), rng.choice(("audio", "rtx", "1", ""))
            )
        else:
            lines[at : at + 1] = [lines[at]] * rng.choice((2, 40))
    return "\r\n".join(lines) + "\r\n"


async def spoil_descriptions(place: Place, count: int, seed: int) -> None:
    """Offers and answers; whatever is taken must end again without a trace."""
    rng, slowest, taken = random.Random(seed), 0.0, 0
    place.room.permit({ANA: frozenset(ALL)}, [ANA])
    layered = PublishingPeer(ANA, rids=("l", "h")).offer()
    offers = [PublishingPeer(ANA, tuple(ALL)).offer(), PublishingPeer(ANA, codec="H264").offer(), layered]
    for turn in range(count):
        bo = SubscribingPeer(BO)
        offer = place.room.subscribe(bo.name, BO)
        answer = bo.answer(bo.read_offer(offer.revision, offer.sdp, offer.bindings))
        text = spoiled_lines(rng, rng.choice(offers))
        began = time.process_time()
        with contextlib.suppress(MediaError):
            place.room.answer(bo.name, offer.revision, sdp.read(spoiled_lines(rng, answer)))
        with contextlib.suppress(MediaError):
            tracks = [Track("0", "microphone"), Track("1", "camera")]
            place.room.publish(f"ana-{turn % 3}", ANA, sdp.read(text), tracks)
            taken += 1
        with contextlib.suppress(MediaError):
            place.room.restart_publish(f"ana-{turn % 3}", sdp.read(spoiled_lines(rng, text)))
        slowest = max(slowest, time.process_time() - began)
        place.room.close_peer(bo.name, "left")
        await asyncio.sleep(0)  # what was closed ends
    print(f"{count} of each, seed {seed}: {taken} offers taken, the slowest took {slowest * 1e3:.1f} ms")
    assert 0 < taken < count
    assert slowest < DESCRIPTION_SECONDS
    assert len(place.host.links) <= 1


def test_a_description_made_to_be_slow_is_not() -> None:
    """As many lines of every kind as are taken, all different, in as many media lines as fit."""
    kinds = ("a=rtpmap:{} A/1", "a=fmtp:{} a=b", "a=rtcp-fb:{} nack", "a=ssrc:{} cname:a", "a=rtcp-fb:* a{}")
    made = []
    for kind in kinds:
        most = next(most for begins, most in reversed(sdp.MOST_OF.items()) if kind.startswith(begins))
        made += [kind.format(96 + number % sdp.FORMATS) for number in range(most)]
    section = "\r\n".join(["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:{}", "a=rtcp-mux", *made]) + "\r\n"
    text = PublishingPeer(ANA).offer() + section
    assert len(text) < sdp.SDP_BYTES
    took = []
    for _ in range(3):
        began = time.process_time()
        with pytest.raises(SdpInvalid):  # it is read, and then not all lines are bundled
            sdp.read(text)
        took.append(time.process_time() - began)
    assert min(took) < DESCRIPTION_SECONDS


async def test_spoiled_descriptions_are_taken_or_refused_with_a_word(place: Place) -> None:
    await spoil_descriptions(place, 300, 1)


@pytest.mark.prove
async def test_very_many_spoiled_descriptions_are_too(place: Place) -> None:
    await spoil_descriptions(place, 5_000, random.randrange(2**32))
