"""ICE-lite for all peers on the worker's UDP sockets: who a datagram belongs to, and where to send.

A browser's connectivity checks are the only sign of life and the only way an address becomes known (RFC 8445, section
2.5). A check must carry a user name we gave out and the matching integrity; only then does its address lead to a link.
Everything else from anywhere is dropped unread: a stranger's packet reaches neither DTLS nor SRTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import socket
import string
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from signaling.media import checks
from signaling.media.counters import Counters
from signaling.media.dtls import BUFFER_BYTES, IN_VIEW
from signaling.media.pulse import Pulse

Address = tuple[Any, ...]  # (host, port), and two more for IPv6

ADDRESSES_PER_LINK = 8  # a ninth address makes the one checked longest ago forgotten
DATAGRAMS_PER_TURN = 64  # read in one go, so that timers and the carrier get their turn in a flood
SOCKET_BUFFER_BYTES = 4 << 20
# When the kernel got a datagram, so that a browser's estimate of its link does not suffer from our being busy.
SO_TIMESTAMPNS, STAMP = 35, struct.Struct("@qq")
NOTE_BYTES = socket.CMSG_SPACE(STAMP.size)
INTO = [IN_VIEW[:BUFFER_BYTES]]
LETTERS = string.ascii_letters + string.digits

log = logging.getLogger(__name__)


class Reached(Protocol):
    """What a link is to the mux."""

    def checked(self, address: Address, sock: socket.socket, nominated: bool) -> None:
        """A good check came from there on this socket; datagrams from that address are handed in from now on."""

    def datagram(self, size: int) -> None:
        """`size` bytes are in IN_VIEW, from an address this link was checked from."""


def new_credentials() -> tuple[str, str]:
    """An ICE user name fragment and password (RFC 8445, section 5.3: at least 24 and 128 bits)."""
    return _letters(12), _letters(24)


def _letters(count: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(count))


class Loss:
    """The test switch: shares of media datagrams dropped on purpose, each way; 0 outside tests."""

    def __init__(self, counters: Counters) -> None:
        self.incoming = self.outgoing = 0.0
        self._counters = counters

    def takes(self, share: float) -> bool:
        """This one is lost."""
        lost = random.random() < share
        self._counters.test_lost += lost
        return lost


class Mux:
    """The worker's UDP sockets and the two maps every datagram goes through: by user name (checks) and by address (the
    rest).
    """

    def __init__(self, sockets: Sequence[socket.socket], counters: Counters) -> None:
        self.counters = counters
        self.sockets = list(sockets)
        self.by_ufrag: dict[str, tuple[Reached, bytes]] = {}
        self.by_address: dict[Address, Reached] = {}
        self.loss = Loss(counters)
        self.moves = 0  # how often a link has begun to send to another address
        self.pulse: Pulse | None = None  # asked before datagrams are read
        self._at_end: list[Callable[[], None]] = []
        self._is_reading = False
        self.arrived_at = 0.0  # of the datagram in hand, unix time: as the kernel noted it, where it does
        loop = asyncio.get_running_loop()
        for sock in self.sockets:
            if sys.platform == "linux":
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            loop.add_reader(sock, self._readable, sock)

    def close(self) -> None:
        """Stop reading and close the sockets; may be called twice."""
        for sock in self.sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self.sockets = []

    def know(self, ufrag: str, password: str, link: Reached) -> None:
        """From now on checks for this user name reach the link."""
        self.by_ufrag[ufrag] = (link, password.encode())

    def forget(self, link: Reached, ufrags: Sequence[str], addresses: Sequence[Address]) -> None:
        """A link has ended: its names and addresses lead nowhere any more."""
        for ufrag in ufrags:
            self.by_ufrag.pop(ufrag, None)
        for address in addresses:
            if self.by_address.get(address) is link:
                del self.by_address[address]

    def at_turns_end(self, call: Callable[[], None]) -> None:
        """Call this when the datagrams that wait are read; at once when none is being read."""
        if self._is_reading:
            self._at_end.append(call)
        else:
            call()

    def _readable(self, sock: socket.socket) -> None:
        if self.pulse is not None:
            self.pulse.feel()
        self._is_reading = True
        try:
            self._read(sock)
        finally:
            self._is_reading = False
            calls, self._at_end = self._at_end, []
            for call in calls:
                try:
                    call()
                except Exception:
                    self._failed("what datagrams left to do was not done")

    def _read(self, sock: socket.socket) -> None:
        counters, by_address = self.counters, self.by_address
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                size, notes, _, address = sock.recvmsg_into(INTO, NOTE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier send is told here
            counters.datagrams_in += 1
            if size < 2:
                continue
            if notes and len(notes[0][2]) == STAMP.size and notes[0][1] == SO_TIMESTAMPNS:
                seconds, nanoseconds = STAMP.unpack(notes[0][2])
                self.arrived_at = seconds + nanoseconds * 1e-9
            else:
                self.arrived_at = time.time()
            try:
                link = by_address.get(address)
                if link is not None and IN_VIEW[0] > 3:
                    link.datagram(size)
                elif IN_VIEW[0] < 4:
                    self._check(IN_VIEW[:size], address, sock)
                else:
                    counters.strangers_dropped += 1
            except Exception:
                self._failed(f"a datagram of {size} bytes was not handled")

    def _failed(self, what: str) -> None:
        self.counters.errors += 1
        if self.counters.errors < 100 or self.counters.errors % 1000 == 0:
            log.exception(what)

    def _check(self, datagram: memoryview, address: Address, sock: socket.socket) -> None:
        counters = self.counters
        check = checks.read(datagram)
        link, password = self.by_ufrag.get(check.ufrag, (None, b"")) if check is not None else (None, b"")
        if check is None or link is None or not checks.is_authentic(datagram, check, password):
            counters.checks_dropped += 1
            return
        counters.checks += 1
        self.by_address[address] = link
        link.checked(address, sock, check.nominates)
        with contextlib.suppress(OSError):  # the browser asks again
            sock.sendto(checks.answer(check, address[0], address[1], password), address)
