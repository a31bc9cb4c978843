"""One peer connection as packets see it: ICE credentials, checked addresses, the DTLS handshake, then SRTP both ways.

It knows nothing of sources and slots; a publisher or a subscriber sits behind it as its `Behind`. The link lives while
checks come: an ICE-lite end has no other sign of life.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Sequence
from typing import Any, Protocol

from signaling.media import dtls
from signaling.media.batch import socket_address
from signaling.media.dtls import IN, IN_VIEW, LENGTH, OUT, OUT_VIEW, Certificate, Fingerprint, Handshake
from signaling.media.ice import ADDRESSES_PER_LINK, Address, Mux, new_credentials
from signaling.media.load import Load
from signaling.media.narrow import Narrow
from signaling.media.sdp_lines import Transport

DEAD_SECONDS = 13.5  # without a check: the peer is gone, and looked at once a second that is known within 15 s
START_SECONDS = 30.0  # from the offer to a finished handshake
KEPT_UFRAGS = 4  # older credentials stay valid after an ICE restart: checks and media go on there for a moment
LARGEST_RTCP_BYTES = 1400
# A DTLS record's type, and the epoch of one without protection (RFC 6347, section 4.1). Whoever can send from a peer's
# address could end its handshake with such an alert; a browser that gives up closes its connection in the page as well.
ALERT, UNPROTECTED = 21, b"\0\0"


class Behind(Protocol):
    """What a link leads to: one connection of a user."""

    @property
    def user(self) -> int:
        """Whose."""

    def up(self) -> None:
        """SRTP may be used from now on."""

    def rtp(self, size: int) -> None:
        """A verified RTP packet of `size` bytes is in IN_VIEW; it is overwritten by the next."""

    def rtcp(self, packets: Sequence[Any]) -> None:
        """A verified compound of aiortc's RTCP classes."""

    def down(self, reason: str) -> None:
        """The link has ended: `gone` (closed by the browser), `timeout`, `handshake_failed`, or what `close` was
        told.
        """

    def tick(self) -> None:
        """Once a second while up."""


class Host:
    """What all links of a worker share: the mux, the certificate, our addresses and the bound on unfinished
    handshakes.
    """

    def __init__(
        self, mux: Mux, certificate: Certificate, candidates: tuple[tuple[str, int], ...], load: Load | None = None
    ) -> None:
        self.mux, self.certificate, self.candidates = mux, certificate, candidates
        self.load = load or Load()
        self.links: set[Link] = set()

    @property
    def pending(self) -> int:
        """Links whose handshake has not finished."""
        return sum(1 for link in self.links if not link.is_up)

    def pending_of(self, user: int) -> int:
        """The same, of one user."""
        return sum(1 for link in self.links if not link.is_up and link.behind.user == user)


class Link:
    """One peer connection. `tx` is the sending SRTP context, None unless up; `address` is where the browser wants
    packets, on `socket`; both are None until the first check.
    """

    def __init__(self, host: Host, behind: Behind) -> None:
        self.host, self.mux, self.behind, self.counters = host, host.mux, behind, host.mux.counters
        self.loss = host.mux.loss
        self.session = secrets.randbits(50)
        self.versions = 0
        self.address: Address | None = None
        self.name = b""  # the address as the system has it
        self._nominated: Address | None = None  # the same, before any detour
        self.socket: socket.socket | None = None
        self.tx: Any = None
        self.closed = False
        self.remote_ufrag = ""
        self.fingerprints: tuple[Fingerprint, ...] = ()
        self.restarts = 0
        self.narrow: Narrow | None = None  # in tests: the way out is through it
        self._rx: Any = None
        self._addresses: dict[Address, None] = {}  # in order of their last check
        self._ufrags: list[str] = []
        self._seen = self._opened = time.monotonic()
        self._handshake = Handshake(host.certificate, self._send_handshake, self._handshake_changed)
        self._timer = asyncio.get_running_loop().call_later(1.0, self._second)
        self._renew()
        host.links.add(self)

    @property
    def is_up(self) -> bool:
        """SRTP works both ways."""
        return self.tx is not None

    def transport(self) -> Transport:
        """Our end as the next description states it."""
        return Transport(self._ufrags[-1], self.password, self.host.certificate.sha256, self.host.candidates)

    def restart(self) -> None:
        """New ICE credentials; DTLS and SRTP go on (RFC 8445, section 2.4)."""
        self.restarts += 1
        self._renew()

    def start(self, fingerprints: Sequence[Fingerprint], *, server: bool) -> None:
        """The peer's fingerprint is known: begin the handshake, or go on with datagrams that came before."""
        self.fingerprints = self.fingerprints or tuple(fingerprints)
        self._handshake.start(fingerprints, server=server)

    def close(self, reason: str) -> None:
        """End it at once, tell the peer by close_notify; may be called twice."""
        if self.closed:
            return
        self.closed, self.tx, self._rx = True, None, None
        self._timer.cancel()
        if self.narrow is not None:
            self.narrow.close()
        self.mux.forget(self, self._ufrags, list(self._addresses))
        self.host.links.discard(self)
        self.behind.down(reason)
        self._handshake.close()

    def send_rtcp(self, *packets: Any) -> None:
        """Protect and send a compound of RTCP packets; dropped unless up."""
        if self.tx is None:
            return
        data = b"".join(map(bytes, packets))
        if len(data) > LARGEST_RTCP_BYTES:
            return
        OUT_VIEW[: len(data)] = data
        LENGTH[0] = len(data)
        if dtls.protect_rtcp(self.tx, OUT, LENGTH):
            self.counters.errors += 1
            return
        self.counters.rtcp_out += 1
        self.send(OUT_VIEW[: LENGTH[0]])

    def send(self, data: Any) -> None:
        """Send one datagram. A full buffer or a dead route drops it: waiting would delay everybody, and a NACK brings
        it back.
        """
        if self.socket is None or self.address is None:
            return
        if data[0] >= 128 and self.loss.outgoing and self.loss.takes(self.loss.outgoing):
            return
        try:
            self.socket.sendto(data, self.address)
        except BlockingIOError:
            self.counters.send_blocked += 1
        except OSError:
            self.counters.send_failed += 1

    # --- called by the mux ------------------------------------------------------------------------
    def checked(self, address: Address, sock: socket.socket, nominated: bool) -> None:
        """A good check: adopt the address if the browser says so; it moves once or twice during set-up, and later with
        its network.
        """
        self._seen = time.monotonic()
        self._addresses.pop(address, None)
        self._addresses[address] = None
        if nominated or self.address is None:
            self._send_to(address, sock)
        if len(self._addresses) > ADDRESSES_PER_LINK:
            oldest = next(a for a in self._addresses if a != self._nominated)
            del self._addresses[oldest]
            self.mux.forget(self, (), (oldest,))

    def datagram(self, size: int) -> None:
        """Tell DTLS, RTP and RTCP apart (RFC 9443, section 2) and hand on what verifies."""
        first, counters = IN_VIEW[0], self.counters
        if first < 64:
            is_taken = first >= 20 and not (first == ALERT and IN_VIEW[3:5] == UNPROTECTED)
            if not is_taken or not self._handshake.feed(bytes(IN_VIEW[:size])):
                counters.handshake_dropped += 1
            return
        if self._rx is None or not 128 <= first < 192:
            return
        if self.loss.incoming and self.loss.takes(self.loss.incoming):
            return
        LENGTH[0] = size
        if 192 <= IN_VIEW[1] <= 223:
            if dtls.unprotect_rtcp(self._rx, IN, LENGTH):
                counters.unauthenticated_dropped += 1
                return
            counters.rtcp_in += 1
            try:
                packets = dtls.rtp.RtcpPacket.parse(bytes(IN_VIEW[: LENGTH[0]]))
            except Exception:  # the parser unpacks and asserts; what it cannot read is dropped
                counters.malformed_dropped += 1
                return
            self.behind.rtcp(packets)
        elif dtls.unprotect(self._rx, IN, LENGTH):
            counters.unauthenticated_dropped += 1
        else:
            counters.rtp_in += 1
            self.behind.rtp(LENGTH[0])

    def lead_through(self, narrow: Narrow | None) -> None:
        """Tests only: everything sent from now on takes this way, or the straight one again."""
        if self.narrow is not None:
            self.narrow.close()
        self.narrow = narrow
        if self._nominated is not None and self.socket is not None:
            self._send_to(self._nominated, self.socket)

    # --- inside -----------------------------------------------------------------------------------
    def _send_to(self, address: Address, sock: socket.socket) -> None:
        self._nominated = address
        if self.narrow is not None:
            self.narrow.lead(address, sock)
            address = self.narrow.address
        if (address, sock) != (self.address, self.socket):
            self.mux.moves += 1
        self.address, self.name, self.socket = address, socket_address(address), sock

    def _renew(self) -> None:
        ufrag, self.password = new_credentials()
        self._ufrags.append(ufrag)
        self.mux.know(ufrag, self.password, self)
        if len(self._ufrags) > KEPT_UFRAGS:
            self.mux.forget(self, [self._ufrags.pop(0)], ())

    def _send_handshake(self, data: bytes) -> None:
        if self.address is not None:
            self.send(data)

    def _handshake_changed(self, state: str) -> None:
        if state == "connected":
            self.tx, self._rx = self._handshake.tx, self._handshake.rx
            self.behind.up()
        else:
            self.close("gone" if state == "closed" else "handshake_failed")

    def _second(self) -> None:
        now = time.monotonic()
        if now - self._seen > DEAD_SECONDS and self.address is not None:
            self.close("timeout")
        elif not self.is_up and now - self._opened > START_SECONDS:
            self.close("timeout" if self.address is not None else "never_connected")
        else:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._second)
            if self.is_up:
                self.behind.tick()
