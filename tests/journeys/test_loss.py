"""Packets are lost at random on the way in and on the way out, media and feedback alike: the class goes on.

What may be missing grows with the loss. A busy machine's camera may give fewer than its twenty frames a second; what
counts is the share of them that is seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from signaling.media.client import MediaClient
from tests.journeys.classroom import Classroom
from tests.program import Program

CAMERA_RATE = 20  # frames a second of the browser's fake camera


@dataclass(frozen=True)
class Bearable:
    """At this share lost each way: frames a second seen, the longest gap between two, the share of sound made up."""

    loss: float
    frames: float
    gap_seconds: float
    concealed: float


ONE = Bearable(0.01, frames=19, gap_seconds=1.0, concealed=0.03)
THREE = Bearable(0.03, frames=18, gap_seconds=1.0, concealed=0.04)
TEN = Bearable(0.10, frames=12, gap_seconds=2.0, concealed=0.12)
SHORT_SECONDS, LONG_SECONDS = 12, 60
UNDER_WAY = 10  # frames: half a second of them may still wait to be shown when a short look ends, on a busy machine
ENVIRONMENT = {"LECTERN_MEDIA_TEST_LOSS": "1"}


@pytest.fixture
def environment() -> dict[str, str]:
    return ENVIRONMENT


class Bystander:
    """A second client of the media worker, which has no rooms and so hears nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *told: None


@asynccontextmanager
async def losing(program: Program, share: float) -> AsyncIterator[None]:
    """That share of media packets is lost in the worker, each way."""
    client = MediaClient(f"unix:{program.folder}/var/media.sock", Bystander())
    await client.start()
    try:
        assert await client.wait_ready()
        await client.test_loss(share, share)
        yield
        await client.test_loss(0, 0)
    finally:
        await client.close()


async def in_class(classroom: Classroom) -> None:
    """Bo and Cleo see and hear Ana."""
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    for person in ("bo", "cleo"):
        await classroom.receives(person)


async def watch_through_loss(classroom: Classroom, bearable: Bearable, seconds: float, *, under_way: int = 0) -> None:
    """Ana's picture at both students for that long; of the frames seen that many may be missing at the end."""
    students = (classroom.bo, classroom.cleo)
    async with losing(classroom.program, bearable.loss):
        sent = (await classroom.ana.measure())["sent"]
        before = [await tab.measure() for tab in students]
        for tab in students:
            await tab.page.evaluate("__journey.watchFrames()")
        await asyncio.sleep(seconds)  # what is measured is time itself
        after = [await tab.measure() for tab in students]
        sent = (await classroom.ana.measure())["sent"] - sent
    for tab, first, last in zip(students, before, after, strict=True):
        [mid] = [m for m, v in last["video"].items() if v["frames"]]
        frames = last["video"][mid]["frames"] - first["video"][mid]["frames"]
        rate = (frames + under_way) / ((last["at"] - first["at"]) / 1000)
        gap = await tab.page.evaluate("__journey.longestGap()") / 1000
        freezes = last["video"][mid]["freezes"] - first["video"][mid]["freezes"]
        heard = {name: most(last, name) - most(first, name) for name in ("concealed", "samples")}
        concealed = heard["concealed"] / max(1, heard["samples"])
        print(
            f"{tab.person}: {frames / seconds:.2f} of {CAMERA_RATE} frames/s ({sent / seconds:.2f} sent), "
            f"longest gap {gap:.2f} s, {freezes} freezes, {concealed:.2%} of the sound concealed"
        )
        assert gap <= bearable.gap_seconds
        assert rate >= bearable.frames * min(1.0, sent / seconds / CAMERA_RATE)
        assert concealed <= bearable.concealed


def most(measured: dict[str, Any], name: str) -> int:
    """Of the one line that carries sound."""
    return max(int(line[name]) for line in measured["audio"].values())


async def test_a_short_while_of_loss_is_borne(classroom: Classroom) -> None:
    await in_class(classroom)
    for bearable in (ONE, THREE):
        await watch_through_loss(classroom, bearable, SHORT_SECONDS, under_way=UNDER_WAY)


@pytest.mark.prove
@pytest.mark.timeout(240)
@pytest.mark.parametrize("bearable", [ONE, THREE, TEN], ids=["1 %", "3 %", "10 %"])
async def test_a_minute_of_loss_is_borne(classroom: Classroom, bearable: Bearable) -> None:
    await in_class(classroom)
    await watch_through_loss(classroom, bearable, LONG_SECONDS)
