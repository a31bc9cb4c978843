"""A browser, a server process and three people for each journey; the lessons of the demo are made once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from server.demo_media import make_all
from tests.api import Api
from tests.journeys.browser import browser, until
from tests.journeys.classroom import Classroom
from tests.program import Program
from tests.services import in_thread

HERE = Path(__file__).parent
LESSONS_SECONDS = 180
TEST_SECONDS = 300  # on a machine that has much else to do; a quiet one needs a tenth


# What measures no time of its own and loads no machine for long: two at a time, with the pages.
SIDE_BY_SIDE = {"test_first_minutes", "test_order", "test_pages", "test_second_origin", "test_uploading"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser and takes longer than other tests; journeys want the machine for themselves."""
    for item in items:
        if HERE in item.path.parents:
            if item.path.stem not in SIDE_BY_SIDE:
                item.add_marker("journey")
            item.add_marker("browser")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_SECONDS))


async def _first_start(folder: Path) -> None:
    make_all(folder / "var" / "demo")  # the program would do it at leisure, for the sake of those who sign in meanwhile
    program = await Program(folder, "demo").start()
    async with aiohttp.ClientSession() as session:
        answer = await Api(session, program.url, None).post(
            "/auth/login", {"email": "ana@example.org", "password": program.password}
        )
        ana = Api(session, program.url, answer.json["access_token"])

        async def done() -> bool:
            courses = (await ana.get("/courses/instructor/my-courses")).json
            lessons = (await ana.get(f"/courses/{courses[0]['id']}/content")).json or []
            return [lesson["upload_status"] for lesson in lessons] == ["completed"] * 2

        await until(done, "the demo's two lessons are processed", LESSONS_SECONDS)
    assert await program.stop() == 0


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that was started once and stopped when its lessons were there.

    `make test` names a folder in which all its parts and processes find what one of them made.
    """
    shared = os.environ.get("LECTERN_TESTS_SHARE")
    folder = (Path(shared) if shared else tmp_path_factory.mktemp("shared")) / "first-start"
    with folder.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        made = folder / "made"
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            in_thread(_first_start(folder))
            made.touch()
    return folder


@pytest.fixture
def folder(first_start: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(first_start / "var", tmp_path / "var", ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """Settings of the program; a test that needs others overrides this fixture."""
    return {}


@pytest.fixture
async def program(folder: Path, environment: dict[str, str]) -> AsyncIterator[Program]:
    """The running program; it has to end well."""
    running = await Program(folder, "demo", defaults=False, **environment).start()
    yield running
    assert await running.stop() == 0, running.last_words


@pytest.fixture
async def classroom(program: Program) -> AsyncIterator[Classroom]:
    """Nobody has signed in yet."""
    async with browser() as context:
        opened = Classroom(program, context)
        yield opened
        await opened.close()
