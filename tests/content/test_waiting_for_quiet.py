"""Converting a film takes minutes of processor time; a class on the same machine comes first, for a while."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import delete, select, update

from server.content import child, process
from server.content.disk import Disk
from server.content.process import Processing
from server.content.service import CONVERT, PROCESS
from server.content.storage import LocalStorage
from server.content.tables import Content
from server.db.database import Database
from server.errors import DatabaseAway
from server.events import ContentProgressed, ContentReady
from server.jobs import queue
from server.jobs.runner import Runner
from server.jobs.tables import Job
from server.live_sessions.tables import ProcessLease, RoomConnection
from tests.content import samples
from tests.factories import World
from tests.fakes import HeardFacts
from tests.processes import children_of, command_of

Sample = Callable[[str], Path]
Begun = Callable[[Path], Awaitable[Content]]
PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOOK_AGAIN", timedelta(milliseconds=50))
    monkeypatch.setattr("server.jobs.runner.LOOK_SECONDS", 0.05)


@pytest.fixture
async def lesson(world: World, tmp_path: Path) -> AsyncIterator[Begun]:
    """`await lesson(file)` is a lesson of Ana's whose processing is queued, with a runner at work."""
    storage, disk = LocalStorage(tmp_path / "uploads"), Disk()
    storage.prepare()
    processing = Processing(world.database, storage, disk)
    runner = Runner(world.database, {PROCESS: processing, CONVERT: processing}, owns_database=True)

    async def begun(file: Path) -> Content:
        part = storage.new_part()
        part.write_bytes(file.read_bytes())
        key = f"videos/aa/{part.stem}/original{file.suffix}"
        storage.adopt(key, part)
        row = await world.content(await world.course("ana"), upload_status="processing", original_key=key)
        async with world.database.work("queue") as work:
            await queue.enqueue(work, PROCESS, row.id)
        return row

    await runner.start()
    yield begun
    await runner.close()
    disk.close()


async def a_class(world: World) -> None:
    """Bo is in Ana's live room."""
    room = await world.live_session("ana", ["bo"])
    async with world.database.work("in the room") as work:
        lease = ProcessLease(kind="web", started_at=work.now, renewed_at=work.now, counts_version=0)
        work.add(lease)
        await work.flush()
        bo = world.id_of("bo")
        work.add(
            RoomConnection(
                connection_id="tab", live_session_id=room.id, user_id=bo, lease_id=lease.id, joined_at=work.now
            )
        )


async def ready(facts: HeardFacts, row: Content) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while row.id not in {fact.content_id for fact in facts.of(ContentReady)}:
            await asyncio.sleep(0.02)


async def held_back(database: Database, row: Content) -> Job:
    """The waiting conversion, once the row says `waiting` and it has been asked for at least once."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with database.read() as read:
                shown = await read.get(Content, row.id)
                job: Job | None = await read.scalar(select(Job).where(Job.kind == CONVERT, Job.subject_id == row.id))
            if job is not None and shown is not None and job.state == "waiting" and job.run_at > job.created_at:
                assert (shown.upload_status, shown.processing_stage) == ("processing", "waiting")
                return job
            await asyncio.sleep(0.02)


async def until_worker(state: str) -> None:
    """Until the one worker process stands still (`T`), or does not (`RSD`), by the kernel's word."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for pid in children_of(os.getpid()):
                if "server.content.worker" in command_of(pid):
                    with contextlib.suppress(OSError):
                        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in state:
                            return
            await asyncio.sleep(0.02)


async def until_told(facts: HeardFacts, row: Content, stage: str) -> None:
    """Until the last that was told of this lesson is that stage."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            told = [fact.stage for fact in facts.of(ContentProgressed) if fact.content_id == row.id]
            if told and told[-1] == stage:
                return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes some seconds to convert."""
    return samples.make(tmp_path_factory.mktemp("film"), "avi", seconds=20.0, size=(640, 480))


async def test_time_in_which_it_stands_still_is_not_counted() -> None:
    signals: list[int] = []
    process = SimpleNamespace(send_signal=signals.append)

    async def held() -> AsyncIterator[bool]:
        yield True
        await asyncio.sleep(0.2)
        yield True
        await asyncio.sleep(0.2)
        yield False

    async with asyncio.timeout(PATIENCE_SECONDS) as wall:
        before = wall.when()
        await child._hold(process, held(), wall)  # type: ignore[arg-type]
        after = wall.when()
    assert before is not None and after is not None
    assert after - before >= 0.39
    assert signals[:2] == [signal.SIGSTOP, signal.SIGCONT]


async def test_a_conversion_under_way_stands_still_while_a_class_is_on(
    database: Database, world: World, facts: HeardFacts, lesson: Begun, film: Path
) -> None:
    row = await lesson(film)
    await until_told(facts, row, "converting")
    await a_class(world)
    await until_worker("T")
    await until_told(facts, row, "waiting")
    async with database.work("everybody leaves") as work:
        await work.execute(delete(RoomConnection))
    await ready(facts, row)
    async with database.read() as read:
        job = await read.scalar(select(Job).where(Job.kind == CONVERT, Job.subject_id == row.id))
    assert job is not None
    assert job.attempts == 1
    percents = [fact.percent for fact in facts.of(ContentProgressed) if fact.content_id == row.id]
    assert percents == sorted(percents)


async def test_a_conversion_stands_still_only_so_long(
    world: World, facts: HeardFacts, lesson: Begun, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await lesson(film)
    await until_told(facts, row, "converting")
    await a_class(world)
    await until_worker("T")
    away = AsyncMock(side_effect=DatabaseAway)
    monkeypatch.setattr(process, "is_a_class_on", away)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while away.await_count < 3:
            await asyncio.sleep(0.02)
    await until_worker("T")  # what is not known changes nothing
    monkeypatch.setattr(process, "LONGEST_WAIT", timedelta(0))
    await ready(facts, row)


async def test_a_film_is_converted_when_the_class_is_over(
    database: Database, world: World, facts: HeardFacts, sample: Sample, lesson: Begun
) -> None:
    await a_class(world)
    row = await lesson(sample("avi"))
    assert (await held_back(database, row)).attempts == 0
    playable = await lesson(sample("mp4"))
    await ready(facts, playable)  # what needs no conversion waits for nothing
    told = [fact.stage for fact in facts.of(ContentProgressed) if fact.content_id == row.id]
    assert told.count("waiting") == 1
    assert "converting" not in told
    async with database.work("everybody leaves") as work:
        await work.execute(delete(RoomConnection))
    await ready(facts, row)
    percents = [fact.percent for fact in facts.of(ContentProgressed) if fact.content_id == row.id]
    assert percents == sorted(percents)


async def test_a_class_that_never_ends_does_not_starve_a_lesson(
    database: Database, world: World, facts: HeardFacts, sample: Sample, lesson: Begun
) -> None:
    await a_class(world)
    row = await lesson(sample("avi"))
    job = await held_back(database, row)
    async with database.work("a long class") as work:
        long_ago = work.now - process.LONGEST_WAIT
        await work.execute(update(Job).where(Job.id == job.id).values(created_at=long_ago))
    await ready(facts, row)
