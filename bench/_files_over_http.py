"""A client for files: a few keep-alive connections that each ask again as soon as they have been answered.

One thread, raw sockets and `recv_into`, so that it costs less than the servers that it measures.
"""

from __future__ import annotations

import random
import selectors
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CONNECTIONS = 8
PATIENCE_SECONDS = 20
_HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class _Line:
    """One connection and what is still missing of its answer."""

    socket: socket.socket
    head: bytearray = field(default_factory=bytearray)
    missing: int = -1  # bytes of the body; -1 while the head is not complete


class Asking:
    """Ranges of one URL, `length` bytes each at random places, until the time is over."""

    def __init__(self, url: str, *, size: int, length: int, connections: int = CONNECTIONS) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._address = (parts.hostname, parts.port)
        self._target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._size, self._length, self._connections = size, length, connections
        self._random = random.Random(5)  # the same places for every server
        self._buffer = bytearray(1024 * 1024)

    def answers(self, seconds: float) -> tuple[int, float]:
        """How many came whole, and how long it took. Raises AssertionError for any answer but 206 (or 200)."""
        began, count = time.perf_counter(), 0
        with selectors.DefaultSelector() as selector:
            lines = [_Line(socket.create_connection(self._address, PATIENCE_SECONDS)) for _ in range(self._connections)]
            for line in lines:
                line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(line.socket, selectors.EVENT_READ, line)
                self._ask(line)
            while time.perf_counter() - began < seconds:
                ready = selector.select(PATIENCE_SECONDS)
                assert ready, "no answer"
                for key, _ in ready:
                    if self._read(key.data):
                        count += 1
                        self._ask(key.data)
            took = time.perf_counter() - began
            for line in lines:
                line.socket.close()
        return count, took

    def whole(self) -> float:
        """Seconds for all of it over one connection."""
        began = time.perf_counter()
        line = _Line(socket.create_connection(self._address, PATIENCE_SECONDS))
        line.socket.sendall(f"GET {self._target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        while not self._read(line):
            pass
        line.socket.close()
        return time.perf_counter() - began

    def _ask(self, line: _Line) -> None:
        start = self._random.randrange(max(1, self._size - self._length))
        line.head.clear()
        line.missing = -1
        line.socket.sendall(
            f"GET {self._target} HTTP/1.1\r\nHost: bench\r\n"
            f"Range: bytes={start}-{start + self._length - 1}\r\n\r\n".encode()
        )

    def _read(self, line: _Line) -> bool:
        """Take what is there; whether the answer is complete."""
        if line.missing < 0:
            line.head += line.socket.recv(4096)
            end = line.head.find(_HEAD_END)
            if end < 0:
                assert line.head, "the connection was closed"
                return False
            head = bytes(line.head[:end]).lower()
            assert head.startswith((b"http/1.1 206", b"http/1.1 200")), head[:200]
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            line.missing = length - (len(line.head) - end - len(_HEAD_END))
        else:
            count = line.socket.recv_into(self._buffer, min(len(self._buffer), line.missing))
            assert count, "the connection was closed in the middle"
            line.missing -= count
        return line.missing == 0
