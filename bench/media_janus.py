"""CPU per forwarded packet beside Janus's VideoRoom, and beside a process that only sends the same bytes.

    python -m bench.media_janus [--subscribers 100] [--seconds 6] [--rounds 3] [--apart]

Needs Debian's package `janus`, in a network of its own (_enclosed.py); without it says so and measures nothing.
All have the same load in turns: one synthetic publisher at 300 packets a second, with real handshakes, as in
media_forward; each engine has its own hundred subscribers. Payloads are the same; both protect with the cipher that
was agreed on, AES-GCM with 256 bits, and both keep packets for repair. Packets are counted at the subscribers' sockets,
which a process of their own reads, and the processor time is that of all threads. Janus runs several times: with a
thread for each connection, its default, and with few event loops, which its settings allow and which take it less. One
more subscriber of each is read here and tells the delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

from bench._enclosed import HOST, NoNetworkOfItsOwn, enclose, is_enclosed
from bench._janus import Janus, is_installed
from bench._ticker import tick
from bench.media_forward import AIM as PLAIN_AIM
from bench.media_forward import (
    AUDIO_BYTES,
    LONGER,
    MUST,
    VIDEO_BYTES,
    VIDEO_PER_BURST,
    first_line,
    hand_over,
    made_up,
    options_of,
    pace,
    sent_at,
    show,
    start_plain,
)
from signaling.media.client import MediaClient
from tests.signaling.media.conftest import Told, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer

ROOM, INSTRUCTOR, READER = 1, 1, 2
AIM = 1.0  # times Janus at its best: ahead of it
LATE = 0.3  # seconds for the last packets to arrive
SIZES = [VIDEO_BYTES + (place >= VIDEO_PER_BURST - LONGER) for place in range(VIDEO_PER_BURST)]
LOOPS = {0: "Janus, a thread each", 2: "Janus, two event loops", 1: "Janus, one event loop"}
SOCKETS = 2 + len(LOOPS)  # at most, for each subscriber of each engine


@dataclass
class Side:
    """One of those compared, and what it spent so far."""

    name: str
    pid: int
    send: Callable[[int], None]
    drain: subprocess.Popen[bytes]  # of its subscribers' sockets
    targets: int
    delays: list[float] = field(default_factory=list)  # of the one subscriber read here
    late: list[float] = field(default_factory=list)  # of a bare ticker, meanwhile
    wires: list[Any] = field(default_factory=list)
    spent = 0.0
    came = 0
    due = 0

    def arrived(self) -> int:
        """Packets of media at the sockets so far."""
        assert self.drain.stdin is not None and self.drain.stdout is not None
        self.drain.stdin.write(b"\n")
        self.drain.stdin.flush()
        return int(self.drain.stdout.readline()) + len(self.delays)

    async def measure(self, seconds: float, *, apart: bool) -> None:
        """One round."""
        ticker = asyncio.create_task(tick(self.late))
        before, began = self.arrived(), cpu_seconds(self.pid)
        bursts = await pace(seconds, self.send, apart=apart)
        await asyncio.sleep(LATE)
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker
        self.spent += cpu_seconds(self.pid) - began
        self.came += self.arrived() - before
        self.due += bursts * (VIDEO_PER_BURST + 1) * self.targets

    @property
    def per_packet(self) -> float:
        """Microseconds for each packet that came."""
        return self.spent / max(1, self.came) * 1e6


def cpu_seconds(pid: int) -> float:
    """Time all threads of the process have run so far, to the nanosecond (unlike /proc/pid/stat)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def connect(
    name: str,
    pid: int,
    subscribers: int,
    publish: Callable[[PublishingPeer], Awaitable[Any]],
    subscribe: Callable[[SubscribingPeer], Awaitable[Any]],
) -> Side:
    """A publisher and its subscribers at an engine."""
    publisher = PublishingPeer(INSTRUCTOR)
    await publish(publisher)
    peers = [SubscribingPeer(10 + n, f"s{n}") for n in range(subscribers)]
    for peer in peers:
        await subscribe(peer)
    drain = hand_over([socket_of(peer) for peer in peers])
    reader = SubscribingPeer(READER, "reader")
    await subscribe(reader)

    def send(place: int) -> None:
        stamp = struct.pack("!d", time.monotonic())
        if place < VIDEO_PER_BURST:
            publisher.send("camera", key=not publisher.sent["camera"], size=SIZES[place], tail=stamp)
        else:
            publisher.send("microphone", size=AUDIO_BYTES, tail=stamp)

    side = Side(name, pid, send, drain, subscribers + 1)
    reader.wire.on_rtp = lambda packet: side.delays.append(time.monotonic() - sent_at(packet))
    side.wires = [publisher.wire, *(peer.wire for peer in peers), reader.wire]
    return side


def socket_of(peer: SubscribingPeer) -> Any:
    """The socket its packets come to."""
    assert peer.wire.transport is not None
    return peer.wire.transport.get_extra_info("socket")


async def compare(subscribers: int, seconds: float, rounds: int, *, apart: bool) -> float:
    """Measure and print; the ratio of our CPU per packet to Janus's."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, SOCKETS * subscribers + 200), hard))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        worker = start_worker(f"unix:{folder}/media.sock")
        stack.callback(worker.stop)
        client = MediaClient(worker.control, Told())
        stack.push_async_callback(client.close)
        await client.start()
        assert await client.wait_ready()
        client.permit(ROOM, {INSTRUCTOR: {"microphone", "camera"}}, [INSTRUCTOR])

        async def publish(peer: PublishingPeer) -> None:
            await peer.publish(client, ROOM)

        async def subscribe(peer: SubscribingPeer) -> None:
            await peer.subscribe(client, ROOM)

        ours = await connect("ours", worker.process.pid, subscribers, publish, subscribe)
        targets = [wire.transport.get_extra_info("sockname") for wire in ours.wires[1:-1]]
        plain = start_plain(targets)
        stack.callback(plain.communicate, "", timeout=5)
        address = ("127.0.0.1", int(first_line(plain)))
        feeder = stack.enter_context(socket(AF_INET, SOCK_DGRAM))
        contents = [*(made_up(96, size) for size in SIZES), made_up(111, AUDIO_BYTES)]

        def send(place: int) -> None:
            feeder.sendto(contents[place], address)

        bare = Side("plain send loop", plain.pid, send, ours.drain, len(targets))
        sides, versions = [ours, bare], set()
        for loops, name in LOOPS.items():
            home = folder / f"janus-{loops}"
            home.mkdir()
            janus = await stack.enter_async_context(Janus(home, HOST, loops))
            sides.append(await connect(name, janus.process.pid, subscribers, janus.publish, janus.subscribe))
            versions.add(janus.version)
        for side in sides:
            await pace(1.0, side.send, apart=apart)
        await asyncio.sleep(LATE)
        for side in sides:
            side.delays.clear()
        for _ in range(rounds):
            for side in sides:
                await side.measure(seconds, apart=apart)
        for side in sides:
            for wire in side.wires:
                wire.silence()
            if side is not bare:
                side.drain.communicate(b"", timeout=5)
    return tell(ours, bare, sides[2:], f"{subscribers + 1} subscribers each, Janus {', '.join(versions)}")


def tell(ours: Side, bare: Side, janus: list[Side], title: str) -> float:
    """Print all figures; the ratio to Janus at its best."""
    print(title)
    for side in (ours, bare, *janus):
        print(f"{side.name:<28} {side.per_packet:6.2f} µs CPU a packet   {side.came} of {side.due} packets came")
    print(f"{'ratio, ours to the loop':<28} {ours.per_packet / bare.per_packet:6.2f} (must: {MUST}, aim: {PLAIN_AIM})")
    for side in janus:
        print(f"{'ratio, ours to ' + side.name:<42} {ours.per_packet / side.per_packet:6.2f} (aim: under {AIM:.0f})")
    for side in (ours, *janus):
        print(show(f"delay, {side.name}", side.delays))
        print(show("   a bare 5 ms ticker meanwhile", side.late))
    return max(ours.per_packet / side.per_packet for side in janus)


def main() -> int:
    """The command. It shows what is; judging is the reader's."""
    options = options_of(__doc__)
    if not is_installed():
        print("Janus is not installed: skipped (Debian's package `janus`)")
        return 0
    if not is_enclosed():
        try:
            enclose("bench.media_janus", sys.argv[1:])
        except NoNetworkOfItsOwn as reason:
            print(f"No network of its own could be made for Janus: skipped ({reason})")
            return 0
    asyncio.run(compare(options.subscribers, options.seconds, options.rounds, apart=options.apart))
    return 0


if __name__ == "__main__":
    sys.exit(main())
