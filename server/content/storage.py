"""Where finished bytes are kept: a narrow port with keys only, and the local disk as its one implementation.

Seven calls, so that an object store can stand behind them later; receiving and verifying always happen on local disk.
A key never changes what it holds: new bytes get a new key, so its last part is a strong ETag.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from server.content.formats import SNIFFED_BYTES

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
FOLDERS = ("videos", "audios", "courses")
MOST_PATHS = 1024  # kept ready


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a key's bytes; `modified_at` is Unix seconds."""

    size_bytes: int
    modified_at: float


class Storage(Protocol):
    """All calls block: make them in a thread. Keys are slash-separated fixed words and random ids."""

    def adopt(self, key: str, path: Path) -> None:
        """Take over the file at `path` (same file system), durably, in one step; repeating it is harmless."""
        ...

    def stat(self, key: str) -> Stored | None: ...

    def read(self, key: str, start: int, length: int) -> bytes: ...

    def local_path(self, key: str) -> Path | None: ...

    def public_url(self, key: str, seconds: int) -> str | None: ...

    def delete(self, key: str) -> None:
        """Forget the key; one that is not there is no error."""
        ...

    def walk(self, prefix: str) -> Iterator[str]: ...


class LocalStorage:
    """Files under one folder: `videos/`, `audios/`, `courses/`; beside them `incoming/` and `work/` for the unfinished.

    One file system for all of it, so that a rename is atomic.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.incoming, self.scratch = self.root / "incoming", self.root / "work"
        self._paths = lru_cache(MOST_PATHS)(self._made_path)  # they are asked for at every range

    def prepare(self) -> None:
        """Make the folders; does nothing to those that exist."""
        for folder in (self.root, self.incoming, self.scratch, *(self.root / name for name in FOLDERS)):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def adopt(self, key: str, path: Path) -> None:
        target = self._path(key)
        if not path.exists() and target.exists():
            return
        target.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        os.chmod(path, PRIVATE_FILE)
        _flush(path)
        os.rename(path, target)
        for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
            _flush(folder)

    def stat(self, key: str) -> Stored | None:
        try:
            found = os.stat(self._path(key))
        except FileNotFoundError:
            return None
        return Stored(found.st_size, found.st_mtime)

    def read(self, key: str, start: int, length: int) -> bytes:
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    def public_url(self, key: str, seconds: int) -> str | None:
        return None

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        if key.count("/") > 1:
            _remove_if_empty(path.parent)

    def delete_folder(self, prefix: str) -> None:
        """Forget every key under `prefix`; one that is not there is no error."""
        for key in list(self.walk(prefix)):
            self.delete(key)

    def walk(self, prefix: str) -> Iterator[str]:
        for folder, _, names in os.walk(self._path(prefix)):
            for name in sorted(names):
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    def new_part(self) -> Path:
        """A fresh name for bytes that are still arriving."""
        return self.incoming / f"{secrets.token_hex(16)}.part"

    def part_of(self, key: str) -> Path:
        """Where the bytes that will be `key` arrive, over as many connections as it takes."""
        return self.incoming / f"{token_of(key)}.part"

    def lock_of(self, key: str) -> Path:
        """The file whose lock says who writes that part."""
        return self.incoming / f"{token_of(key)}.lock"

    def received_bytes(self, key: str) -> int:
        """How much of `key` is here, as a part or, when it was complete already, in its place."""
        for path in (self.part_of(key), self._path(key)):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                continue
        return 0

    def head_of(self, key: str) -> bytes:
        """The first bytes of what is here of `key`."""
        part = self.part_of(key)
        with (part if part.exists() else self._path(key)).open("rb") as file:
            return file.read(SNIFFED_BYTES)

    def discard(self, key: str) -> None:
        """Forget a part, and whatever is beside the place it would have had."""
        self.part_of(key).unlink(missing_ok=True)
        self.delete_folder(key.rpartition("/")[0])

    def scratch_of(self, name: str) -> Path:
        """An empty folder for one job; what an earlier attempt left there is gone."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
        return folder

    def remove_scratch(self, name: str) -> None:
        shutil.rmtree(self.scratch / name, ignore_errors=True)

    def free_bytes(self) -> int:
        """What an ordinary writer may still use of this file system."""
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def _path(self, key: str) -> Path:
        return self._paths(key)

    def _made_path(self, key: str) -> Path:
        """By the words alone: links inside the folder are not ours to make."""
        if key.startswith("/") or ".." in key.split("/"):
            raise ValueError("a storage key left the storage folder")
        return self.root / key


def new_token() -> str:
    """A random word for names on disk; nothing in it comes from a client."""
    return secrets.token_hex(16)


def folder_key(content_type: str, token: str) -> str:
    """The folder of one lesson's files: `videos/ab/ab12...`, `audios/ab/ab12...`."""
    return f"{'videos' if content_type == 'video' else 'audios'}/{token[:2]}/{token}"


def token_of(key: str) -> str:
    """The random word in a lesson's key."""
    return key.rsplit("/", 2)[1]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # others still live in it, or it is gone already
