"""Many datagrams in one system call, from buffers that are made once.

`sendmmsg` takes a table of messages; ours points for good at a block of slots, each a receiver's socket address and
then its datagram, so that sending fills in bytes and lengths and makes no object. It saves a fifth of a bare `sendto`
loop. Several datagrams of one size for one receiver can go as one message that the kernel cuts apart at its far end
(UDP_SEGMENT, Linux 4.18): one way through the network stack instead of one each, of which most of a send's cost is
made. Where the system has no such calls each slot is sent by itself.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from signaling.media.counters import Counters
from signaling.media.dtls import c_memory

SLOTS = 64  # datagrams of one call; more receivers take several
NAME_BYTES = 32  # the longest socket address (IPv6, 28), aligned
SLOT_BYTES = 1600  # name and datagram; an odd number of cache lines, so that slots do not share the same few
DATAGRAM_BYTES = SLOT_BYTES - NAME_BYTES
RUN = 8  # datagrams of one message at most, so that a call still reaches several receivers
UDP_SEGMENT = 103
DO_NOT_WAIT = int(getattr(socket, "MSG_DONTWAIT", 0))


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint),
        ("vector", ctypes.c_void_p), ("vectors", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int),
    )  # fmt: skip


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


class _Cut(ctypes.Structure):
    """The control message that says how long each datagram of a message is."""

    _fields_ = (
        ("length", ctypes.c_size_t), ("level", ctypes.c_int), ("type", ctypes.c_int),
        ("bytes", ctypes.c_uint16), ("rest", ctypes.c_uint16 * 3),
    )  # fmt: skip


class Lengths(NamedTuple):
    """All slots' lengths at once: before protection, after it, and for the system."""

    before: bytes
    after: bytes
    told: memoryview


def lengths(sizes: Sequence[int], tag: int) -> Lengths:
    """For datagrams that are in turn of these sizes and that protection lengthens by `tag`."""
    before = (list(sizes) * SLOTS)[:SLOTS]
    after = [size + tag for size in before]
    told = memoryview(struct.pack(f"{SLOTS}P", *after)).cast("P")
    return Lengths(struct.pack(f"{SLOTS}i", *before), struct.pack(f"{SLOTS}i", *after), told)


def socket_address(address: Any) -> bytes:
    """A Python address as the system has it (Linux: `sockaddr_in`, `sockaddr_in6`), padded to NAME_BYTES.

    Raises OSError for a host that is not a number.
    """
    host, port = address[:2]
    if ":" not in host:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(24)
    flow, scope = address[2:4] if len(address) == 4 else (0, 0)
    number = socket.inet_pton(socket.AF_INET6, host.split("%")[0])
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, flow) + number + struct.pack("=I4x", scope)


_memory, VIEW = c_memory("char[]", SLOTS * SLOT_BYTES)
_lengths, LENGTHS = c_memory("int[]", SLOTS)
# Each slot's number; where libsrtp finds the datagram; where in `VIEW` the name begins; where libsrtp finds its length.
Slot = tuple[int, Any, int, Any]  # plain: Python takes a named tuple apart item by item, and this is done per packet
TABLE: list[Slot] = [(i, _memory + i * SLOT_BYTES + NAME_BYTES, i * SLOT_BYTES, _lengths + i) for i in range(SLOTS)]
_base = ctypes.addressof(ctypes.c_char.from_buffer(VIEW))
_vectors = (_Vector * SLOTS)(*(_Vector(_base + at + NAME_BYTES, 0) for _, _, at, _ in TABLE))
TOLD = memoryview(_vectors).cast("B").cast("P")[1::2]  # each vector's length
_cut = _Cut(18, socket.IPPROTO_UDP, UDP_SEGMENT)
_EACH = ctypes.sizeof(_Message)
_sendmmsg: Any = None
if sys.platform == "linux":
    _sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    _sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


@cache
def _messages(run: int) -> Any:
    """The table in which each message takes `run` slots, one after the other."""
    control = (ctypes.addressof(_cut), ctypes.sizeof(_cut)) if run > 1 else (None, 0)
    return (_Message * (SLOTS // run))(
        *(
            _Message(_Header(_base + at, 28, ctypes.addressof(_vectors[number]), run, *control, 0), 0)
            for number, _, at, _ in TABLE[: SLOTS // run * run : run]
        )
    )


def longest_run() -> int:
    """How many datagrams one message may carry here."""
    return RUN if _sendmmsg is not None and IS_BATCHED and _CUTS else 1


def send(sock: socket.socket, count: int, addresses: Sequence[Any] | None, counters: Counters, run: int = 1) -> int:
    """Send the first `count` slots; how many went out. A full socket drops the rest: waiting would delay everybody.

    `run` neighbors each are for the same receiver and as long as the first, or the last of them shorter.
    `addresses` are for systems without `sendmmsg` and None elsewhere.
    """
    if addresses is not None:
        return _one_by_one(sock, count, addresses, counters)
    if run > 1:
        _cut.bytes = TOLD[0]
    descriptor, done, gone = sock.fileno(), 0, 0
    while done < count:
        table = ctypes.addressof(_messages(run))
        taken = _sendmmsg(descriptor, table + done // run * _EACH, (count - done) // run, DO_NOT_WAIT)
        if taken > 0:
            done, gone = done + taken * run, gone + taken * run
            continue
        reason = ctypes.get_errno()
        if reason in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS):
            counters.send_blocked += count - done
            break
        if run > 1:
            run = 1  # a way that cannot cut, or no way at all: datagram by datagram from here
            continue
        counters.send_failed += 1  # this one has no route, or is told of an earlier one's; the others go on
        done += 1
    return gone


def _one_by_one(sock: socket.socket, count: int, addresses: Sequence[Any], counters: Counters) -> int:
    gone = 0
    for (number, _, at, _), address in zip(TABLE[:count], addresses, strict=False):
        begin = at + NAME_BYTES
        try:
            sock.sendto(VIEW[begin : begin + TOLD[number]], address)
            gone += 1
        except BlockingIOError:
            counters.send_blocked += 1
        except OSError:
            counters.send_failed += 1
    return gone


def _cuts() -> bool:
    """Whether the system knows UDP_SEGMENT; one that does not would send a run as one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        except OSError:
            return False
    return True


IS_BATCHED = _sendmmsg is not None
_CUTS = IS_BATCHED and _cuts()
