"""A really full small file system in the middle of an upload: 507, nothing left of it, and everything else goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from server.settings import Settings
from tests.api import Api
from tests.conftest import SECRET
from tests.content.forms import files_under, raw_form, upload, zeros
from tests.factories import World

ApiOf = Callable[[str | None], Api]
MEGABYTE = 1024 * 1024
MP4_HEAD = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
ROOM = 8 * MEGABYTE


def may_mount() -> bool:
    """Mounting needs root; who runs the tests otherwise has the reserve shown instead."""
    return os.geteuid() == 0 and Path("/proc/self/mounts").exists()


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The database lives beside the small disk, as one with room of its own would."""
    (tmp_path / "lectern.db").write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite+aiosqlite:///{tmp_path / 'lectern.db'}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """8 MB, a file system of its own where that is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = may_mount()
    if mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)], check=True)
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def reserve_bytes(small_disk: Path) -> int:
    """Nothing on a disk of its own; elsewhere all but eight megabytes of what is free now."""
    found = os.statvfs(small_disk)
    return 0 if os.path.ismount(small_disk) else found.f_bavail * found.f_frsize - ROOM


@pytest.fixture
def settings(database_url: str, small_disk: Path, reserve_bytes: int) -> Settings:
    return Settings.model_validate(
        {
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "LECTERN_DATA_DIR": str(small_disk),
            "LECTERN_FREE_SPACE_RESERVE_BYTES": str(reserve_bytes),
            "PORT": 0,
        }
    )


async def test_a_disk_that_fills_up_midway_refuses_that_upload_alone(
    api: ApiOf, world: World, small_disk: Path
) -> None:
    course = await world.course("ana", ["bo"])
    fields = [('name="course_id"', str(course.id).encode()), ('name="type"', b"video"), ('name="title"', b"t")]
    before, headers = raw_form(fields, is_ended=False)
    begun = raw_form([('name="file"; filename="a.mp4"', b"")], is_ended=False)[0].removesuffix(b"\r\n")

    async def body() -> AsyncIterator[bytes]:
        """Without a length nobody can refuse it beforehand."""
        yield before + begun
        async for block in zeros(MP4_HEAD, 20 * MEGABYTE, 256 * 1024):
            yield block

    answer = await api("ana").post("/courses/upload-content", data=body(), headers=headers)
    assert (answer.status, answer.code) == (507, "no_room")
    assert files_under(small_disk / "uploads") == []
    assert (await api("bo").get(f"/courses/{course.id}")).status == 200
    small = await upload(api("ana"), MP4_HEAD.ljust(100_000, b"\0"), "a.mp4", course.id, "video")
    assert small.status == 201


async def test_a_file_that_cannot_fit_is_refused_before_it_is_read(api: ApiOf, world: World, small_disk: Path) -> None:
    course = await world.course("ana")
    answer = await upload(api("ana"), MP4_HEAD.ljust(9 * MEGABYTE, b"\0"), "a.mp4", course.id, "video")
    assert (answer.status, answer.code) == (507, "no_room")
    assert files_under(small_disk / "uploads") == []
