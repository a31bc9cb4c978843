"""A server in the foreground of a terminal ends with it, drained; one that a signal asks to renew itself does not."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.private_folder import PREFIX, private_folder
from tests.processes import is_alive
from tests.program import Program
from tests.services import Postgres, Redis

pytestmark = pytest.mark.serial
SECRET = "a-secret-that-is-long-enough-for-it"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The window's side and the program's."""
    window, inside = os.openpty()
    yield window, inside
    for descriptor in (window, inside):
        try:
            os.close(descriptor)
        except OSError:
            continue  # closed by the test


@pytest.fixture(autouse=True)
def hang_up_means_something() -> Iterator[None]:
    """Programs inherit what their parent ignores; under nohup that would be the signal that these tests are about."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_workers_end_when_their_terminal_closes_and_are_renewed_when_it_only_says_so(
    tmp_path: Path, terminal: tuple[int, int], postgres: Postgres, redis_server: Redis
) -> None:
    name = postgres.create()
    where = {"DATABASE_URL": postgres.url(name), "REDIS_URL": redis_server.url}
    words = ("serve", "--workers", "2")
    program = Program(tmp_path, *words, defaults=False, ready="Lectern is ready", SECRET_KEY=SECRET, **where)
    window, program.terminal = terminal
    await program.start()
    try:
        os.kill(program.pid, signal.SIGHUP)  # the terminal is there
        async with asyncio.timeout(30):
            while not any(line["event"] == "replacing the web workers" for line in program.logged):
                await asyncio.sleep(0.05)
        assert program.status is None
        children = program.children()
        os.close(window)
        assert await program.ended() == 0
        assert not any(map(is_alive, children))
        assert any(line["event"] == "draining" for line in program.logged if "worker" not in line)
    finally:
        await program.stop()
    postgres.drop(name)


async def test_one_server_ends_drained_when_its_terminal_closes(tmp_path: Path, terminal: tuple[int, int]) -> None:
    program = Program(tmp_path, "serve")
    window, program.terminal = terminal
    await program.start()
    try:
        os.close(window)
        assert await program.ended() == 0
        assert any(line["event"] == "draining" for line in program.logged)
    finally:
        await program.stop()


def test_a_folder_left_by_a_killed_process_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / "0.http").touch()
    with private_folder() as one, private_folder() as another:
        assert {path.name for path in tmp_path.iterdir()} == {one.name, another.name}
        assert one.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
