"""Server CPU per delivery in rooms of 30, 300 and 1,000: this transport, socket.io on Node, and a bare send loop.

Real processes over loopback, the same clients and the same bytes; the three take turns in every round, so what else the
machine does touches all alike, and the median of the rounds counts for each. The first round warms them. Paced means
each broadcast alone, burst means twenty events in one turn of the server. With many rooms each event goes to the next
room; instead of a burst all rooms are told one event in one turn.

What paces is a bare timer on all three. What it costs is measured in turns without events and taken off all three
alike; in a room of 30 it is a tenth to a seventh of the figure. The ratio with it is told beside.
`--quick` measures less long, `--sizes 30,33x30` fewer kinds of rooms (33x30: 33 rooms of 30).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench._peers import Peer, install
from bench._sink import Sink
from signaling.transport.wire import framed

SIZES, NAMES, ROUNDS, BURST = ("30", "33x30", "300", "1000"), ("ours", "node", "bare"), 11, 20
QUICK_ROUNDS = 5
PACED_DELIVERIES, BURST_DELIVERIES = 30_000, 200_000  # in one round; together over a second of CPU each
MUST = {"paced": 0.7, "together": 0.7, "burst": 0.4}  # of Node's
AIM = {"paced": 0.5, "together": 0.5, "burst": 0.3}
AIM_OF_BARE = 1.3
EMPTY_TURNS = {"paced": 500, "together": 100, "burst": 100}
TOLD = {
    "live_session_id": 17,
    "epoch": "b2f1c09a55d1",
    "events": [{"seq": 4711, "at": "2026-11-23T10:00:00.123456Z", "type": "chat_posted", "actor_id": 42,
                "client_id": "0b0e7c9e-7c44-4a4c-9d5c-6a0a57e2b3f1", "payload": {"body": "Is it on the exam?"}}],
}  # fmt: skip
PAYLOAD = json.dumps(TOLD, separators=(",", ":"))
FRAME_BYTES = len(framed(f'42/live,["timeline",{PAYLOAD}]'))


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per delivery in one round; of them what the pacing clock needed."""

    whole: float
    clock: float

    @property
    def told(self) -> float:
        return self.whole - self.clock


Spent = dict[str, dict[str, list[Cost]]]  # by shape, then server


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
            is_missed |= not shown(which, shape, by_name)
    return int(is_missed)


def shown(which: str, shape: str, by_name: dict[str, list[Cost]]) -> bool:
    """Print a line; whether it is as it must be."""
    told = {name: statistics.median(cost.told for cost in costs) for name, costs in by_name.items()}
    whole = {name: statistics.median(cost.whole for cost in costs) for name, costs in by_name.items()}
    of_node, of_bare = told["ours"] / told["node"], told["ours"] / told["bare"]
    rounds = [ours.told / node.told for ours, node in zip(by_name["ours"], by_name["node"], strict=True)]
    is_met = of_node <= MUST[shape]
    aim = of_node <= AIM[shape] and (shape == "burst" or of_bare <= AIM_OF_BARE)
    us = {name: f"{told[name]:.2f} us ({spread([cost.told for cost in by_name[name]])})" for name in NAMES}
    verdict = f"must {MUST[shape]} {'met' if is_met else 'missed'}, aim {AIM[shape]} {'met' if aim else 'missed'}"
    print(
        f"  {which}, {shape}: {us['ours']}, {of_node:.2f} of Node's {us['node']}, {of_bare:.2f} of a bare loop's "
        f"{us['bare']}: {verdict}\n"
        f"    of Node's round by round {spread(rounds)}; with the clock {whole['ours'] / whole['node']:.2f} "
        f"({whole['ours']:.2f} and {whole['node']:.2f} us)",
        flush=True,
    )
    return is_met


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


async def measured(rooms: int, size: int, *, rounds: int) -> Spent:
    """All three servers with so many rooms of `size`, in turns."""
    peers, sinks = [Peer(name, PAYLOAD, size) for name in NAMES], [Sink() for _ in NAMES]
    together = ("burst", BURST_DELIVERIES) if rooms == 1 else ("together", PACED_DELIVERIES)
    costs: dict[str, dict[str, list[Cost]]] = defaultdict(lambda: defaultdict(list))
    try:
        for peer, sink in zip(peers, sinks, strict=True):
            await peer.start()
            await sink.fill(peer.port, rooms * size)
        for number in range(rounds + 1):
            for shape, deliveries in (("paced", PACED_DELIVERIES), together):
                for peer, sink in zip(peers, sinks, strict=True):
                    cost = await one(peer, sink, shape, rooms, deliveries)
                    if number:
                        costs[shape][peer.name].append(cost)
    finally:
        for sink in sinks:
            sink.close()
        for peer in peers:
            await peer.stop()
    return {shape: dict(by_name) for shape, by_name in costs.items()}


async def one(peer: Peer, sink: Sink, shape: str, rooms: int, deliveries: int) -> Cost:
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
    return Cost(*(seconds / (burst * size) * 1e6 for seconds in (spent / times, empty)))


async def empty_turn(peer: Peer, times: int, gap: float) -> float:
    """Seconds of server CPU for a turn in which nothing is told: the pacing clock's own."""
    before = peer.cpu_seconds()
    await peer.order(times=times, burst=0, gap=gap, rooms=1)
    return (peer.cpu_seconds() - before) / times


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
