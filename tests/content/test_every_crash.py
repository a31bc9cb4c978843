"""kill -9 before each step that receiving takes on disk: what was acknowledged is there, the rest can be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from server.db.database import Database
from server.ports import SilentPublisher
from tests.api import Api
from tests.conftest import SECRET
from tests.content.forms import eventually, files_under, raw_form, until_settled
from tests.content.killed_at import Killed
from tests.content.tus import begun, id_in, offset_of, patch
from tests.factories import World
from tests.program import Program

RunProgram = Callable[..., Awaitable[Program]]
MOST_STEPS = 80
GONE = (aiohttp.ClientError, ConnectionError)
SOME, ALL = (2, 9, 18), range(1, MOST_STEPS)  # by 18 every kind of step was taken
STEPS = pytest.mark.parametrize(
    "steps", [SOME, pytest.param(ALL, marks=[pytest.mark.prove, pytest.mark.timeout(1200)])], ids=["some", "all"]
)


class Stage:
    """A server that can be told when to die, a course in it, and a film that is sent again and again."""

    def __init__(self, program: Program, killed: Killed, api: Api, course: int, data: bytes) -> None:
        self.program, self.killed, self.api, self.course, self.data = program, killed, api, course, data
        self.uploads = program.folder / "var" / "uploads"
        self.lessons = 0

    async def by_form(self, step: int) -> int:
        """Send it, die before `step`, send it again with the same key, told or not; the lesson's id."""
        fields = {"course_id": self.course, "type": "video", "title": "A film"}
        parts = [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
        body, headers = raw_form([*parts, ('name="file"; filename="a.mp4"', self.data)])
        headers["Idempotency-Key"] = f"step {step}"

        async def send() -> int:
            answer = await self.api.post("/courses/upload-content", data=body, headers=headers)
            assert answer.status == 201, answer.raw
            return int(answer.json["content"]["id"])

        acknowledged = 0
        try:
            acknowledged = await send()
        except GONE:
            pass
        await self._return(acknowledged)
        lesson = await send()
        assert acknowledged in (0, lesson)
        return lesson

    async def by_tus(self, step: int) -> int:
        """Send it in two requests, die before `step`, go on where the server says; the lesson's id."""
        path, acknowledged, half = "", 0, len(self.data) // 2
        try:
            path = await begun(self.api, self.course, len(self.data))
            for start, end in ((0, half), (half, len(self.data))):
                assert (await patch(self.api, path, start, self.data[start:end])).status == 204
                acknowledged = end
        except GONE:
            pass
        await self._return(id_in(path) if acknowledged == len(self.data) else 0)
        path = path or await begun(self.api, self.course, len(self.data))
        offset = await offset_of(self.api, path)
        assert offset >= acknowledged
        if offset < len(self.data):
            assert (await patch(self.api, path, offset, self.data[offset:])).status == 204
        return id_in(path)

    async def _return(self, acknowledged: int) -> None:
        """Wait for the death that was ordered, or for the end of the work if it takes fewer steps; be there again."""
        async with asyncio.timeout(60):
            while self.program.status is None and acknowledged:
                try:
                    if (await self.api.get(f"/content/{acknowledged}")).json["seek_preview"] is not None:
                        break  # the last that is made of it
                except GONE:
                    break
                await asyncio.sleep(0.05)
        self.killed.never()
        is_there = await self._answers()
        if not acknowledged or not is_there:
            await self.program.ended()
            await self.program.start()

    async def _answers(self) -> bool:
        try:
            return (await self.api.get("/courses")).status == 200
        except GONE:
            return False

    async def assert_whole(self, lesson: int) -> None:
        """That lesson can be watched; every one has exactly its own bytes; nothing else is on the disk."""
        self.lessons += 1
        shown = await until_settled(self.api, lesson)
        assert (shown["upload_status"], shown["error_code"]) == ("completed", None)
        assert len((await self.api.get(f"/courses/{self.course}/content")).json) == self.lessons
        originals = list((self.uploads / "videos").rglob("original*"))
        assert [file.read_bytes() for file in originals] == [self.data] * self.lessons
        await eventually(lambda: files_under(self.uploads / "incoming") == files_under(self.uploads / "work") == [])


@pytest.fixture
async def stage(run_program: RunProgram, tmp_path: Path, sample: Callable[[str], Path]) -> AsyncIterator[Stage]:
    killed = Killed(tmp_path / "killed")
    program = await run_program("serve", SECRET_KEY=SECRET, **killed.environment)
    opened = Database.open(f"sqlite+aiosqlite:///{program.folder / 'var' / 'lectern.db'}", publisher=SilentPublisher())
    world = await World.with_cast(opened, SECRET)
    course, token = (await world.course("ana")).id, world.token("ana")
    await opened.close()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Stage(program, killed, Api(session, program.url, token), course, sample("mp4").read_bytes())


@STEPS
@pytest.mark.parametrize("way", [Stage.by_form, Stage.by_tus], ids=["form", "tus"])
async def test_killed_before_any_step_it_loses_nothing_acknowledged(
    way: Callable[[Stage, int], Awaitable[int]], steps: tuple[int, ...] | range, stage: Stage
) -> None:
    taken: list[str] = []
    for step in steps:
        stage.killed.before(step)
        lesson = await way(stage, step)
        await stage.assert_whole(lesson)
        taken = stage.killed.steps
        if len(taken) < step:
            break  # it took no more than these
    assert {"pwrite", "fdatasync", "rename"} <= set(taken), taken
