"""How much a course may hold: the files as they were uploaded, those still on their way by their declared sizes.

What is made of them, pictures and captions are not counted; what was deleted, cancelled or has run out is not, either.
"""

from __future__ import annotations

from sqlalchemy import func, select

from server.content.formats import MEGABYTE
from server.content.tables import Content
from server.courses.tables import Course
from server.db.database import Reading, Work
from server.errors import NoRoom


class CourseFull(NoRoom):
    code, sentence = "course_full", "This course holds as much as it may."


async def left_bytes(read: Reading, course_id: int, quota_bytes: int) -> int:
    """How much more fits; a course has what it has also when the quota has shrunk, so this may be negative."""
    kept = (Content.course_id == course_id, Content.deleted_at.is_(None), Content.original_key.is_not(None))
    return quota_bytes - int(await read.scalar(select(func.sum(Content.file_size)).where(*kept)) or 0)


async def require_room(work: Work, course_id: int, size_bytes: int, quota_bytes: int) -> None:
    """Two uploads at once are judged one after the other. Raises CourseFull."""
    await work.execute(select(Course.id).where(Course.id == course_id).with_for_update())
    left = await left_bytes(work, course_id, quota_bytes)
    if size_bytes > left:
        raise course_full(left, quota_bytes)


def course_full(left: int, quota_bytes: int) -> CourseFull:
    """The refusal that tells how much fits, and what one can do."""
    left = max(0, left)
    sentence = (
        f"This course may hold {_size(quota_bytes)}, and {_size(left)} are left. Delete a lesson nobody needs first."
    )
    return CourseFull(sentence, quota_bytes=quota_bytes, left_bytes=left)


def _size(size_bytes: int) -> str:
    megabytes = size_bytes / MEGABYTE
    return f"{megabytes / 1024:.4g} GB" if megabytes >= 1024 else f"{megabytes:.4g} MB"
