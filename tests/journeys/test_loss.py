"""One packet in a hundred lost on the way in and on the way out: the class goes on as if nothing were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signaling.media.client import MediaClient
from tests.journeys.classroom import Classroom
from tests.program import Program

LOSS = 0.01
CAMERA_RATE = 20  # frames a second of the browser's fake camera
LEAST_RATE = 19
LONGEST_FREEZE_SECONDS = 1.0
SHORT_SECONDS, LONG_SECONDS = 12, 60
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


async def watch_through_loss(classroom: Classroom, seconds: float) -> None:
    """Ana's picture at both students for that long."""
    await classroom.sign_in("ana", "bo", "cleo")
    await classroom.go_live()
    await classroom.in_room("ana")
    await classroom.join("bo", "cleo")
    for person in ("bo", "cleo"):
        await classroom.receives(person)
    students = (classroom.bo, classroom.cleo)
    async with losing(classroom.program, LOSS):
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
        rate = frames / ((last["at"] - first["at"]) / 1000)
        gap = await tab.page.evaluate("__journey.longestGap()") / 1000
        freezes = last["video"][mid]["freezes"] - first["video"][mid]["freezes"]
        heard = {name: max(line[name] for line in last["audio"].values()) for name in ("concealed", "samples")}
        concealed = heard["concealed"] / max(1, heard["samples"])
        print(
            f"{tab.person}: {rate:.2f} of {CAMERA_RATE} frames/s ({sent / seconds:.2f} sent), "
            f"longest gap {gap:.2f} s, {freezes} freezes, {concealed:.2%} of the sound concealed"
        )
        assert gap <= LONGEST_FREEZE_SECONDS
        # A busy machine's camera may give fewer than twenty; what counts is that no more than one in twenty is missing.
        assert rate >= LEAST_RATE * min(1.0, sent / seconds / CAMERA_RATE)


async def test_a_short_while_of_loss_is_not_seen(classroom: Classroom) -> None:
    await watch_through_loss(classroom, SHORT_SECONDS)


@pytest.mark.prove
@pytest.mark.timeout(240)
async def test_a_minute_of_loss_is_not_seen(classroom: Classroom) -> None:
    await watch_through_loss(classroom, LONG_SECONDS)
