"""Uploads whose connection is cut at random bytes of the file, by two public clients: each file arrives whole."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from server.db.database import Database
from tests.api import Api
from tests.content.cutting import CuttingProxy, by_tus_js, by_tuspy
from tests.content.tus import MP4_HEAD, begun, offset_of
from tests.factories import World
from tests.fakes import HeardFacts
from tests.program import Program
from tests.services import Postgres

RunProgram = Callable[..., Awaitable[Program]]
SEND = {"tus-js-client": by_tus_js, "tuspy": by_tuspy}
SECRET = "a-secret-that-is-long-enough-for-it"
SIZE = 4 * 1_048_576
CUTS_A_FILE = 20


@dataclass
class Receiver:
    """The web process alone, so that what it receives stays as it came; and Ana, who sends."""

    folder: Path
    ana: Api
    token: str
    course_id: int
    proxy: CuttingProxy

    async def receive(self, client: str, seed: str) -> int:
        """One file, cut CUTS_A_FILE times; how often the client tried again."""
        chance = random.Random(seed)
        data = MP4_HEAD + chance.randbytes(SIZE - len(MP4_HEAD))
        file = self.folder / "sent.mp4"
        file.write_bytes(data)
        before = set(self.folder.rglob("original"))
        path = await begun(self.ana, self.course_id, SIZE)
        cuts = self.proxy.cuts
        self.proxy.places = sorted(chance.sample(range(1, SIZE), CUTS_A_FILE))
        retries = await SEND[client](f"http://127.0.0.1:{self.proxy.port}{path}", self.token, file)
        assert self.proxy.cuts - cuts == CUTS_A_FILE
        assert await offset_of(self.ana, path) == SIZE
        (original,) = set(self.folder.rglob("original")) - before
        assert _hash(original.read_bytes()) == _hash(data)
        assert not list(self.folder.rglob("*.part"))
        original.unlink()
        return retries


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _cut(run_program: RunProgram, postgres: Postgres, folder: Path, files: int) -> None:
    """`files` by each client. Prints what was counted."""
    name = postgres.create()
    environment = {"DATABASE_URL": postgres.url(name), "SECRET_KEY": SECRET, "LECTERN_DATA_DIR": str(folder)}
    web = await run_program("serve", "--only", "web", **environment)
    database = Database.open(f"postgresql+asyncpg://{postgres.url(name).partition('://')[2]}", publisher=HeardFacts())
    world = await World.with_cast(database, SECRET)
    course, token = await world.course("ana"), world.token("ana")
    await database.close()
    proxy = CuttingProxy(web.port)
    await proxy.start()
    try:
        async with aiohttp.ClientSession() as session:
            receiver = Receiver(folder, Api(session, web.url, token), token, course.id, proxy)
            for client in SEND:
                retries = [await receiver.receive(client, f"{client}/{number}") for number in range(files)]
                cuts = files * CUTS_A_FILE
                each = f"{sum(retries) / cuts:.2f} a cut"
                print(f"\n{client}: {files} files whole, {cuts} cuts, {sum(retries)} retries, {each}")
                assert max(retries) <= CUTS_A_FILE, retries
    finally:
        await proxy.close()
    assert [line for line in web.logged if line["level"] == "error"] == []  # a broken line is no fault of ours


async def test_a_file_cut_twenty_times_arrives_whole(
    run_program: RunProgram, postgres: Postgres, tmp_path: Path
) -> None:
    await _cut(run_program, postgres, tmp_path, files=1)


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_a_thousand_cuts_lose_nothing(run_program: RunProgram, postgres: Postgres, tmp_path: Path) -> None:
    await _cut(run_program, postgres, tmp_path, files=25)
