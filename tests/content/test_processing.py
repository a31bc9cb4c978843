"""Jobs: leased, retried, taken over; and what the uploader hears while a lesson is made."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.content.disk import Disk
from server.content.process import Processing
from server.content.service import CONVERT, PROCESS
from server.content.storage import LocalStorage
from server.content.sweep import Sweep
from server.content.tables import Content
from server.db.database import Database
from server.events import ContentFailed, ContentProgressed, ContentReady
from server.jobs import queue
from server.jobs.queue import Claimed
from server.jobs.runner import Refusal, Runner
from server.jobs.tables import Job
from tests.content import samples
from tests.content.forms import eventually, files_under
from tests.factories import World
from tests.fakes import HeardFacts

Sample = Callable[[str], Path]
ROOT = Path(__file__).resolve().parents[2]


class Noted:
    """A handler that writes down what it is given, and does what it was told to do."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.tries: list[int] = []
        self.given_up: list[Any] = []
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_end.set()

    async def work(self, job: Claimed) -> None:
        self.tries.append(job.attempts)
        self.began.set()
        await self.may_end.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome

    async def give_up(self, job: Claimed, code: str, detail: str) -> None:
        self.given_up.append(code)


@pytest.fixture(autouse=True)
def no_waiting_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second try comes at once."""
    monkeypatch.setattr(queue, "BACK_OFF", (timedelta(0),))
    monkeypatch.setattr("server.jobs.runner.LOOK_SECONDS", 0.05)


async def _queued(database: Database, kind: str = "noted") -> None:
    async with database.work("test") as work:
        await queue.enqueue(work, kind, 1)


async def _states(database: Database) -> list[str]:
    async with database.read() as read:
        return list(await read.scalars(select(Job.state).order_by(Job.id)))


async def _until(database: Database, *states: str) -> None:
    async with asyncio.timeout(20):
        while await _states(database) != list(states):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("outcomes", "tries", "state", "given_up"),
    [
        ([], [1], "done", []),
        ([OSError("away")], [1, 2], "done", []),
        ([OSError(), OSError(), OSError()], [1, 2, 3], "failed", ["internal"]),
        ([Refusal("unreadable", "x")], [1], "failed", ["unreadable"]),
    ],
)
async def test_a_job_is_tried_three_times_unless_another_try_cannot_help(
    outcomes: list[Exception], tries: list[int], state: str, given_up: list[str], database: Database
) -> None:
    handler = Noted(*outcomes)
    runner = Runner(database, {"noted": handler}, owns_database=True)
    await _queued(database)
    await runner.start()
    await _until(database, state)
    await runner.close()
    assert (handler.tries, handler.given_up) == (tries, given_up)


async def test_two_runners_never_do_one_job_twice(database: Database) -> None:
    first, second = Noted(), Noted()
    runners = [Runner(database, {"noted": handler}, owns_database=False) for handler in (first, second)]
    for _ in range(10):
        await _queued(database)
    await asyncio.gather(*(runner.start() for runner in runners))
    await _until(database, *["done"] * 10)
    for runner in runners:
        await runner.close()
    assert len(first.tries) + len(second.tries) == 10


async def test_a_lapsed_lease_is_taken_over_and_the_late_holder_changes_nothing(database: Database) -> None:
    await _queued(database)
    held = await queue.claim(database, "noted")
    assert held is not None
    assert await queue.claim(database, "noted") is None
    async with database.work("a long silence") as work:
        await work.execute(update(Job).values(lease_until=work.now - timedelta(seconds=1)))
    taken = await queue.claim(database, "noted")
    assert taken is not None
    assert taken.attempts == 2
    async with database.work("late") as work:
        assert not await queue.finish(work, held)
        assert await queue.finish(work, taken)


async def test_an_embedded_start_takes_its_predecessors_jobs_at_once_and_does_not_count_that_try(
    database: Database,
) -> None:
    await _queued(database)
    assert await queue.claim(database, "noted") is not None  # and then it was killed
    handler = Noted()
    runner = Runner(database, {"noted": handler}, owns_database=True)
    await runner.start()
    await _until(database, "done")
    await runner.close()
    assert handler.tries == [1]


async def test_closing_gives_work_back_uncounted(database: Database) -> None:
    handler = Noted()
    handler.may_end.clear()
    runner = Runner(database, {"noted": handler}, owns_database=True)
    await _queued(database)
    await runner.start()
    await handler.began.wait()
    await runner.close()
    await runner.close()
    async with database.read() as read:
        job = await read.get(Job, 1)
    assert job is not None
    assert (job.state, job.attempts) == ("waiting", 0)


@pytest.fixture
async def storage(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path / "uploads")
    made.prepare()
    return made


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    made = Disk()
    yield made
    made.close()


async def _lesson(world: World, storage: LocalStorage, file: Path) -> Content:
    course = await world.course("ana", ["bo"])
    part = storage.new_part()
    part.write_bytes(file.read_bytes())
    key = f"videos/aa/aabb/original{file.suffix}"
    storage.adopt(key, part)
    return await world.content(course, upload_status="processing", original_key=key)


async def test_the_uploader_hears_stages_that_never_go_back(
    database: Database, world: World, facts: HeardFacts, storage: LocalStorage, disk: Disk, tmp_path: Path
) -> None:
    row = await _lesson(world, storage, samples.make(tmp_path, "avi", seconds=20.0, size=(640, 480)))
    processing = Processing(database, storage, disk)
    runner = Runner(database, {PROCESS: processing, CONVERT: processing}, owns_database=True)
    async with database.work("queue") as work:
        await queue.enqueue(work, PROCESS, row.id)
    await runner.start()
    async with asyncio.timeout(120):
        while not facts.of(ContentReady):
            await asyncio.sleep(0.05)
    await runner.close()
    told, ready = facts.of(ContentProgressed), facts.of(ContentReady)
    assert {fact.user_id for fact in told} == {world.id_of("ana")}
    assert [fact.percent for fact in told] == sorted(fact.percent for fact in told)
    revisions = [fact.revision for fact in told] + [ready[0].revision]
    assert revisions == sorted(set(revisions))
    assert "converting" in {fact.stage for fact in told}
    assert all(0 <= fact.percent < 100 for fact in told)


async def test_the_sweep_repairs_what_a_crash_left(
    database: Database, world: World, facts: HeardFacts, storage: LocalStorage, disk: Disk, sample: Sample
) -> None:
    kept = await _lesson(world, storage, sample("mp3"))
    lost = await world.content(
        await world.course("ana"), upload_status="processing", original_key="videos/cc/ccdd/original.mp4"
    )
    storage.new_part().write_bytes(b"half")
    (storage.scratch_of("content-9") / "x").write_bytes(b"half")
    orphan = storage.new_part()
    orphan.write_bytes(b"nobody's")
    storage.adopt("videos/ee/eeff/original.mp4", orphan)
    sweep = Sweep(database, storage, disk, owns_files=True)
    await sweep()
    await sweep()  # harmless
    assert files_under(storage.root) == ["videos/aa/aabb/original.mp3"]
    async with database.read() as read:
        jobs = list(await read.scalars(select(Job)))
        failed = await read.get(Content, lost.id)
    assert [(job.kind, job.subject_id) for job in jobs] == [(PROCESS, kept.id)]
    assert failed is not None
    assert (failed.upload_status, failed.error_code) == ("failed", "lost")
    assert [fact.content_id for fact in facts.of(ContentFailed)] == [lost.id]


async def test_a_sweep_beside_running_uploads_touches_only_what_is_old(
    database: Database, storage: LocalStorage, disk: Disk
) -> None:
    part = storage.new_part()
    part.write_bytes(b"arriving now")
    await Sweep(database, storage, disk, owns_files=False)()
    assert part.exists()
    await eventually(part.exists)


def test_the_server_never_loads_a_media_library() -> None:
    script = "import sys, server.app; print([m for m in ('av', 'PIL', 'aiortc') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
