"""What may be uploaded, who may watch, how far somebody is: the decisions about content, without a database.

Pure: every function answers from its arguments, so that each level, role and edge is a line in a table test.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from server.access import Role
from server.content import formats
from server.content.formats import AUDIO, MEGABYTE, SHOWN, UNDECLARED, VIDEO, Format
from server.errors import ContentMismatch, Forbidden, Missing, NotEnrolled, PremiumRequired, TooLarge, TypeNotAllowed

LONGEST_FILE_NAME = 150
COMPLETE_PERCENT = 90.0
VIEW_EVERY, VIEW_SECONDS = timedelta(minutes=30), 10.0
LEEWAY_SECONDS = 5.0
JOINED_GAP_SECONDS = 0.25  # players report edges that miss each other by a frame or two
MOST_RANGES = 500  # beyond it the nearest ranges are joined, in the person's favour


class AccessLevel(str, Enum):
    FREE = "free"
    PREMIUM = "premium"
    ENROLLED_ONLY = "enrolled_only"


class UploadStatus(str, Enum):
    UPLOADING = "uploading"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Reaction(str, Enum):
    LIKE = "like"
    LOVE = "love"
    INSIGHTFUL = "insightful"
    CONFUSED = "confused"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody before a course: their role in it and, for the enrolled, tier and revision of the enrollment."""

    role: Role | None
    tier: str | None = None
    revision: int = 0
    is_course_published: bool = True


@dataclass(frozen=True, slots=True)
class Lesson:
    """What decides about a lesson's audience."""

    access_level: str
    is_preview: bool
    is_completed: bool = True


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Yes; `revision` is what a ticket must carry: the enrollment's when it is the reason, otherwise 0."""

    revision: int


def entitlement(viewer: Viewer, lesson: Lesson) -> Entitlement | Missing | Forbidden:
    """Whether this person may watch this lesson; the refusal is returned, so that lists can show it as a null."""
    if viewer.role is Role.INSTRUCTOR:
        return Entitlement(0)
    if viewer.role is None and not viewer.is_course_published:
        return Missing()
    is_open = lesson.is_preview or lesson.access_level == AccessLevel.FREE
    if not lesson.is_completed:
        return Missing()
    if is_open:
        return Entitlement(0)
    if viewer.role is None:
        return NotEnrolled()
    if lesson.access_level == AccessLevel.PREMIUM and viewer.tier != "premium":
        return PremiumRequired()
    return Entitlement(viewer.revision)


def sight(viewer: Viewer, lesson: Lesson) -> Entitlement | Missing | Forbidden:
    """Whether this person may see the lesson's row and picture: the enrolled see what they may not watch, too."""
    answer = entitlement(viewer, lesson)
    return Entitlement(viewer.revision) if isinstance(answer, PremiumRequired) else answer


def clean_file_name(given: str | None) -> str:
    """A client's name for a file as data we can show: last path component, no control or reserved characters."""
    name = unicodedata.normalize("NFC", given or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(
        c for c in name if c not in '<>:"|?*' and unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    kept = kept.strip().lstrip(".")
    if len(kept) > LONGEST_FILE_NAME:
        stem, dot, extension = kept.rpartition(".")
        shortened = stem[: LONGEST_FILE_NAME - len(extension) - 1] + dot + extension
        kept = shortened if dot and len(extension) <= 10 else kept[:LONGEST_FILE_NAME]
    return kept or "file"


def extension_of(file_name: str) -> str:
    """The lower-case extension without its dot; empty when there is none."""
    stem, dot, extension = file_name.rpartition(".")
    return extension.lower() if dot and stem else ""


def judge_claim(kind: str, file_name: str, declared_type: str) -> None:
    """Refuse what says of itself that it is not for `kind`, before its first byte. Raises TypeNotAllowed."""
    usable = [known for known in formats.FORMATS if kind in known.kinds]
    declared = declared_type.partition(";")[0].strip().lower()
    extension = extension_of(file_name)
    if declared not in UNDECLARED and not any(declared in known.declared for known in usable):
        raise type_not_allowed(kind)
    if extension and not any(extension in known.extensions for known in usable):
        raise type_not_allowed(kind)


def judge_bytes(kind: str, file_name: str, head: bytes) -> Format:
    """The format the first bytes begin, if it suits `kind` and the name.

    Raises TypeNotAllowed for a recognized format of the other kind or bytes that claim nothing, ContentMismatch for
    bytes that are not what the name says.
    """
    found = formats.sniff(head)
    extension = extension_of(file_name)
    if found is None:
        raise (
            ContentMismatch(f"The bytes of this file are not {_one_of(kind)}.") if extension else type_not_allowed(kind)
        )
    if kind not in found.kinds:
        raise type_not_allowed(kind)
    if extension and extension not in found.extensions:
        raise ContentMismatch(f"This file is named .{extension}, but its bytes are {found.name}.")
    return found


def type_not_allowed(kind: str | None) -> TypeNotAllowed:
    """The refusal that tells what is accepted instead."""
    kinds = [kind] if kind in SHOWN else [VIDEO, AUDIO]
    accepted = " or ".join(f"{k}: {', '.join(SHOWN[k])}" for k in kinds if k)
    allowed = sorted({name for k in kinds if k for name in formats.allowed_names(k)})
    return TypeNotAllowed(f"That type of file is not accepted; send {accepted}.", allowed=allowed)


def too_large(limit_bytes: int) -> TooLarge:
    """The refusal that tells the limit."""
    return TooLarge(
        f"The file is larger than {limit_bytes / MEGABYTE:g} MB.", limit=limit_bytes, limit_bytes=limit_bytes
    )


def empty_file() -> ContentMismatch:
    return ContentMismatch("The file is empty.")


def shown_mime_type(found: Format, kind: str) -> str:
    """The type of the original as its row shows it; an MP4 uploaded as sound is audio/mp4."""
    return formats.M4A.mime_type if kind == AUDIO and found is formats.MP4 else found.mime_type


def spooled_kind(found: Format) -> str:
    """The kind whose limit bounds a file that came before its `type`: the roomier one if both are possible."""
    return VIDEO if VIDEO in found.kinds else AUDIO


def merge_ranges(
    known: Sequence[Sequence[float]], new: Sequence[Sequence[float]], duration: float
) -> list[list[float]]:
    """All seconds watched so far: sorted, disjoint, inside [0, duration]; `new` may overlap or lie outside."""
    clipped = sorted(
        (max(0.0, min(a, b)), min(duration, max(a, b)))
        for a, b in (*known, *new)
        if max(a, b) > 0 and min(a, b) < duration
    )
    merged: list[list[float]] = []
    for start, end in clipped:
        if merged and start <= merged[-1][1] + JOINED_GAP_SECONDS:
            merged[-1][1] = max(merged[-1][1], end)
        elif end > start:
            merged.append([start, end])
    while len(merged) > MOST_RANGES:
        nearest = min(range(1, len(merged)), key=lambda i: merged[i][0] - merged[i - 1][1])
        merged[nearest - 1][1] = merged.pop(nearest)[1]
    return [[round(a, 3), round(b, 3)] for a, b in merged]


def percent_watched(ranges: Sequence[Sequence[float]], duration: float) -> float:
    """0 to 100, one decimal."""
    covered = sum(end - start for start, end in ranges)
    return round(min(100.0, 100 * covered / duration), 1) if duration > 0 else 0.0


def played_seconds(new: Sequence[Sequence[float]], since_last: timedelta | None, since_view: timedelta | None) -> float:
    """Seconds of play a report stands for: the ranges it names, but no more than the time that has passed allows.

    That is twice the time, for those who play at double speed, and a leeway, because a report may be under way longer
    than the next. Once a view is counted the leeway is no longer than the time: or a report a moment adds up to hours.
    """
    named = sum(abs(b - a) for a, b in new)
    if since_last is None:
        return named
    passed = max(0.0, since_last.total_seconds())
    is_counted = since_view is not None and since_view < VIEW_EVERY
    return min(named, 2 * passed + (min(LEEWAY_SECONDS, passed) if is_counted else LEEWAY_SECONDS))


def is_view(played: float, viewed_at: datetime | None, now: datetime) -> bool:
    """A view counts after ten seconds of play, once a half hour and person."""
    return played >= VIEW_SECONDS and (viewed_at is None or now - viewed_at >= VIEW_EVERY)


def _one_of(kind: str) -> str:
    return ", ".join(SHOWN[kind][:-1]) + " or " + SHOWN[kind][-1]
