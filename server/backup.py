"""One file that holds an embedded server, taken while it runs: the database, the keys and what was uploaded.

The database is copied first (SQLite's backup interface gives one consistent moment), the files after it: a file is kept
before its row is committed, so every row of the copy finds its file. Restoring gives every timeline a new epoch:
browsers may have seen events that the copy has not.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

from server.content.storage import FOLDERS
from server.instance import Instance
from server.schema_check import prepare_schema
from server.settings import Settings

DATABASE, SECRET, UPLOADS = "lectern.db", "secret_key", "uploads"
COPIED_BYTES = 1024 * 1024
Told = Callable[[int, int], None]  # bytes done, bytes in all


def back_up(settings: Settings, target: Path, told: Told = lambda done, total: None) -> None:
    """Write `target`, a tar file that appears only when it is whole. Raises SystemExit with one line."""
    _require_embedded(settings)
    database = settings.data_dir / DATABASE
    if not database.exists():
        raise SystemExit(f"There is nothing to back up in {settings.data_dir}.")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with tempfile.TemporaryDirectory(dir=settings.data_dir) as scratch:
            copy = Path(scratch) / DATABASE
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as copied:
                source.backup(copied)
            os.umask(0o077)
            _write(unfinished, copy, settings.data_dir, told)
        unfinished.replace(target)
    except OSError as error:
        raise SystemExit(f"The backup could not be written to {target}: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def restore(settings: Settings, source: Path) -> None:
    """Put a backup into a data directory without a database. Raises SystemExit with one line."""
    _require_embedded(settings)
    folder = settings.data_dir
    with Instance(folder):
        if (folder / DATABASE).exists():
            raise SystemExit(f"{folder} holds a database: move that folder away, or set LECTERN_DATA_DIR to another.")
        try:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                _unpack(source, Path(scratch))
                _move_in(Path(scratch), folder)
        except (tarfile.TarError, OSError) as error:
            raise SystemExit(f"{source} cannot be restored: {error}.") from error
        prepare_schema(settings)
        _renew_epochs(folder / DATABASE)


def _require_embedded(settings: Settings) -> None:
    if not settings.is_embedded:
        raise SystemExit(
            "PostgreSQL has its own: use pg_dump and pg_restore, and copy the uploads folder after the dump."
        )


def _write(target: Path, database: Path, data_dir: Path, told: Told) -> None:
    files = [(database, DATABASE), *_kept(data_dir)]
    total, done = sum(path.stat().st_size for path, _ in files if path.exists()), 0
    with tarfile.open(target, "w") as archive:
        for path, name in files:
            try:
                archive.add(path, arcname=name, recursive=False)
            except FileNotFoundError:
                continue  # deleted meanwhile, as its row will say
            done += path.stat().st_size
            told(done, total)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _kept(data_dir: Path) -> Iterator[tuple[Path, str]]:
    """Finished files; what is arriving or being worked on is not part of a backup."""
    if (data_dir / SECRET).exists():
        yield data_dir / SECRET, SECRET
    for folder in FOLDERS:
        for path in sorted((data_dir / UPLOADS / folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.relative_to(data_dir).as_posix()


def _unpack(source: Path, scratch: Path) -> None:
    """Regular files under the names a backup has, and nothing else that an archive may hold."""
    with tarfile.open(source) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            is_ours = member.name in (DATABASE, SECRET) or (len(parts) > 2 and parts[:1] == (UPLOADS,))
            if not (member.isfile() and is_ours) or ".." in parts or (parts[0] == UPLOADS and parts[1] not in FOLDERS):
                raise tarfile.TarError(f"it holds {member.name!r}, which no backup of Lectern does")
            target = scratch.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.extractfile(member) as packed, target.open("xb") as unpacked:  # type: ignore[union-attr]
                shutil.copyfileobj(packed, unpacked, COPIED_BYTES)


def _move_in(scratch: Path, folder: Path) -> None:
    """The database last: until it is there the folder counts as empty."""
    if not (scratch / DATABASE).is_file():
        raise tarfile.TarError("it is no backup of Lectern")
    if (scratch / UPLOADS).is_dir():
        shutil.rmtree(folder / UPLOADS, ignore_errors=True)
        os.rename(scratch / UPLOADS, folder / UPLOADS)
    if (scratch / SECRET).is_file():
        os.replace(scratch / SECRET, folder / SECRET)
    os.replace(scratch / DATABASE, folder / DATABASE)


def _renew_epochs(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM live_sessions")]
        fresh = [(secrets.token_hex(8), live_session_id) for live_session_id in ids]
        connection.executemany("UPDATE live_sessions SET epoch = ? WHERE id = ?", fresh)
