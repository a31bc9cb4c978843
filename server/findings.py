"""What is wrong with a value, as the second half of a sentence that begins with the field's name.

Pydantic's own words speak to programmers ("Input should be a valid integer, unable to parse string as an integer");
ours say what to send instead. A finding that is not in the table keeps pydantic's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import ValidationError

MOST = 20  # findings in one answer; whoever has more has more to mend than one answer can help with

Context = Mapping[str, Any]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _quoted(expected: str) -> str:
    return expected.replace("'", "")


SAID: dict[str, Callable[[Context], str]] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "is not a field of this",
    "string_type": lambda _: "needs a text",
    "string_unicode": lambda _: "contains characters that cannot be stored",
    "string_too_short": lambda c: (
        "may not be empty" if c["min_length"] == 1 else f"needs at least {_count(c['min_length'], 'character')}"
    ),
    "string_too_long": lambda c: f"may have at most {_count(c['max_length'], 'character')}",
    "int_type": lambda _: "needs a whole number",
    "int_parsing": lambda _: "needs a whole number",
    "int_from_float": lambda _: "needs a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "float_type": lambda _: "needs a number",
    "float_parsing": lambda _: "needs a number",
    "finite_number": lambda _: "needs a number",
    "bool_type": lambda _: "needs true or false",
    "bool_parsing": lambda _: "needs true or false",
    "greater_than": lambda c: f"needs a number over {c['gt']}",
    "greater_than_equal": lambda c: f"needs a number of at least {c['ge']}",
    "less_than": lambda c: f"needs a number under {c['lt']}",
    "less_than_equal": lambda c: f"needs a number of at most {c['le']}",
    "literal_error": lambda c: f"needs to be {_quoted(c['expected'])}",
    "enum": lambda c: f"needs to be {_quoted(c['expected'])}",
    "list_type": lambda _: "needs a list",
    "dict_type": lambda _: "needs an object",
    "model_type": lambda _: "needs an object",
    "model_attributes_type": lambda _: "needs an object",
    "too_short": lambda c: f"needs at least {_count(c['min_length'], 'entry').replace('entrys', 'entries')}",
    "too_long": lambda c: f"may have at most {_count(c['max_length'], 'entry').replace('entrys', 'entries')}",
    "datetime_type": lambda _: "needs an RFC 3339 time, as in 2026-01-31T09:00:00Z",
    "datetime_parsing": lambda _: "needs an RFC 3339 time, as in 2026-01-31T09:00:00Z",
    "datetime_from_date_parsing": lambda _: "needs an RFC 3339 time, as in 2026-01-31T09:00:00Z",
    "uuid_type": lambda _: "needs a UUID",
    "uuid_parsing": lambda _: "needs a UUID",
    "string_pattern_mismatch": lambda _: "is not written as it should be",
}


def findings(error: ValidationError) -> list[dict[str, str]]:
    """`[{pointer, detail}]`: JSON pointers (RFC 6901) into the body, and what is wrong there."""
    found = []
    for item in error.errors(include_url=False, include_input=False)[:MOST]:
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"])
        words = SAID.get(item["type"])
        context = cast(Context, item.get("ctx", {}))
        found.append(
            {"pointer": pointer, "detail": words(context) if words else item["msg"].removeprefix("Value error, ")}
        )
    return found
