"""Types of what crosses the wire, shared by REST and sockets: ids, texts, times, and the base of all shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
)

from server.errors import Invalid
from server.findings import findings

MAXIMUM_ID = 2**63 - 1


class Wire(BaseModel):
    """A shape clients send or receive over REST: unknown fields are ignored."""

    model_config = ConfigDict(from_attributes=True, extra="ignore", allow_inf_nan=False)

    # The version clients may send back in If-Match; set by the service that shows the thing, empty when it has none.
    _etag: str = PrivateAttr(default="")

    def tagged(self, etag: str) -> Self:
        """This shape with its ETag."""
        self._etag = etag
        return self


class StrictWire(BaseModel):
    """A shape clients send over the socket: unknown fields are refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", allow_inf_nan=False)


def _storable(value: str) -> str:
    """PostgreSQL stores no NUL and no lone surrogate; neither does any sensible screen show one."""
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("contains characters that cannot be stored")
    return value


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, as in 2026-01-31T09:00:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside the calendar") from error


def _no_number_as_time(value: Any) -> Any:
    if isinstance(value, (int, float)) or (isinstance(value, str) and value.strip().lstrip("-").isdigit()):
        raise ValueError("needs an RFC 3339 time, as in 2026-01-31T09:00:00Z")
    return value


def _no_boolean(value: Any) -> Any:
    """`true` is no 1: whoever sends it means something else."""
    if isinstance(value, bool):
        raise ValueError("needs a number")
    return value


Number = BeforeValidator(_no_boolean)  # beside every int and float that clients send
Id = Annotated[int, Field(ge=1, le=MAXIMUM_ID), Number]
Moment = Annotated[datetime, BeforeValidator(_no_number_as_time), AfterValidator(_utc)]
Storable = Annotated[str, AfterValidator(_storable)]
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_storable)]
Remark = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000), AfterValidator(_storable)
]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000), AfterValidator(_storable)]


def invalid_from(error: ValidationError) -> Invalid:
    """Pydantic's findings as our refusal, with JSON pointers (RFC 6901)."""
    return Invalid(errors=findings(error))


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with Z, as everywhere on the wire."""
    return moment.isoformat().replace("+00:00", "Z")
