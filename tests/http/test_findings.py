"""What is wrong with a body is said in words for people, with a pointer for forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import BaseModel, ValidationError

from server.wire import Id, Moment, Title, invalid_from
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
