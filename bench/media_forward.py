"""CPU per forwarded packet, beside a process that only sends the same bytes, and one that uses aiortc's own objects.

    python -m bench.media_forward [--subscribers 100] [--seconds 6] [--rounds 3] [--apart]

A real media worker with real handshakes; one synthetic publisher at 300 packets a second (250 of video, 50 of audio).
A frame's packets come together and differ by a byte, as browsers cut frames; --apart spaces all packets evenly
instead, so that none leaves with another.
Worker, plain loop and object path take turns under the same load in one run, so that the machine's mood hits all three.
The subscribers' sockets are read by a process of their own. One more subscriber is read here, and tells the delay
through the worker beside the lateness of a bare 5 ms ticker in the same process: what the ticker suffers is the
machine, not the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._ticker import tick
from signaling.media.client import MediaClient
from tests.signaling.media.conftest import Told, start_worker
from tests.signaling.media.peers import PublishingPeer, SubscribingPeer
from tests.signaling.media.wire import Received

ROOT = Path(__file__).parents[1]
ROOM, INSTRUCTOR, READER = 1, 1, 2
VIDEO_BYTES, AUDIO_BYTES = 1100, 120
VIDEO_PER_BURST = 5  # and one packet of audio
LONGER = 3  # of a frame's packets are a byte longer than the others
MUST, AIM = 1.8, 1.3  # times the plain loop, on a machine with nothing else to do
PEER_SECONDS = 8.0  # of a round, at most, for each of the others: their cost does not change
OBJECTS_MUST = 0.65  # times aiortc's objects
LATENCY_MUST, LATENCY_AIM = 10.0, 3.0  # milliseconds, 99th percentile


def cpu_seconds(pid: int) -> float:
    """Time the process has run on a core so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


async def pace(seconds: float, send: Callable[[int], None], *, apart: bool, rate: int = 300) -> int:
    """Call `send` with each packet's place in its burst, all at once or evenly spaced; how many bursts."""
    interval = (VIDEO_PER_BURST + 1) / rate
    loop = asyncio.get_running_loop()
    start, count, each = loop.time(), 0, VIDEO_PER_BURST + 1
    while loop.time() - start < seconds:
        for place in range(each):
            send(place)
            if apart:
                await asyncio.sleep(max(0.0, start + (count + (place + 1) / each) * interval - loop.time()))
        count += 1
        await asyncio.sleep(max(0.0, start + count * interval - loop.time()))
    return count


def show(name: str, seconds: list[float]) -> str:
    """Percentiles in milliseconds."""
    if len(seconds) < 2:
        return f"{name}: nothing measured"
    cuts = statistics.quantiles(seconds, n=100)
    p50, p99, worst = (value * 1e3 for value in (cuts[49], cuts[98], max(seconds)))
    return f"{name:<34} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {worst:6.2f} ms"


async def compare(subscribers: int, seconds: float, rounds: int, *, apart: bool = False) -> float:
    """Measure and print; the ratio of CPU per packet."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * subscribers + 100)), hard))
    with tempfile.TemporaryDirectory() as folder:
        worker = start_worker(f"unix:{folder}/media.sock")
        client = MediaClient(worker.control, Told())
        await client.start()
        assert await client.wait_ready()
        client.permit(ROOM, {INSTRUCTOR: {"microphone", "camera"}}, [INSTRUCTOR])
        publisher = await PublishingPeer(INSTRUCTOR).publish(client, ROOM)
        began = time.monotonic()
        peers = [await SubscribingPeer(10 + n, f"s{n}").subscribe(client, ROOM) for n in range(subscribers)]
        joined = (time.monotonic() - began) / subscribers
        transports = [peer.wire.transport for peer in peers if peer.wire.transport is not None]
        drain = hand_over([transport.get_extra_info("socket") for transport in transports])
        delays: list[float] = []
        reader = await SubscribingPeer(READER, "reader").subscribe(client, ROOM)
        reader.wire.on_rtp = lambda packet: delays.append(time.monotonic() - sent_at(packet))

        assert reader.wire.transport is not None
        targets = [transport.get_extra_info("sockname") for transport in (*transports, reader.wire.transport)]
        others = {name: start_plain(targets, by_objects=name == "objects") for name in ("plain", "objects")}
        addresses = {name: ("127.0.0.1", int(first_line(other))) for name, other in others.items()}
        feeder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Header, our extensions and SRTP's tag: 40 bytes around each payload; the object path adds the tag by itself.
        sizes = [VIDEO_BYTES + (place >= VIDEO_PER_BURST - LONGER) for place in range(VIDEO_PER_BURST)]
        contents = [*(made_up(96, size) for size in sizes), made_up(111, AUDIO_BYTES)]

        def forward(place: int) -> None:
            stamp = struct.pack("!d", time.monotonic())
            if place < VIDEO_PER_BURST:
                publisher.send("camera", key=not publisher.sent["camera"], size=sizes[place], tail=stamp)
            else:
                publisher.send("microphone", size=AUDIO_BYTES, tail=stamp)

        def send_to(name: str) -> Callable[[int], None]:
            def send(place: int) -> None:
                feeder.sendto(contents[place], addresses[name])

            return send

        late: list[float] = []
        await pace(1.0, forward, apart=apart)
        for name in others:
            await pace(0.5, send_to(name), apart=apart)
        delays.clear()
        sent = 0
        spent = dict.fromkeys(("worker", *others), 0.0)
        packets = dict.fromkeys(spent, 0)
        for _ in range(rounds):
            ticker = asyncio.create_task(tick(late))
            out = (await client.stats())["counters"]["rtp_out"]
            before = cpu_seconds(worker.process.pid)
            bursts = await pace(seconds, forward, apart=apart)
            sent += bursts * len(contents)
            spent["worker"] += cpu_seconds(worker.process.pid) - before
            counters = (await client.stats())["counters"]
            packets["worker"] += counters["rtp_out"] - out
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            for name, other in others.items():
                before = cpu_seconds(other.pid)
                bursts = await pace(min(seconds, PEER_SECONDS), send_to(name), apart=apart)
                spent[name] += cpu_seconds(other.pid) - before
                packets[name] += bursts * len(contents) * len(targets)
        per_packet = {name: spent[name] / packets[name] * 1e6 for name in spent}
        took = {name: rounds * (seconds if name == "worker" else min(seconds, PEER_SECONDS)) for name in spent}
        share = {name: spent[name] / took[name] * 100 for name in spent}
        for other in others.values():
            other.communicate("", timeout=5)
        drain.communicate(b"", timeout=5)
        feeder.close()
        for peer in (*peers, reader):
            peer.wire.silence()
        publisher.wire.silence()
        await client.close()
        worker.stop()
    ratio = per_packet["worker"] / per_packet["plain"]
    rate = packets["worker"] / seconds / rounds
    print(f"{len(targets)} subscribers, {rate:.0f} packets a second out, joined in {joined * 1e3:.0f} ms each")
    for name in per_packet:
        print(f"{name:<34} {per_packet[name]:6.2f} µs CPU a packet   {share[name]:5.1f} % of a core")
    print(f"{'ratio, worker to plain send loop':<34} {ratio:6.2f} (must: {MUST}, aim: {AIM})")
    to_objects = per_packet["worker"] / per_packet["objects"]
    print(f"{'ratio, worker to aiortc objects':<34} {to_objects:6.2f} (must: {OBJECTS_MUST})")
    print(f"{'not sent, socket full':<34} {counters['send_blocked']:6d} packets")
    print(f"{'lost on the way to the one watched':<34} {sent - len(delays):6d} of {sent} packets (must: 0)")
    print(f"{show('delay through the worker', delays)} (p99 must: {LATENCY_MUST:.0f}, aim: {LATENCY_AIM:.0f})")
    print(show("lateness of a bare 5 ms ticker", late))
    return ratio


def start_plain(targets: list[Any], *, by_objects: bool = False) -> subprocess.Popen[str]:
    """A process to compare with; its first line is its port."""
    program = PLAIN.replace("FORWARD", BY_OBJECTS if by_objects else BARE)
    command = [sys.executable, "-c", program, json.dumps(targets)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def first_line(process: subprocess.Popen[str]) -> str:
    """What it says when it is ready."""
    assert process.stdout is not None
    return process.stdout.readline()


def made_up(payload_type: int, payload_bytes: int) -> bytes:
    """A packet as it leaves, without SRTP's tag: header, mid and send time, payload."""
    header = struct.pack("!BBHII", 0x90, payload_type, 1, 1, 1) + bytes.fromhex("bede00021031220000000000")
    return header + os.urandom(payload_bytes)


def hand_over(sockets: list[Any]) -> subprocess.Popen[bytes]:
    """Let another process read these sockets, so that every packet is received and this one keeps its time.

    To any line it says how many packets of media came so far.
    """
    loop: Any = asyncio.get_running_loop()
    descriptors = [sock.fileno() for sock in sockets]
    for descriptor in descriptors:
        loop._remove_reader(descriptor)  # the public way refuses to take a socket out of a transport's hands
    command = [sys.executable, "-c", DRAIN, json.dumps(descriptors)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=descriptors)


def sent_at(packet: Received) -> float:
    """The time at a packet's end."""
    return float(struct.unpack("!d", packet.payload[-8:])[0])


DRAIN = """
import json, os, select, socket, sys
poll, buffer, media = select.epoll(), bytearray(2048), 0
sockets = {fd: socket.socket(fileno=fd) for fd in json.loads(sys.argv[1])}
for fd in (0, *sockets):
    poll.register(fd, select.EPOLLIN)
while True:
    for fd, _ in poll.poll():
        if fd == 0:
            if not os.read(0, 100):
                sys.exit()
            print(media, flush=True)
            continue
        try:
            while True:
                sockets[fd].recv_into(buffer)
                media += buffer[0] >> 6 == 2 and not 192 <= buffer[1] <= 223
        except OSError:
            pass
"""

BARE = """
def forward(size):
    data, sendto = bytes(buffer[:size]) + bytes(16), sock.sendto
    for target in targets:
        try:
            sendto(data, target)
        except OSError:
            pass
"""

BY_OBJECTS = """
numbers = iter(range(1 << 60))
def forward(size):
    packet = rtp.RtpPacket.parse(bytes(buffer[:size]), extensions)
    packet.sequence_number = next(numbers) & 0xFFFF
    for session, target in zip(sessions, targets):
        packet.extensions.mid, packet.extensions.abs_send_time = "1", 12345
        data = session.protect(packet.serialize(extensions))
        try:
            sock.sendto(data, target)
        except OSError:
            pass
"""

PLAIN = """
import asyncio, json, os, socket, sys
import pylibsrtp
from signaling.media.dtls import rtp
targets = [tuple(t) for t in json.loads(sys.argv[1])]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0)); sock.setblocking(False)
for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
    sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
buffer = memoryview(bytearray(2048))
P = pylibsrtp.Policy
policy = {"ssrc_type": P.SSRC_ANY_OUTBOUND, "srtp_profile": P.SRTP_PROFILE_AEAD_AES_256_GCM}
sessions = [pylibsrtp.Session(P(key=os.urandom(44), **policy)) for _ in targets]
extensions = rtp.HeaderExtensionsMap()
extensions._HeaderExtensionsMap__ids.mid, extensions._HeaderExtensionsMap__ids.abs_send_time = 1, 2
FORWARD
def readable():
    for _ in range(64):
        try:
            size = sock.recv_into(buffer)
        except BlockingIOError:
            return
        forward(size)
async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(sock, readable)
    print(sock.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


def options_of(description: str | None) -> argparse.Namespace:
    """How many are sent to, for how long, how often, and whether packets come one by one."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--apart", action="store_true")
    return parser.parse_args()


def main() -> int:
    """The command. It shows what is; judging is the reader's."""
    options = options_of(__doc__)
    asyncio.run(compare(options.subscribers, options.seconds, options.rounds, apart=options.apart))
    return 0


if __name__ == "__main__":
    sys.exit(main())
