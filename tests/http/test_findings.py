"""What is wrong with a body is said in words for people, with a pointer for forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from server.app import areas
from server.wire import Id, Moment, Title, invalid_from
from signaling.protocol import WISHES
from tests.api import Api


class Wanted(BaseModel):
    title: Title
    course_id: Id = 1
    starts_at: Moment | None = None
    is_open: bool = False


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "title is missing."),
        ({"title": " "}, "title may not be empty."),
        ({"title": "x" * 201}, "title may have at most 200 characters."),
        ({"title": 7}, "title needs a text."),
        ({"title": "x", "course_id": "twelve"}, "course_id needs a whole number."),
        ({"title": "x", "course_id": 0}, "course_id needs a number of at least 1."),
        ({"title": "x", "course_id": True}, "course_id needs a number."),
        ({"title": "x", "is_open": "perhaps"}, "is_open needs true or false."),
        ({"title": "x", "starts_at": "tomorrow"}, "starts_at needs an RFC 3339 time, as in 2026-01-31T09:00:00Z."),
        ({"course_id": 0}, "title is missing; course_id needs a number of at least 1."),
    ],
)
def test_a_finding_reads_as_a_sentence(sent: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Wanted.model_validate(sent)
    assert invalid_from(caught.value).detail == said


async def test_the_sentence_and_the_pointers_reach_a_client(api: Callable[[str | None], Api]) -> None:
    answer = await api("ana").post("/courses", {"title": "", "status": "hidden"})
    assert (answer.status, answer.code) == (400, "invalid")
    assert answer.json["detail"] == "title may not be empty; status needs to be draft or published."
    assert [found["pointer"] for found in answer.json["errors"]] == ["/title", "/status"]


def numbers_in(shape: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The numbers that a shape takes, however deep: where, and of which kind."""
    for name, field in shape.model_fields.items():
        whole = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        yield from ((f"{shape.__name__}.{name}", kind) for kind in _numbers_of(whole))


def _numbers_of(kind: Any) -> Iterator[Any]:
    inner, *metadata = get_args(kind) if hasattr(kind, "__metadata__") else (kind,)
    if inner in (int, float):
        yield kind
    elif isinstance(inner, type) and issubclass(inner, BaseModel):
        yield from (number for _, number in numbers_in(inner))
    else:
        for each in get_args(inner):
            with_all = Annotated[each, *metadata] if metadata and each in (int, float) else each
            yield from _numbers_of(with_all)


def test_true_is_nowhere_a_number() -> None:
    shapes = {route.body for area in areas() for route in area.declared if route.body is not None}
    found = [each for shape in shapes | {wish.payload for wish in WISHES.values()} for each in numbers_in(shape)]
    assert len(found) > 30
    assert [where for where, kind in found if _is_taken(kind)] == []


def _is_taken(kind: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(True)
    except ValidationError:
        return False
    return True
