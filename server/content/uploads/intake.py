"""What every way of uploading shares: where bytes go, the threads that write them, the room there is, the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.content.disk import Disk
from server.content.formats import LIMITS
from server.content.storage import LocalStorage
from server.content.uploads.part_file import PartFile
from server.content.uploads.space import Space


@dataclass(frozen=True, slots=True)
class Intake:
    """One per process. `limits` are bytes by kind of content, `quota_bytes` what a course may hold."""

    storage: LocalStorage
    disk: Disk
    space: Space
    quota_bytes: int
    pumps: Disk  # its threads read from sockets what they write, a turn at a time
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)

    def part(self) -> PartFile:
        """A fresh file for bytes about to arrive."""
        return PartFile(self.storage, self.disk, self.space)

    async def free_bytes(self) -> int:
        return await self.disk.run(self.storage.free_bytes)
