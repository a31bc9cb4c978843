"""Addresses of media as the caller's page can use them in <video>, <audio> and <img>: absolute, signed, short-lived.

Absolute, because the page may have been served by another listed site.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from server.content.tickets import OPEN_REVISION, Subject, Tickets, expiry_from
from server.http.keys import ACTOR, SETTINGS
from server.http.middleware import ORIGINS

TICKETS = web.AppKey("TICKETS", Tickets)
FILE, THUMBNAIL, SEEK = "file", "thumbnail", "seek"
CAPTIONS = "captions."  # then the language
CONTENT, COURSES = "content", "courses"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses for one person; `expires_at` is when they all run out."""

    tickets: Tickets
    base: str
    user_id: int
    expires_at: datetime

    def content_file(self, content_id: int, key: str, revision: int) -> str:
        """The address of a lesson's playable bytes; `revision` is the enrollment's, 0 for who needs none."""
        return self._address(Subject(CONTENT, content_id, FILE), key, revision)

    def content_thumbnail(self, content_id: int, key: str | None, revision: int) -> str | None:
        return self._address(Subject(CONTENT, content_id, THUMBNAIL), key, revision) if key else None

    def content_seek_sheet(self, content_id: int, key: str, revision: int) -> str:
        """The address of a lesson's seek sheet, for who may watch it."""
        return self._address(Subject(CONTENT, content_id, SEEK), key, revision)

    def content_captions(self, content_id: int, language: str, key: str, revision: int) -> str:
        """The address of a lesson's captions in one language; who may watch may read."""
        return self._address(Subject(CONTENT, content_id, CAPTIONS + language), key, revision)

    def course_thumbnail(self, course_id: int, key: str | None) -> str | None:
        """The address of a course's picture, or None without one; `key` is what `Course.thumbnail_url` holds."""
        return self._address(Subject(COURSES, course_id, THUMBNAIL), key, OPEN_REVISION) if key else None

    def upload(self, content_id: int) -> str:
        """Where a resumable upload goes on; who may is asked there."""
        return f"{self.base}/courses/uploads/{content_id}"

    def _address(self, subject: Subject, key: str, revision: int) -> str:
        ticket = self.tickets.sign(subject, self.user_id, revision, self.expires_at)
        name = key.rpartition("/")[2]
        return f"{self.base}/media/{subject.kind}/{subject.id}/{subject.variant}/{name}?t={ticket}"


def links_of(request: web.Request) -> Links:
    """Links for the signed-in caller of this request."""
    base = request.app[ORIGINS].own_origin(request) + request.app[SETTINGS].api_prefix
    return Links(request.app[TICKETS], base, request[ACTOR].id, expiry_from(datetime.now(UTC)))


def course_thumbnail_url(request: web.Request, course_id: int, key: str | None) -> str | None:
    """What a course shows as its `thumbnail_url` to the caller of this request."""
    return links_of(request).course_thumbnail(course_id, key)
