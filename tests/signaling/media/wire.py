"""A browser's transport without a browser: STUN checks, DTLS as the client, SRTP, over a real UDP socket."""

from __future__ import annotations

import asyncio
import re
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aioice import stun

from signaling.media import dtls
from signaling.media.dtls import IN, IN_VIEW, LENGTH, OUT, OUT_VIEW, Certificate, Fingerprint, Handshake, rtp

CERTIFICATE = Certificate()
PATIENCE = 30.0  # seconds a test waits for what should take milliseconds


async def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """Wait until the condition is true; polls the loop, so it needs no hook in what it watches."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (value := condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what or condition}")
        await asyncio.sleep(0.005)
    return value


@dataclass
class Received:
    """One RTP packet as it came out of SRTP, without padding and extensions."""

    seq: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: bool
    payload: bytes
    mid: str | None


@dataclass
class Described:
    """What a peer needs of the worker's description."""

    ufrag: str
    password: str
    fingerprint: str
    address: tuple[str, int]
    text: str
    lines: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str, host_like: str = r"\S+") -> Described:
        """Read only what is used; the tests of sdp_lines look at the rest. Of several addresses the first like that."""
        find = lambda pattern: re.search(pattern, text, re.MULTILINE).groups()  # type: ignore[union-attr]  # noqa: E731
        host, port = find(rf"^a=candidate:\S+ 1 udp \d+ ({host_like}) (\d+) typ host")
        return cls(
            find(r"^a=ice-ufrag:(\S+)")[0], find(r"^a=ice-pwd:(\S+)")[0], find(r"^a=fingerprint:sha-256 (\S+)")[0],
            (host, int(port)), text, re.split(r"(?m)^(?=m=)", text)[1:],
        )  # fmt: skip


class Wire(asyncio.DatagramProtocol):
    """A browser's one transport: checks, handshake, SRTP. `lose` is the share of packets it drops by itself."""

    def __init__(self) -> None:
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self.up = asyncio.Event()
        self.state = "new"
        self.remote: Described | None = None
        self.transport: asyncio.DatagramTransport | None = None
        self.on_rtp: Callable[[Received], None] = lambda packet: None
        self.on_rtcp: Callable[[list[Any]], None] = lambda packets: None
        self.checks_answered = 0
        self.is_deaf = False  # media is dropped before it is read, as a network would
        self.missed = 0
        self._early: list[bytes] = []
        self.sent_handshake = 0
        self.handshake = Handshake(CERTIFICATE, self._send_handshake, self._changed)
        self._checking: asyncio.Task[None] | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Tell the protocols apart by their first byte."""
        if data[0] < 4:
            self.checks_answered += 1
        elif data[0] < 64:
            self.handshake.feed(data)
        elif self.is_deaf and not 192 <= data[1] <= 223:
            self.missed += 1
        elif self.handshake.rx is None:
            self._early.append(data)  # media is right behind the handshake's last flight, which a task works through
        else:
            IN_VIEW[: len(data)] = data
            LENGTH[0] = len(data)
            if 192 <= data[1] <= 223:
                if not dtls.unprotect_rtcp(self.handshake.rx, IN, LENGTH):
                    self.on_rtcp(rtp.RtcpPacket.parse(bytes(IN_VIEW[: LENGTH[0]])))
            elif not dtls.unprotect(self.handshake.rx, IN, LENGTH):
                self.on_rtp(parse(bytes(IN_VIEW[: LENGTH[0]])))

    def send(self, data: bytes) -> None:
        """Raw, to the worker."""
        if self.transport is not None and self.remote is not None:
            self.transport.sendto(data, self.remote.address)

    def _send_handshake(self, data: bytes) -> None:
        self.sent_handshake += 1
        self.send(data)

    def send_rtp(self, packet: bytes) -> None:
        """Protected."""
        OUT_VIEW[: len(packet)] = packet
        LENGTH[0] = len(packet)
        assert dtls.protect(self.handshake.tx, OUT, LENGTH) == 0
        self.send(bytes(OUT_VIEW[: LENGTH[0]]))

    def send_rtcp(self, *packets: Any) -> None:
        """Protected compound."""
        data = b"".join(map(bytes, packets))
        OUT_VIEW[: len(data)] = data
        LENGTH[0] = len(data)
        assert dtls.protect_rtcp(self.handshake.tx, OUT, LENGTH) == 0
        self.send(bytes(OUT_VIEW[: LENGTH[0]]))

    def check(self, *, nominate: bool = True, ufrag: str | None = None, password: str | None = None) -> None:
        """One connectivity check."""
        assert self.remote is not None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{ufrag or self.remote.ufrag}:{self.ufrag}"
        request.attributes["PRIORITY"] = 1
        request.attributes["ICE-CONTROLLING"] = 1
        if nominate:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity((password or self.remote.password).encode())
        self.send(bytes(request))

    async def open(self, remote: Described) -> None:
        """Take a local port and begin checking; the handshake follows with `shake`."""
        self.remote = remote
        await self._take_port()
        self._checking = asyncio.create_task(self._check_often())

    def shake(self) -> None:
        """Begin DTLS as the client."""
        assert self.remote is not None
        self.handshake.start([Fingerprint("sha-256", self.remote.fingerprint)], server=False)

    async def connect(self, remote: Described) -> None:
        """All of it; returns when SRTP works at this end."""
        await self.open(remote)
        await until(lambda: self.checks_answered, what="a check's answer")
        self.shake()
        await asyncio.wait_for(self.up.wait(), PATIENCE)

    async def move(self) -> None:
        """Another local port, as after a change of network."""
        assert self.transport is not None
        self.transport.close()
        await self._take_port()
        answered = self.checks_answered
        self.check()
        await until(lambda: self.checks_answered > answered, what="a check's answer at the new address")

    async def _take_port(self) -> None:
        """One from which the worker can be reached."""
        assert self.remote is not None
        ours = "::1" if ":" in self.remote.address[0] else "127.0.0.1"  # which reaches the rest of 127.0.0.0/8 too
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(ours, 0))

    def silence(self) -> None:
        """Vanish without a word."""
        if self._checking is not None:
            self._checking.cancel()
        if self.transport is not None:
            self.transport.close()

    async def close(self) -> None:
        """Say goodbye properly."""
        self.handshake.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.silence()

    def _changed(self, state: str) -> None:
        self.state = state
        if state == "connected":
            self.up.set()
            for data in self._early:
                self.datagram_received(data, None)

    async def _check_often(self) -> None:
        while True:
            self.check()
            await asyncio.sleep(0.05 if not self.checks_answered else 1.0)


async def a_hello() -> bytes:
    """The well-formed beginning of somebody's handshake."""
    said: list[bytes] = []
    beginning = Handshake(CERTIFICATE, said.append, lambda _: None)
    beginning.start([Fingerprint("sha-256", CERTIFICATE.sha256)], server=False)
    await until(lambda: said)
    beginning.close()
    return said[0]


def parse(data: bytes) -> Received:
    """An RTP packet; the mid is our extension 1."""
    first, second, seq, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    start, mid = 12, None
    if first & 0x10:
        profile, words = struct.unpack_from("!HH", data, 12)
        for number, value in rtp.unpack_header_extensions(profile, data[16 : 16 + 4 * words]):
            mid = value.decode() if number == 1 else mid
        start += 4 + 4 * words
    end = len(data) - (data[-1] if first & 0x20 else 0)
    return Received(seq, timestamp, ssrc, second & 0x7F, bool(second & 0x80), data[start:end], mid)
