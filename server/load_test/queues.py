"""What the kernel holds of a connection that is not read, so that what the server itself holds can be told (Linux)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TABLE = Path("/proc/net/tcp")  # proc(5): local, remote, state, tx_queue:rx_queue, all hexadecimal
ESTABLISHED = "01"
SAMPLE_SECONDS = 0.05


@dataclass(slots=True)
class Stall:
    """One client that does not read: when the server's own buffer passed the cap, and when it was cut off."""

    port: int
    passed_at: float | None = None
    cut_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """From the one to the other, to SAMPLE_SECONDS."""
        if self.cut_at is None:
            return None
        return self.cut_at - (self.cut_at if self.passed_at is None else self.passed_at)


def is_known() -> bool:
    return TABLE.exists()


async def watch(stalls: Iterable[Stall], server_port: int, told_bytes: Callable[[], int], cap: int) -> None:
    """Fill in `stalls` until all are cut. `told_bytes` is how much each was sent since it stopped reading."""
    loop, waiting = asyncio.get_running_loop(), list(stalls)
    while waiting:
        await asyncio.sleep(SAMPLE_SECONDS)
        now, told = loop.time(), told_bytes()
        sending, unread = _queues(server_port)
        for stall in waiting:
            if stall.port not in sending:
                stall.cut_at = now
            elif stall.passed_at is None and told - sending[stall.port] - unread.get(stall.port, 0) > cap:
                stall.passed_at = now
        waiting = [stall for stall in waiting if stall.cut_at is None]


def _queues(server_port: int) -> tuple[dict[int, int], dict[int, int]]:
    """By the client's port: bytes the server's kernel has not passed on, and bytes the client has not read."""
    sending, unread = dict[int, int](), dict[int, int]()
    for line in TABLE.read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if state != ESTABLISHED:
            continue
        here, there = int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)
        tx, _, rx = queues.partition(":")
        if here == server_port:
            sending[there] = int(tx, 16)
        elif there == server_port:
            unread[here] = int(rx, 16)
    return sending, unread
