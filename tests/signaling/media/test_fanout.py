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
    fanout.fan_out(rows(receivers), packet(), 96, b"now", counters)
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
        fanout.fan_out(rows(receivers), packet(seq), 96, b"now", counters)
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
    fanout.fan_out(rows(receivers), packet(), 111, b"", counters)
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
    fanout.fan_out(rows(receivers), packet(), 96, b"now", counters)
    assert [receiver.received() is not None for receiver in receivers] == [True, True, True, False, False]
    assert (counters.rtp_out, counters.send_blocked) == (3, 2)


def test_packets_of_every_size_fit_and_none_shows_another_ones_bytes(bound: Any, counters: Counters) -> None:
    sock = bound()
    receivers = [Receiver(sock, bound()) for _ in range(3)]
    for seq, size in enumerate((1400, 1, 700, 0, 1399), start=1):
        fanout.fan_out(rows(receivers), Packet(seq, 0, 0, 0, PAYLOAD[:size].ljust(size, b"x")), 96, b"now", counters)
        for receiver in receivers:
            assert (receiver.received() or b"")[24:] == PAYLOAD[:size].ljust(size, b"x")
