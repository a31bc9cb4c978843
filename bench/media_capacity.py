"""How many a media worker takes before it refuses the next, and how well it serves them then.

    python -m bench.media_capacity [--hold 15] [--most-load 0.8]

A real media worker with real handshakes; one synthetic publisher at 300 packets a second (250 of video, 50 of audio).
Students connect one after the other until the worker says that it takes nobody new; from then on those inside are
watched. The subscribers' sockets are read by a process of their own. One more subscriber is read here, and tells the
delay through the worker beside the lateness of a bare 5 ms ticker in the same process: what the ticker suffers is the
machine, not the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench._ticker import tick
from bench.media_forward import (
    AUDIO_BYTES,
    INSTRUCTOR,
    READER,
    ROOM,
    VIDEO_BYTES,
    VIDEO_PER_BURST,
    cpu_seconds,
    hand_over,
    pace,
    sent_at,
    show,
)
from signaling.media.client import MediaClient, MediaFull
from signaling.media.load import MOST_LOAD
from tests.signaling.media.conftest import Told, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer

DELAY_MUST = 50.0  # milliseconds, 99th percentile: one of 20 pictures a second; the last of a crowd waits for all
MOST_PEERS = 900  # the machine that cannot fill a worker with so many is another one
# A crowd is refused before it is measured; who is refused so often in a row, or after so long, is not taken.
TRY_AGAIN_SECONDS, TRIES, FILL_SECONDS = 1.0, 10, 100.0
GROUP = 20  # sockets handed over at once
FOR_EVER = 1e9


async def fill(client: MediaClient, drains: list[subprocess.Popen[bytes]]) -> int:
    """Students come until one is refused for good; how many are in."""
    inside, refused, fresh, began = 0, 0, list[SubscribingPeer](), time.monotonic()
    while inside < MOST_PEERS and refused < TRIES and not (refused and time.monotonic() - began > FILL_SECONDS):
        try:
            fresh.append(await SubscribingPeer(10 + inside, f"s{inside}").subscribe(client, ROOM))
        except MediaFull as error:
            refused, refusal = refused + 1, str(error)
            if refused == 1:
                drains.append(read_elsewhere(fresh))
                fresh = []
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            continue
        inside, refused = inside + 1, 0
        if len(fresh) == GROUP:
            drains.append(read_elsewhere(fresh))
            fresh = []
    print(f"the next is refused: {refusal}" if refused else f"nobody of {inside} was refused")
    return inside


def read_elsewhere(peers: list[SubscribingPeer]) -> subprocess.Popen[bytes]:
    """Another process reads what they are sent."""
    return hand_over([peer.wire.transport.get_extra_info("socket") for peer in peers if peer.wire.transport])


async def measure(most_load: float, hold: float) -> bool:
    """Fill it, watch it, print; whether those inside were served well."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with tempfile.TemporaryDirectory() as folder:
        worker = start_worker(f"unix:{folder}/media.sock", "--most-load", str(most_load))
        client = MediaClient(worker.control, Told())
        await client.start()
        assert await client.wait_ready()
        client.permit(ROOM, {INSTRUCTOR: {"microphone", "camera"}}, [INSTRUCTOR])
        publisher = await PublishingPeer(INSTRUCTOR).publish(client, ROOM)
        delays: list[float] = []
        reader = await SubscribingPeer(READER, "reader").subscribe(client, ROOM)
        reader.wire.on_rtp = lambda packet: delays.append(time.monotonic() - sent_at(packet))
        sent = answered = 0

        def forward(place: int) -> None:
            nonlocal sent, answered
            sent += 1
            stamp = struct.pack("!d", time.monotonic())
            if place < VIDEO_PER_BURST:
                is_key = publisher.keyframes_asked > answered or not publisher.sent["camera"]
                answered = publisher.keyframes_asked
                publisher.send("camera", key=is_key, size=VIDEO_BYTES, tail=stamp)
            else:
                publisher.send("microphone", size=AUDIO_BYTES, tail=stamp)

        sending = asyncio.create_task(pace(FOR_EVER, forward, apart=False))
        drains: list[subprocess.Popen[bytes]] = []
        began = time.monotonic()
        inside = await fill(client, drains)
        filled = time.monotonic() - began
        await stopped(sending)
        delays.clear()
        late: list[float] = []
        out, before = (await client.stats())["counters"]["rtp_out"], cpu_seconds(worker.process.pid)
        sent, at = 0, time.monotonic()
        sending = asyncio.create_task(pace(FOR_EVER, forward, apart=False))
        ticker = asyncio.create_task(tick(late))
        await asyncio.sleep(hold)  # what is measured is time itself
        took = time.monotonic() - at
        for task in (sending, ticker):
            await stopped(task)
        stats = await client.stats()
        share = (cpu_seconds(worker.process.pid) - before) / took
        rate = (stats["counters"]["rtp_out"] - out) / took
        lost = sent - len(delays)
        print(f"{inside + 1} inside after {filled:.0f} s, then for {took:.0f} s: {rate:.0f} packets a second out")
        print(f"the worker needs {share:.2f} of a core; it takes nobody new above {most_load:g}")
        print(f"{'not sent, socket full':<34} {stats['counters']['send_blocked']:6d} packets")
        print(f"{'lost on the way to the one watched':<34} {lost:6d} of {sent} packets (must: 0)")
        print(f"{show('delay through the worker', delays)} (p99 must: {DELAY_MUST:.0f})")
        print(show("lateness of a bare 5 ms ticker", late))
        for drain in drains:
            drain.communicate(b"", timeout=5)
        worker.kill()
        await client.close()
    delays.sort()
    return lost == 0 and delays[len(delays) * 99 // 100] * 1e3 <= DELAY_MUST


async def stopped(task: asyncio.Task[Any]) -> None:
    """And what it sent has arrived."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)


def main() -> int:
    """The command; 1 when those inside were not served well at capacity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hold", type=float, default=15.0)
    parser.add_argument("--most-load", type=float, default=MOST_LOAD)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.most_load, options.hold)) else 1


if __name__ == "__main__":
    sys.exit(main())
