"""Refusals as clients see them: RFC 9457 problem objects, the same over REST and in socket acknowledgements."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from server.errors import Kind, LecternError, RateLimited, TooLarge

# The same object as a JSON Schema, for the generated documents of both interfaces.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem. `code` is stable; `detail` (and `message`, the same) can be shown to people.",
    "required": ["type", "title", "status", "detail", "message", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "retry_after": {"type": "number", "description": "seconds; with rate_limited"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
TITLES = {
    Kind.INVALID: "Invalid request",
    Kind.UNAUTHENTICATED: "Not signed in",
    Kind.FORBIDDEN: "Not allowed",
    Kind.MISSING: "Not found",
    Kind.CONFLICT: "Conflict",
    Kind.MISMATCH: "Content mismatch",
    Kind.CHECKSUM: "Checksum mismatch",
    Kind.LIMITED: "Too many requests",
    Kind.AWAY: "Not available right now",
    Kind.NO_ROOM: "No room left",
}


def problem(error: LecternError, request_id: str = "") -> dict[str, Any]:
    """`{type, title, status, detail, message, code, request_id, ...extra}` (RFC 9457)."""
    return {
        "type": f"urn:lectern:problem:{error.code}",
        "title": TITLES.get(error.kind) or HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "message": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.extra,
    }


def problem_response(error: LecternError, request_id: str, headers: dict[str, str] | None = None) -> web.Response:
    """The problem as an HTTP answer, with the headers its kind asks for."""
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if isinstance(error, RateLimited):
        sent["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.kind is Kind.UNAUTHENTICATED:
        sent["WWW-Authenticate"] = "Bearer"
    if error.kind is Kind.AWAY:
        sent["Retry-After"] = "1"
    return web.Response(
        status=error.status,
        body=json.dumps(problem(error, request_id)).encode(),
        content_type="application/problem+json",
        headers=sent,
    )


def from_http_error(error: web.HTTPException) -> LecternError:
    """What aiohttp itself raises (router, body limits), in our words."""
    from server import errors

    by_status: dict[int, type[LecternError]] = {
        401: errors.Unauthenticated,
        403: errors.Forbidden,
        404: errors.Missing,
        405: errors.MethodNotAllowed,
        411: errors.LengthRequired,
        412: errors.PreconditionFailed,
        413: TooLarge,
        415: errors.TypeNotAllowed,
        503: errors.Away,
    }
    if error.status in by_status:
        return by_status[error.status]()
    return errors.Internal() if error.status >= 500 else errors.Malformed()
