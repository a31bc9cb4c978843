"""What a single value of a wish may be: bounded texts, positions, sources, emoji."""

from __future__ import annotations

import json
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from server.wire import Number, _storable

Source = Literal["microphone", "camera", "screen", "screen_audio"]
ChatText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(_storable)
]
Epoch = Annotated[str, StringConstraints(max_length=64)]
Position = Annotated[int, Field(ge=0, le=2**63 - 1), Number]
Allowed = Literal["all", "instructor"]
PollQuestion = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_storable)
]
PollOption = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_storable)
]
QuestionText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)
]
Sdp = Annotated[str, StringConstraints(min_length=1)]
Token = Annotated[str, StringConstraints(max_length=8192)]
PEER_SIGNAL_BYTES = 32 * 1024  # of `data` as JSON; more is refused


def _only_a_symbol(value: str) -> str:
    """Chat under a closed chat, or a name that means something to a program, is no reaction."""
    kinds = {unicodedata.category(char)[0] for char in value}
    if value.isascii() or kinds & {"L", "Z"} or any(unicodedata.category(char) == "Cc" for char in value):
        raise ValueError("must be one emoji")
    return _storable(value)


def distinct(options: list[str]) -> list[str]:
    """A poll's options, each once."""
    if len(set(options)) < len(options):
        raise ValueError("names an option twice")
    return options


def _small(data: Any) -> Any:
    if len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")) > PEER_SIGNAL_BYTES:
        raise ValueError(f"may have at most {PEER_SIGNAL_BYTES} bytes as JSON")
    return data


Emoji = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_only_a_symbol)]
SignalData = Annotated[Any, AfterValidator(_small)]
