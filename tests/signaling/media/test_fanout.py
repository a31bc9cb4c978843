"""One packet to many receivers: every one gets it whole and under its own numbers, whatever happens to the others."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SocketType
from typing import Any

import pylibsrtp
import pytest

from signaling.media import batch, fanout
from signaling.media.cache import Packet
from signaling.media.counters import Counters

GCM, HMAC = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
PAYLOAD = bytes(range(256)) * 4


@dataclass
class Receiver:
    """A line and its link in one, with the socket its packets come to and the keys to read them."""

    socket: SocketType
    own: SocketType
    profile: int = GCM
    add_seq: int = 0
    add_time: int = 0
    tail: bytes = bytes(11)

    def __post_init__(self) -> None:
        key = os.urandom(44)
        self.sends = pylibsrtp.Session(self._policy(key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND))
        self.reads = pylibsrtp.Session(self._policy(key, pylibsrtp.Policy.SSRC_ANY_INBOUND))
        self.tx: Any = self.sends._srtp[0]
        self.address = self.own.getsockname()
        self.name = batch.socket_address(self.address)

    def _policy(self, key: bytes, direction: int) -> pylibsrtp.Policy:
        key = key if self.profile == GCM else key[:30]
        return pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=self.profile)

    def received(self) -> bytes | None:
        """The next packet, out of SRTP."""
        try:
            return bytes(self.reads.unprotect(self.own.recv(2048)))
        except BlockingIOError:
            return None


@pytest.fixture(params=["one call for many", "one call each"])
def counters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Counters:
    """Each test also as on a system without sendmmsg."""
    if request.param == "one call each":
        monkeypatch.setattr(batch, "IS_BATCHED", False)
    return Counters()


@pytest.fixture
def bound() -> Iterator[Any]:
    """Sockets of loopback that are closed after the test."""
    made: list[SocketType] = []

    def bind(host: str = "127.0.0.1") -> SocketType:
        sock = SocketType(AF_INET6 if ":" in host else AF_INET, SOCK_DGRAM)
        made.append(sock)
        sock.bind((host, 0))
        sock.setblocking(False)
        return sock

    yield bind
    for sock in made:
        sock.close()


def rows(receivers: list[Receiver]) -> list[fanout.Row]:
    return [(r.socket, r.name, r.tx, r.add_seq, r.add_time, r.tail, r.address) for r in receivers]


def packet(seq: int = 70_000) -> Packet:
    return Packet(seq, 4_294_967_295, 0, 0x80, PAYLOAD)


def test_each_of_many_receivers_gets_the_packet_under_its_own_numbers(bound: Any, counters: Counters) -> None:
    sock = bound()
    receivers = [Receiver(sock, bound(), add_seq=n, add_time=n, tail=struct.pack("!I7x", n)) for n in range(150)]
    fanout.fan_out(rows(receivers), [packet()], 96, b"now", counters)
    for number, receiver in enumerate(receivers):
        first, second, seq, timestamp, ssrc = struct.unpack_from("!BBHII", got := receiver.received() or b"")
        assert (first, second, seq, ssrc) == (0x90, 0x80 | 96, (70_000 + number) & 0xFFFF, number)
        assert timestamp == (4_294_967_295 + number) % 2**32
        assert got[24:] == PAYLOAD
    assert (counters.rtp_out, counters.errors, counters.send_failed) == (150, 0, 0)


def test_sockets_addresses_and_ciphers_may_be_mixed(bound: Any, counters: Counters) -> None:
    four, six = bound(), bound("::1")
    receivers = [
        Receiver(six, bound("::1"), profile=GCM if n % 2 else HMAC)
        if n % 3
        else Receiver(four, bound(), profile=GCM if n % 2 else HMAC)
        for n in range(20)
    ]
    for seq in (1, 2):
        fanout.fan_out(rows(receivers), [packet(seq)], 96, b"now", counters)
    for receiver in receivers:
        assert [(receiver.received() or b"")[24:] for _ in range(2)] == [PAYLOAD, PAYLOAD]
        assert receiver.received() is None
    assert counters.rtp_out == 40


def test_one_without_a_route_or_without_keys_costs_the_others_nothing(bound: Any, counters: Counters) -> None:
    sock = bound()
    receivers = [Receiver(sock, bound()) for _ in range(9)]
    receivers[3].address = ("127.0.0.1", 0)  # nothing can be sent to port 0
    receivers[3].name = batch.socket_address(receivers[3].address)
    keyless = pylibsrtp.Session()
    receivers[6].tx = keyless._srtp[0]
    fanout.fan_out(rows(receivers), [packet()], 111, b"", counters)
    got = [receiver.received() is not None for receiver in receivers]
    assert got == [n not in (3, 6) for n in range(9)]
    assert (counters.rtp_out, counters.send_failed, counters.errors) == (7, 1, 1)


def test_a_full_socket_drops_what_is_left_and_counts_it(bound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counters, sock = Counters(), bound()
    real, left = batch._sendmmsg, iter([3, 0])

    def filling(descriptor: int, first: int, count: int, flags: int) -> int:
        room = next(left)
        if not room:
            ctypes.set_errno(errno.EAGAIN)
            return -1
        return int(real(descriptor, first, min(room, count), flags))

    monkeypatch.setattr(batch, "_sendmmsg", filling)
    receivers = [Receiver(sock, bound()) for _ in range(5)]
    fanout.fan_out(rows(receivers), [packet()], 96, b"now", counters)
    assert [receiver.received() is not None for receiver in receivers] == [True, True, True, False, False]
    assert (counters.rtp_out, counters.send_blocked) == (3, 2)


def test_packets_of_every_size_fit_and_none_shows_another_ones_bytes(bound: Any, counters: Counters) -> None:
    sock = bound()
    receivers = [Receiver(sock, bound()) for _ in range(3)]
    for seq, size in enumerate((1400, 1, 700, 0, 1399), start=1):
        content = PAYLOAD[:size].ljust(size, b"x")
        fanout.fan_out(rows(receivers), [Packet(seq, 0, 0, 0, content)], 96, b"now", counters)
        for receiver in receivers:
            assert (receiver.received() or b"")[24:] == PAYLOAD[:size].ljust(size, b"x")


SIZES = (900, 901, 901, 40, 901, 1200, 1200, 1198, 1201, 1201, 1201, 1201, 1200, 1201, 1201, 1201, 0, 7, 8, 2)


def held(sizes: tuple[int, ...], padding: int = 0) -> list[Packet]:
    """Packets of one source that came together."""
    return [Packet(n, n, padding, 0x80, os.urandom(size)) for n, size in enumerate(sizes, start=1)]


@pytest.mark.parametrize("profiles", [(GCM,), (GCM, HMAC)])
def test_packets_that_came_together_arrive_each_by_itself_in_order(
    bound: Any, counters: Counters, profiles: tuple[int, ...]
) -> None:
    sock = bound()
    receivers = [Receiver(sock, bound(), profile=profiles[n % len(profiles)], add_seq=n) for n in range(30)]
    sent = held(SIZES)
    fanout.fan_out(rows(receivers), sent, 96, b"now", counters)
    for number, receiver in enumerate(receivers):
        for packet in sent:
            got = receiver.received() or b""
            first, second, seq, timestamp = struct.unpack_from("!BBHI", got)
            assert (second, seq, timestamp) == (0x80 | 96, packet.seq + number, packet.timestamp)
            assert got[24 : len(got) - (got[-1] if first & 0x20 else 0)] == packet.payload
        assert receiver.received() is None
    assert (counters.rtp_out, counters.errors, counters.send_failed) == (30 * len(SIZES), 0, 0)


def test_sound_and_what_is_padded_already_is_never_padded(bound: Any, counters: Counters) -> None:
    for sent, send_time in ((held(SIZES), b""), (held((50, 51, 51), padding=0x20), b"now")):
        receiver = Receiver(bound(), bound())
        fanout.fan_out(rows([receiver]), sent, 111, send_time, counters)
        for packet in sent:
            got = receiver.received() or b""
            assert (got[0] & 0x20, got[24:]) == (packet.padding, packet.payload)


def test_a_frame_cut_into_almost_equal_pieces_is_one_run() -> None:
    assert [len(run) for run in fanout.runs(held((1100, 1100, 1101, 1101, 1101)), 8, may_pad=True)] == [5]
    assert [len(run) for run in fanout.runs(held((1100, 1100, 1101, 300, 1100)), 8, may_pad=True)] == [4, 1]
    assert [len(run) for run in fanout.runs(held((1100,) * 20), 8, may_pad=True)] == [8, 8, 4]
    assert [len(run) for run in fanout.runs(held((1100, 1100)), 1, may_pad=True)] == [1, 1]


def test_where_a_message_cannot_be_cut_its_packets_go_one_by_one(bound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counters, real, refused = Counters(), batch._sendmmsg, []

    def refusing(descriptor: int, first: int, count: int, flags: int) -> int:
        if not 0 <= first - ctypes.addressof(batch._messages(1)) < 4096:
            refused.append(count)
            ctypes.set_errno(errno.EIO)
            return -1
        return int(real(descriptor, first, count, flags))

    monkeypatch.setattr(batch, "_sendmmsg", refusing)
    sock = bound()
    receivers = [Receiver(sock, bound()) for _ in range(9)]
    sent = held((700, 700, 700))
    fanout.fan_out(rows(receivers), sent, 96, b"now", counters)
    assert [[(r.received() or b"")[24:] for _ in sent] for r in receivers] == [[p.payload for p in sent]] * 9
    assert refused == [9]
    assert (counters.rtp_out, counters.send_failed) == (27, 0)
