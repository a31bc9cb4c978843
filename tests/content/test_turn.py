"""One writer an upload, between processes: a holder lets go when asked, a dead one holds nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.content.disk import Disk
from server.content.storage import LocalStorage
from server.content.uploads import turn as turns
from server.content.uploads.turn import Turn, UploadBusy

KEY = "videos/ab/abcd/original"
HOLDER = """
import asyncio, sys
from pathlib import Path
from server.content.disk import Disk
from server.content.storage import LocalStorage
from server.content.uploads.turn import Turn

async def main():
    async with Turn(LocalStorage(Path(sys.argv[1])), Disk(), sys.argv[2]) as turn:
        print("held", flush=True)
        while sys.argv[3] == "stubborn" or not turn.is_wanted:
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path)
    made.prepare()
    return made


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    made = Disk()
    yield made
    made.close()


async def holder(storage: LocalStorage, manner: str) -> asyncio.subprocess.Process:
    """Another process, holding the turn of KEY."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(storage.root), KEY, manner, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"held\n"
    return process


async def test_another_process_lets_go_when_asked(storage: LocalStorage, disk: Disk) -> None:
    process = await holder(storage, "polite")
    started = time.monotonic()
    async with Turn(storage, disk, KEY) as turn:
        assert time.monotonic() - started < turns.PATIENCE_SECONDS
        assert not turn.is_wanted
    assert await process.wait() == 0


async def test_a_killed_process_holds_nothing(storage: LocalStorage, disk: Disk) -> None:
    process = await holder(storage, "stubborn")
    process.kill()
    await process.wait()
    async with Turn(storage, disk, KEY) as turn:
        assert not turn.is_wanted


async def test_whoever_does_not_let_go_is_not_waited_for_long(
    storage: LocalStorage, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.5)
    process = await holder(storage, "stubborn")
    with pytest.raises(UploadBusy):
        async with Turn(storage, disk, KEY):
            pass
    process.kill()
    await process.wait()


async def test_many_who_want_it_have_it_one_after_the_other(storage: LocalStorage, disk: Disk) -> None:
    inside, most = 0, 0

    async def one(is_last: bool) -> None:
        nonlocal inside, most
        async with Turn(storage, disk, KEY) as turn:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            turn.is_over = is_last  # takes the file away from under those who wait

    await asyncio.gather(*(one(i % 2 == 0) for i in range(8)))
    assert (inside, most) == (0, 1)
