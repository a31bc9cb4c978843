"""A backup taken while the server runs comes back whole, and browsers are told that history changed."""

from __future__ import annotations

import io
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.backup import back_up, restore
from server.db.database import Database
from server.ports import SilentPublisher
from server.settings import Settings
from tests.conftest import SECRET
from tests.factories import World


@pytest.fixture
async def running(tmp_path: Path, migrated_sqlite: Path) -> Any:
    """A data directory with a course, a lesson's file and an open class, its database in use."""
    folder = tmp_path / "running"
    kept = folder / "uploads" / "videos" / "ab" / "lesson.mp4"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"the lesson")
    (folder / "uploads" / "incoming").mkdir()
    (folder / "uploads" / "incoming" / "half.part").write_bytes(b"half")
    (folder / "secret_key").write_text(SECRET)
    shutil.copyfile(migrated_sqlite, folder / "lectern.db")
    settings = Settings.model_validate({"LECTERN_DATA_DIR": str(folder)})
    database = Database.open(settings.database_url, publisher=SilentPublisher())
    world = await World.with_cast(database, SECRET)
    await world.live_session("ana", ["bo"])
    yield settings
    await database.close()


def column(settings: Settings, what: str) -> list[Any]:
    with closing(sqlite3.connect(settings.data_dir / "lectern.db")) as connection:
        return [row[0] for row in connection.execute(what)]


def test_a_restored_folder_has_the_rows_the_files_and_the_keys_but_new_epochs(
    running: Settings, tmp_path: Path
) -> None:
    back_up(running, tmp_path / "saved.tar")
    restored = Settings.model_validate({"LECTERN_DATA_DIR": str(tmp_path / "restored")})
    restore(restored, tmp_path / "saved.tar")
    for what in ("SELECT email FROM users ORDER BY id", "SELECT type FROM live_session_events ORDER BY seq"):
        assert column(restored, what) == column(running, what)
    assert (restored.data_dir / "uploads" / "videos" / "ab" / "lesson.mp4").read_bytes() == b"the lesson"
    assert (restored.data_dir / "secret_key").read_text() == SECRET
    assert not (restored.data_dir / "uploads" / "incoming").exists()
    epochs = "SELECT epoch FROM live_sessions ORDER BY id"
    assert not set(column(restored, epochs)) & set(column(running, epochs))


def test_a_folder_with_a_database_is_never_overwritten(running: Settings, tmp_path: Path) -> None:
    back_up(running, tmp_path / "saved.tar")
    before = column(running, "SELECT epoch FROM live_sessions")
    with pytest.raises(SystemExit, match="holds a database"):
        restore(running, tmp_path / "saved.tar")
    assert column(running, "SELECT epoch FROM live_sessions") == before


def test_a_file_that_is_no_backup_leaves_the_folder_empty(tmp_path: Path) -> None:
    (tmp_path / "other.tar").write_bytes(b"not a tar file")
    target = Settings.model_validate({"LECTERN_DATA_DIR": str(tmp_path / "restored")})
    with pytest.raises(SystemExit, match="cannot be restored"):
        restore(target, tmp_path / "other.tar")
    assert not (target.data_dir / "lectern.db").exists()


@pytest.mark.parametrize(
    "name", ["../escaped", "/escaped", "uploads/videos/../../../escaped", "uploads/work/left", "extra"]
)
def test_an_archive_with_foreign_names_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "foreign.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    target = Settings.model_validate({"LECTERN_DATA_DIR": str(tmp_path / "restored")})
    with pytest.raises(SystemExit, match="which no backup of Lectern does"):
        restore(target, tmp_path / "foreign.tar")
    assert not list(tmp_path.rglob("escaped"))


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(running: Settings, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="could not be written"):
        back_up(running, tmp_path / "no such folder" / "saved.tar")
    assert [path.name for path in running.data_dir.glob("tmp*")] == []
