"""kill -9 of the worker and of the server at every stage: the lesson ends ready, and nothing else is left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from server.content import child
from server.content.disk import Disk
from server.content.process import Processing
from server.content.seeking import SeekSheets
from server.content.service import CONVERT, PROCESS, SEEK_SHEET
from server.content.storage import LocalStorage
from server.content.sweep import Sweep
from server.content.tables import Content
from server.db.database import Database
from server.events import ContentFailed, ContentProgressed, ContentReady
from server.jobs import queue
from server.jobs.runner import Handler, Runner
from server.jobs.tables import Job
from server.ports import SilentPublisher
from tests.api import Api
from tests.conftest import SECRET
from tests.content import samples
from tests.content.forms import eventually, files_under, until_settled, until_shown, upload
from tests.factories import World
from tests.fakes import HeardFacts
from tests.processes import children_of, command_of
from tests.program import Program

WORKER = "server.content.worker"
PATIENCE_SECONDS = 60


def workers_of(pid: int) -> list[int]:
    return [found for found in children_of(pid) if WORKER in command_of(found)]


@pytest.fixture(autouse=True)
def no_waiting_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BACK_OFF", (timedelta(0),))
    monkeypatch.setattr("server.jobs.runner.LOOK_SECONDS", 0.05)


class Killer:
    """Kills the worker the first `times` that it says it is at `stage`; "checking" is as soon as it runs."""

    def __init__(self, stage: str, times: int) -> None:
        self.stage, self.left = stage, times
        self._run = child.run

    async def run(
        self,
        cage: child.Cage,
        order: dict[str, Any],
        told: Callable[[str, float], None] | None = None,
        held: AsyncIterator[bool] | None = None,
    ) -> dict[str, Any]:
        def heard(stage: str, percent: float) -> None:
            if stage == self.stage:
                self._kill()
            if told is not None:
                told(stage, percent)

        running = asyncio.create_task(self._run(cage, order, heard, held))
        if self.stage == "checking" or (self.stage == "sheet" and order["command"] == "sheet"):
            while not workers_of(os.getpid()) and not running.done():
                await asyncio.sleep(0.002)
            self._kill()
        return await running

    def _kill(self) -> None:
        for pid in workers_of(os.getpid()) if self.left > 0 else ():
            self.left -= 1
            os.kill(pid, signal.SIGKILL)


class Library:
    """Ana's lesson with its runner, and what is on disk."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.database = world, world.database
        self.storage, self.disk = LocalStorage(folder / "uploads"), Disk()
        self.storage.prepare()
        processing = Processing(self.database, self.storage, self.disk)
        sheets = SeekSheets(self.database, self.storage, self.disk)
        handlers: dict[str, Handler] = {PROCESS: processing, CONVERT: processing, SEEK_SHEET: sheets}
        self.runner = Runner(self.database, handlers, owns_database=True, closers=[self.disk.close])

    async def take(self, file: Path) -> Content:
        part = self.storage.new_part()
        part.write_bytes(file.read_bytes())
        key = "videos/aa/aabb/original"
        self.storage.adopt(key, part)
        row = await self.world.content(await self.world.course("ana"), upload_status="processing", original_key=key)
        async with self.database.work("queue") as work:
            await queue.enqueue(work, PROCESS, row.id)
        await self.runner.start()
        return row

    async def until_idle(self) -> list[str]:
        """The states of all jobs, once none is left to do."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with self.database.read() as read:
                    states = list(await read.scalars(select(Job.state).order_by(Job.id)))
                if not {"waiting", "running"} & set(states):
                    return states
                await asyncio.sleep(0.02)


@pytest.fixture
async def library(world: World, tmp_path: Path) -> AsyncIterator[Library]:
    made = Library(world, tmp_path)
    yield made
    await made.runner.close()


@pytest.mark.parametrize(
    ("stage", "kind"),
    [("checking", "mp4"), ("packaging", "mp4"), ("thumbnail", "mp4"), ("converting", "avi"), ("sheet", "mp4")],
)
async def test_a_worker_killed_at_any_stage_is_followed_by_another(
    stage: str, kind: str, library: Library, facts: HeardFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer(stage, times=1)
    monkeypatch.setattr(child, "run", killer.run)
    row = await library.take(samples.make(tmp_path, kind, seconds=12.0))
    states = await library.until_idle()
    assert killer.left == 0, "the worker was never at that stage"
    assert set(states) == {"done"}
    assert [fact.content_id for fact in facts.of(ContentReady)] == [row.id]
    assert facts.of(ContentFailed) == []
    percents = [fact.percent for fact in facts.of(ContentProgressed)]
    assert percents == sorted(percents)
    kept = [name.split("/")[-1].split("-")[0] for name in files_under(library.storage.root)]
    assert kept == ["original", "seek", "thumbnail", "video"]


async def test_a_worker_that_always_dies_fails_the_lesson_and_a_retry_needs_no_second_upload(
    library: Library, facts: HeardFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer("checking", times=queue.MOST_ATTEMPTS)
    monkeypatch.setattr(child, "run", killer.run)
    row = await library.take(samples.make(tmp_path, "mp4"))
    assert await library.until_idle() == ["failed"]
    assert [fact.code for fact in facts.of(ContentFailed)] == ["internal"]
    assert files_under(library.storage.root) == ["videos/aa/aabb/original"]
    async with library.database.work("as retry does") as work:
        fresh = await work.get(Content, row.id, for_update=True)
        assert fresh is not None
        fresh.upload_status = "processing"
        await queue.enqueue(work, PROCESS, row.id)
    assert set((await library.until_idle())[1:]) == {"done"}
    assert [fact.content_id for fact in facts.of(ContentReady)] == [row.id]


async def test_what_was_put_in_its_place_but_never_named_goes(library: Library, tmp_path: Path) -> None:
    """As a server killed between publishing and its commit leaves it."""
    await library.take(samples.make(tmp_path, "mp4"))
    await library.until_idle()
    before = files_under(library.storage.root)
    for name in ("video-0123.mp4", "seek-0123.webp"):
        (library.storage.root / "videos/aa/aabb" / name).write_bytes(b"nobody names it")
    await Sweep(library.database, library.storage, library.disk, owns_files=False)()
    assert len(files_under(library.storage.root)) == len(before) + 2  # it may be somebody's at this moment
    await Sweep(library.database, library.storage, library.disk, owns_files=True)()
    assert files_under(library.storage.root) == before


@pytest.mark.parametrize("stage", ["checking", "sheet"])  # test_crashes.py has the conversion
async def test_a_server_killed_at_a_stage_goes_on_from_the_kept_original(
    stage: str, run_program: Callable[..., Any], tmp_path: Path
) -> None:
    program: Program = await run_program("serve", SECRET_KEY=SECRET)
    path = program.folder / "var" / "lectern.db"
    database = Database.open(f"sqlite+aiosqlite:///{path}", publisher=SilentPublisher())
    world = await World.with_cast(database, SECRET)
    course = await world.course("ana", ["bo"])
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        ana = Api(session, program.url, world.token("ana"))
        film = samples.make(tmp_path, "mp4", seconds=12.0)
        content_id = (await upload(ana, film, film.name, course.id, "video")).json["content"]["id"]
        if stage == "checking":
            await eventually(lambda: workers_of(program.pid) != [])
        else:
            await until_settled(ana, content_id)
        await program.kill()
        await program.start()
        assert (await until_settled(ana, content_id))["upload_status"] == "completed"
        await until_shown(ana, content_id, lambda lesson: lesson["seek_preview"] is not None)
    await database.close()
    uploads = program.folder / "var" / "uploads"
    await eventually(lambda: [n for n in files_under(uploads) if n.startswith(("incoming/", "work/"))] == [])
    assert len(files_under(uploads)) == 4
