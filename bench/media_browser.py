"""What a browser sees of the media worker: the first frame, pictures through loss, a publisher's rate, a narrow link.

    python -m bench.media_browser [--parts first,loss,rate,narrow] [--joins 20] [--seconds 30]

A real media worker and a real, headless Chromium on loopback; one page publishes and subscribes, this process is its
signaling server. The first frame counts from asking for the subscribing connection. A bare 5 ms ticker runs beside
each part: what it suffers is the machine. Chromium wants processor time, so figures count from a quiet machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from bench._ticker import tick
from signaling.media.client import MediaClient
from signaling.media.publisher import RATE_CAP
from tests.signaling.media.conftest import Told, start_worker
from tests.signaling.media.lab import open_lab

ROOM, ANA, BO = 1, 1, 2
WIDE = 640
LOSSES = {0.03: (18, 1.0, 4.0, 19.5, 0.3, 2.0), 0.10: (12, 2.0, 12.0, 17, 1.0, 6.0)}  # must, then aim
NARROW_BITS = 300_000


class Figures:
    """What was measured, each beside its limit."""

    def __init__(self) -> None:
        self.is_missed = False

    def most(self, name: str, value: float, unit: str, must: float, aim: float | None = None) -> None:
        """One that must not be more."""
        self._line(name, value, unit, must, aim, value <= must)

    def least(self, name: str, value: float, unit: str, must: float, aim: float | None = None) -> None:
        """One that must not be less."""
        self._line(name, value, unit, must, aim, value >= must)

    def _line(self, name: str, value: float, unit: str, must: float, aim: float | None, is_met: bool) -> None:
        self.is_missed |= not is_met
        wish = "" if aim is None else f", aim: {aim:g}"
        print(f"{name:<44} {value:7.2f} {unit:<5} (must: {must:g}{wish}){'' if is_met else '  MISSED'}", flush=True)


Part = Callable[[MediaClient, Figures, argparse.Namespace], Awaitable[None]]


async def first_frame(client: MediaClient, figures: Figures, options: argparse.Namespace) -> None:
    """Subscribers come and go; each one's first picture."""
    async with open_lab(client, ROOM) as lab:
        await lab.publish("ana", ANA, WIDE, 360)
        took = []
        for number in range(options.joins + 1):
            name, began = f"bo{number}", await lab.time()
            await lab.subscribe(name, BO + number)
            took.append(await lab.wait_for_frames(name, "1", 1, width=WIDE, since=began) - began)
            await lab.page.evaluate("(n) => subscribers[n].pc.close()", name)
            client.close_peer(ROOM, name, "left")
    p95 = statistics.quantiles(took[1:], n=20)[18]  # the first one loads the browser's decoder
    figures.most(f"first frame after joining, p95 of {options.joins}", p95, "s", 1.0, 0.5)
    print(f"{'  median, longest':<44} {statistics.median(took[1:]):7.2f} s     {max(took[1:]):.2f} s")


async def loss(client: MediaClient, figures: Figures, options: argparse.Namespace) -> None:
    """Packets of media and feedback are lost at random, each way."""
    async with open_lab(client, ROOM) as lab:
        await lab.publish("ana", ANA, WIDE, 360)
        await lab.subscribe("bo", BO)
        await lab.wait_for_frames("bo", "1", 60, width=WIDE)
        for share, (rate, freeze, concealed, rate_aim, freeze_aim, concealed_aim) in LOSSES.items():
            await client.test_loss(share, share)
            counted = (await client.stats())["counters"]
            before, sent = await lab.measure("bo"), await lab.measure("ana")
            await asyncio.sleep(options.seconds)  # what is measured is time itself
            after, sent_after = await lab.measure("bo"), await lab.measure("ana")
            await client.test_loss(0, 0)
            seconds = after["at"] - before["at"]
            shown = [f["at"] for f in await lab.frames("bo", "1") if before["at"] - 1 < f["at"] < after["at"]]
            gap = max(b - a for a, b in pairwise([*shown, after["at"]]))
            sound = {
                key: after["in"]["0"][key] - before["in"]["0"][key]
                for key in ("concealedSamples", "totalSamplesReceived")
            }
            decoded = after["in"]["1"]["framesDecoded"] - before["in"]["1"]["framesDecoded"]
            made = video(sent_after)["framesSent"] - video(sent)["framesSent"]
            name = f"{share:.0%} lost each way"
            figures.least(f"{name}: decoded of 20 fps", decoded / seconds, "fps", rate, rate_aim)
            print(f"{'  sent by the browser':<44} {made / (sent_after['at'] - sent['at']):7.2f} fps")
            figures.most(f"{name}: longest without a frame", gap, "s", freeze, freeze_aim)
            made_up = 100 * sound["concealedSamples"] / sound["totalSamplesReceived"]
            figures.most(f"{name}: sound concealed", made_up, "%", concealed, concealed_aim)
            now = (await client.stats())["counters"]
            names = ("nacks_in", "nacks_missed", "nacks_out", "keyframes_asked", "budgets_cut", "probes")
            print("  " + ", ".join(f"{key} {now[key] - counted[key]}" for key in names))
            await asyncio.sleep(3)


async def rate(client: MediaClient, figures: Figures, options: argparse.Namespace) -> None:
    """A picture that no encoder gets small, on a clean link."""
    cap = RATE_CAP["camera"]
    async with open_lab(client, ROOM) as lab:
        await lab.publish_noise("ana", ANA, cap)
        shares, before = [], await lab.measure("ana")
        for _ in range(10):
            await lab.page.wait_for_timeout(1_000)
            after = await lab.measure("ana")
            sent = sum(video(after)[key] - video(before)[key] for key in ("bytesSent", "headerBytesSent"))
            shares.append(100 * sent * 8 / (after["at"] - before["at"]) / cap)
            before = after
        limit = video(after)["qualityLimitationReason"]
    figures.least("share of a camera's cap within 10 s", max(shares), "%", 90)
    print(f"{'  within 5 s':<44} {max(shares[:5]):7.2f} %     (aim: 95)")
    print(f"  by second: {' '.join(f'{share:.0f}' for share in shares)} %; limited by: {limit}")


async def narrow(client: MediaClient, figures: Figures, options: argparse.Namespace) -> None:
    """A subscriber's link carries 300 kbit/s for a while, with a queue of half a second, as routers have."""
    async with open_lab(client, ROOM) as lab:
        await lab.publish_layers("ana", ANA, is_noisy=True)
        await lab.subscribe("bo", BO)
        await lab.wait_for_frames("bo", "1", 60, width=WIDE)
        await client.test_narrow(ROOM, "bo", NARROW_BITS)
        squeezed = await lab.time()
        await asyncio.sleep(2)
        before = (await lab.measure("bo"))["in"]["0"]
        overflowed = (await client.stats())["counters"]["test_lost"]
        await asyncio.sleep(8)
        after, released = (await lab.measure("bo"))["in"]["0"], await lab.time()
        overflowed = (await client.stats())["counters"]["test_lost"] - overflowed
        frames = [f for f in await lab.frames("bo", "1") if f["at"] > squeezed + 1]
        await client.test_narrow(ROOM, "bo", None)
        back = await lab.wait_for_frames("bo", "1", 1, width=WIDE, since=released) - released
    grown = {key: after[key] - before[key] for key in ("concealedSamples", "totalSamplesReceived")}
    made_up = 100 * grown["concealedSamples"] / grown["totalSamplesReceived"]
    figures.most("300 kbit/s: sound concealed after 2 s", made_up, "%", 4, 2)
    figures.most("300 kbit/s: frames of the large picture", sum(f["width"] == WIDE for f in frames), "", 0)
    print(f"{'  frames of the small one in 9 s':<44} {sum(f['width'] < WIDE for f in frames):7d}")
    print(f"{'  datagrams lost to a queue over 500 ms':<44} {overflowed:7d}       (aim: 0)")
    figures.most("large picture back after the release", back, "s", 5)


def video(measured: dict[str, Any]) -> dict[str, Any]:
    """What the one video sender says."""
    return next(dict(out) for out in measured["out"].values() if out["kind"] == "video")


PARTS: dict[str, Part] = {"first": first_frame, "loss": loss, "rate": rate, "narrow": narrow}


async def run(options: argparse.Namespace) -> bool:
    """Each part with a worker of its own; whether all that must be was met."""
    figures = Figures()
    for name in options.parts.split(","):
        with tempfile.TemporaryDirectory() as folder:
            worker = start_worker(f"unix:{folder}/media.sock", "--allow-test-loss")
            client = MediaClient(worker.control, Told())
            await client.start()
            assert await client.wait_ready()
            client.permit(ROOM, {ANA: {"microphone", "camera"}}, [ANA])
            late: list[float] = []
            ticker = asyncio.create_task(tick(late))
            try:
                await PARTS[name](client, figures, options)
            finally:
                ticker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ticker
                await client.close()
                worker.stop()
            cuts = statistics.quantiles(late, n=100)
            print(
                f"{'  a bare 5 ms ticker beside it':<44} p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms late"
            )
    return not figures.is_missed


def main() -> int:
    """Print the figures; 1 when one that must be met was not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--joins", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    return 0 if asyncio.run(run(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
