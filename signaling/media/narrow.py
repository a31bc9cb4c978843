"""For tests: a subscriber's link made narrow, as a phone's in a train is.

Datagrams go through a socket on loopback, wait in a queue that empties at so many bits a second, and leave from the
worker's own socket; what would wait longer than QUEUE_SECONDS is dropped. The forwarding loop knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import Any

from signaling.media.counters import Counters

QUEUE_SECONDS = 0.5  # what a narrow link's buffer holds; more is lost
LARGEST = 2048


class Narrow:
    """One link's way out: send to `address` what is meant for whom `lead` named last."""

    def __init__(self, bits_per_second: float, counters: Counters, sound: Iterable[int] = ()) -> None:
        self.bits_per_second, self._counters = bits_per_second, counters
        self.sound_taken = self.sound_lost = 0  # packets of the streams (SSRC) in `sound`; the lost are among the taken
        self._sound = frozenset(ssrc.to_bytes(4, "big") for ssrc in sound)
        self._free_at = 0.0  # when what waits has left
        self._to: Any = None
        self._through: socket.socket | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = self._socket.getsockname()
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def lead(self, to: Any, through: socket.socket) -> None:
        """Where datagrams leave to, and from which socket."""
        self._to, self._through = to, through

    def close(self) -> None:
        """What waits still leaves; may be called twice."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self._socket.recv(LARGEST)
                now = loop.time()
                is_sound = data[8:12] in self._sound and not 192 <= data[1] <= 223  # RTCP names it elsewhere
                self.sound_taken += is_sound
                leaves = max(now, self._free_at) + len(data) * 8 / self.bits_per_second
                if leaves - now > QUEUE_SECONDS:
                    self._counters.test_lost += 1
                    self.sound_lost += is_sound
                    continue
                self._free_at = leaves
                loop.call_at(leaves, self._leave, data)

    def _leave(self, data: bytes) -> None:
        if self._through is not None and self._through.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._through.sendto(data, self._to)
