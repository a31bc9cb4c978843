"""What a subscriber and a source cost the media worker in memory, and that it stays so while packets flow.

    python -m bench.media_memory [--subscribers 100] [--sources 40] [--packets 300] [--minutes 10]

Resident memory of a real worker with real handshakes: with nobody, with publishers of a camera and a microphone each
(two sources, their caches full), with subscribers too, then every tenth of the time. Everybody is in one room; the
first publisher's packets go to all.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.media_forward import hand_over, pace
from signaling.media.client import MediaClient
from tests.signaling.media.conftest import Told, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer

ROOM = 1
SUBSCRIBER_AIM = 300.0  # KiB
GROWTH_MUST = 0.03  # of what it was after the first tenth
VIDEO_BYTES, AUDIO_BYTES = 1100, 120
CACHED = 1100  # packets: more than any source keeps


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


async def measure(subscribers: int, sources: int, packets: int, seconds: float) -> bool:
    """Measure and print; whether memory stayed."""
    with tempfile.TemporaryDirectory() as folder:
        worker = start_worker(f"unix:{folder}/media.sock")
        client = MediaClient(worker.control, Told())
        await client.start()
        assert await client.wait_ready()
        users = range(1, 1 + sources // 2)
        # The first comer pays for what is loaded and made once.
        guest = await SubscribingPeer(10_000, "guest").subscribe(client, ROOM)
        client.permit(ROOM, {user: {"microphone", "camera"} for user in users}, list(users))
        empty = resident_kib(worker.process.pid)
        publishers = [await PublishingPeer(user).publish(client, ROOM) for user in users]
        for publisher in publishers:
            for at in range(CACHED):
                publisher.send("camera", key=not at, size=VIDEO_BYTES)
                publisher.send("microphone", size=AUDIO_BYTES)
                if at % 20 == 0:
                    await asyncio.sleep(0.005)
        await asyncio.sleep(1.0)
        published = resident_kib(worker.process.pid)
        peers = [await SubscribingPeer(20_000 + n, f"s{n}").subscribe(client, ROOM) for n in range(subscribers)]
        transports = [peer.wire.transport for peer in (*peers, guest) if peer.wire.transport is not None]
        drain = hand_over([transport.get_extra_info("socket") for transport in transports])
        first = publishers[0]

        def send(place: int) -> None:
            if place < 5:
                first.send("camera", key=not first.sent["camera"], size=VIDEO_BYTES)
            else:
                first.send("microphone", size=AUDIO_BYTES)
            first.sent["microphone"].clear()
            if len(first.sent["camera"]) > CACHED:
                first.sent["camera"].clear()

        await pace(2.0, send, apart=False, rate=packets)
        subscribed = resident_kib(worker.process.pid)
        print(f"resident, one guest                {empty / 1024:8.1f} MiB")
        print(f"a source, its cache full           {(published - empty) / sources:8.1f} KiB ({sources} sources)")
        each = (subscribed - published) / subscribers
        print(f"a subscriber                       {each:8.1f} KiB ({subscribers}; aim: {SUBSCRIBER_AIM:.0f})")
        seen: list[int] = []
        for tenth in range(10):
            await pace(seconds / 10, send, apart=False, rate=packets)
            seen.append(resident_kib(worker.process.pid))
            print(
                f"after {(tenth + 1) * seconds / 10:5.0f} s                      {seen[-1] / 1024:8.1f} MiB", flush=True
            )
        counters = (await client.stats())["counters"]
        drain.communicate(b"", timeout=5)
        for wire in (*(each.wire for each in publishers), *(each.wire for each in peers), guest.wire):
            wire.silence()
        await client.close()
        worker.stop()
    growth = seen[-1] / seen[0] - 1
    print(f"growth since the first tenth       {growth:8.1%} (must: {GROWTH_MUST:.0%}), "
          f"{counters['rtp_out']:,} packets sent")  # fmt: skip
    return growth <= GROWTH_MUST


def main() -> int:
    """Print the figures; 1 when memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--sources", type=int, default=40)
    parser.add_argument("--packets", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    stayed = asyncio.run(measure(options.subscribers, options.sources, options.packets, options.minutes * 60))
    return 0 if stayed else 1


if __name__ == "__main__":
    sys.exit(main())
