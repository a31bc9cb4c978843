"""Server CPU per delivery in rooms of 30, 300 and 1,000: this transport, socket.io on Node, and a bare send loop.

Real processes over loopback, the same clients and the same bytes; the three take turns in every round, so what else the
machine does touches all alike. Paced means each broadcast alone, burst means twenty events in one turn of the server.
With many rooms each event goes to the next room; instead of a burst all rooms are told one event in one turn.
What a server pays for the clock that paces it is measured in turns without events, and taken off what it paid for the
same turns with them: in a room of 30 the timer would otherwise be a third of the figure, on all three servers.
`--quick` measures less long, `--sizes 30,33x30` fewer kinds of rooms (33x30: 33 rooms of 30).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict

from bench._peers import Peer, install
from bench._sink import Sink
from signaling.transport.wire import framed

SIZES, NAMES, ROUNDS, BURST = ("30", "33x30", "300", "1000"), ("ours", "node", "bare"), 6, 20
QUICK_ROUNDS = 2
PACED_DELIVERIES, BURST_DELIVERIES = 75_000, 500_000  # in one round; together over two seconds of CPU each
MUST = {"paced": 0.7, "together": 0.7, "burst": 0.4}  # of Node's
AIM = {"paced": 0.5, "together": 0.5, "burst": 0.3}
AIM_OF_BARE = 1.3
EMPTY_TURNS = {"paced": 1000, "together": 250, "burst": 250}
TOLD = {
    "live_session_id": 17,
    "epoch": "b2f1c09a55d1",
    "events": [{"seq": 4711, "at": "2026-11-23T10:00:00.123456Z", "type": "chat_posted", "actor_id": 42,
                "client_id": "0b0e7c9e-7c44-4a4c-9d5c-6a0a57e2b3f1", "payload": {"body": "Is it on the exam?"}}],
}  # fmt: skip
PAYLOAD = json.dumps(TOLD, separators=(",", ":"))
FRAME_BYTES = len(framed(f'42/live,["timeline",{PAYLOAD}]'))

Spent = dict[str, dict[str, float]]  # microseconds per delivery: by shape, then server


async def main() -> int:
    """Print the ratios; 1 when one misses what it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sizes", default=",".join(SIZES))
    given = parser.parse_args()
    install()
    rounds = QUICK_ROUNDS if given.quick else ROUNDS
    print(f"server CPU per delivery, frames of {FRAME_BYTES} bytes, {rounds} rounds:")
    is_missed = False
    for kind in given.sizes.split(","):
        *many, size = map(int, kind.split("x"))
        rooms = many[0] if many else 1
        which = f"{rooms} rooms of {size}" if many else f"room of {size:>4}"
        spent = await measured(rooms, size, rounds=rounds)
        for shape, by_name in spent.items():
            ours, of_node, of_bare = by_name["ours"], *(by_name["ours"] / by_name[n] for n in ("node", "bare"))
            verdict = "missed" if of_node > MUST[shape] else "met"
            aim = of_node <= AIM[shape] and (shape == "burst" or of_bare <= AIM_OF_BARE)
            is_missed |= verdict == "missed"
            print(
                f"  {which}, {shape}: {ours:5.2f} us, {of_node:.2f} of Node ({by_name['node']:.2f} us), "
                f"{of_bare:.2f} of a bare loop ({by_name['bare']:.2f} us): must {MUST[shape]} {verdict}, "
                f"aim {AIM[shape]} {'met' if aim else 'missed'}",
                flush=True,
            )
    return int(is_missed)


async def measured(rooms: int, size: int, *, rounds: int) -> Spent:
    """All three servers with so many rooms of `size`, in turns."""
    peers, sinks = [Peer(name, PAYLOAD, size) for name in NAMES], [Sink() for _ in NAMES]
    together = ("burst", BURST_DELIVERIES) if rooms == 1 else ("together", PACED_DELIVERIES)
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    try:
        for peer, sink in zip(peers, sinks, strict=True):
            await peer.start()
            await sink.fill(peer.port, rooms * size)
            await one(peer, sink, "paced", rooms, 20 * rooms * size)  # warm
        for _ in range(rounds):
            for shape, deliveries in (("paced", PACED_DELIVERIES), together):
                for peer, sink in zip(peers, sinks, strict=True):
                    totals[shape][peer.name] += await one(peer, sink, shape, rooms, deliveries) / rounds
    finally:
        for sink in sinks:
            sink.close()
        for peer in peers:
            await peer.stop()
    return {shape: dict(by_name) for shape, by_name in totals.items()}


async def one(peer: Peer, sink: Sink, shape: str, rooms: int, deliveries: int) -> float:
    """Microseconds of server CPU per delivery, every one of which arrived."""
    size, burst = len(sink.members) // rooms, {"paced": 1, "together": rooms, "burst": BURST}[shape]
    turns = max(1, rooms // burst)  # until every room was told as much
    times = max(1, deliveries // (size * burst * turns)) * turns
    gap = 2 + size * burst * (
        0.01 if shape == "burst" else 0.03
    )  # milliseconds; longer than anybody needs for one turn
    empty = await empty_turn(peer, min(EMPTY_TURNS[shape], times), gap)
    wanted = [m.received + times * burst // rooms * FRAME_BYTES for m in sink.members]
    before = peer.cpu_seconds()
    await peer.order(times=times, burst=burst, gap=gap, rooms=rooms)
    await sink.until(wanted)
    spent = peer.cpu_seconds() - before
    return (spent / times - empty) / (burst * size) * 1e6


async def empty_turn(peer: Peer, times: int, gap: float) -> float:
    """Seconds of server CPU for a turn in which nothing is told: the pacing clock's own."""
    before = peer.cpu_seconds()
    await peer.order(times=times, burst=0, gap=gap, rooms=1)
    return (peer.cpu_seconds() - before) / times


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
