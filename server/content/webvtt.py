"""Caption files (WebVTT) read strictly and written anew, so that nothing is served as it came.

Pure: text in, text out. Kept are the cues with their names, times, settings and words; styles, regions and notes are
left out: a style sheet of a stranger has no business on the page, and a note is for its author.
The format: W3C WebVTT, sections 4 and 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.errors import ContentMismatch

MOST_CUES = 20_000  # a word every half second for three hours; more is refused
LONGEST_CUE = 2_000  # characters of one cue's text
LONGEST_NAME = 200
_SIGNATURE = re.compile(r"WEBVTT(?:[ \t]|$)")
_TIME = r"(?:(\d{2,3}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"\s*{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?\s*", re.ASCII)
_SETTING = re.compile(r"(?:vertical|line|position|size|align):[\w.,%-]{1,40}", re.ASCII)
_SUBRIP = re.compile(r"\d+\s*\n\s*\d{1,2}:\d{2}:\d{2},\d{3}\s*-->", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown between two moments (in milliseconds); `settings` say where."""

    name: str
    from_ms: int
    to_ms: int
    settings: str
    text: str


def rewritten(raw: bytes) -> bytes:
    """The same captions in our own writing. Raises ContentMismatch with the line that is wrong."""
    return written(cues(_text(raw))).encode()


def cues(text: str) -> list[Cue]:
    """All cues in the order of the file. Raises ContentMismatch."""
    lines = text.split("\n")
    if not _SIGNATURE.match(lines[0]):
        if _SUBRIP.match(text.lstrip()):
            raise ContentMismatch("This is a SubRip file; save the captions as WebVTT (.vtt) and send that.")
        raise ContentMismatch("A caption file begins with the word WEBVTT; this one does not.")
    found: list[Cue] = []
    at = 1
    while at < len(lines) and lines[at].strip():  # the header's other lines
        if "-->" in lines[at]:
            raise _wrong(at, "needs an empty line between WEBVTT and the first cue")
        at += 1
    while at < len(lines):
        block, begins = _block(lines, at)
        at = begins + len(block)
        cue = _cue(block, begins)
        if cue is not None:
            found.append(cue)
            if len(found) > MOST_CUES:
                raise ContentMismatch(f"There are more than {MOST_CUES:,} captions in this file.")
    if not found:
        raise ContentMismatch("There is no caption in this file.")
    return found


def written(many: list[Cue]) -> str:
    """A WebVTT file of these cues."""
    blocks = ["WEBVTT"]
    for cue in many:
        timing = f"{_clock(cue.from_ms)} --> {_clock(cue.to_ms)}" + (f" {cue.settings}" if cue.settings else "")
        blocks.append("\n".join(filter(None, (cue.name, timing, cue.text))))
    return "\n\n".join(blocks) + "\n"


def language(given: str) -> str | None:
    """A language tag as it is usually written (BCP 47: `de`, `pt-BR`, `zh-Hant`), or None for what is none."""
    if not _LANGUAGE.fullmatch(given) or len(given) > 20:
        return None
    first, *rest = given.split("-")
    return "-".join([first.lower(), *(_part(part) for part in rest)])


def _part(part: str) -> str:
    return {2: part.upper(), 4: part.title()}.get(len(part), part.lower())


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentMismatch("A caption file is written in UTF-8; save it that way and send it again.") from error
    return text.replace("\x00", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")


def _block(lines: list[str], at: int) -> tuple[list[str], int]:
    """The next lines up to an empty one, and where they begin."""
    while at < len(lines) and not lines[at].strip():
        at += 1
    end = at
    while end < len(lines) and lines[end].strip():
        end += 1
    return lines[at:end], at


def _cue(block: list[str], begins: int) -> Cue | None:
    """None for what is no cue: an empty end, a note, a style, a region."""
    if not block:
        return None
    has_name = "-->" not in block[0]
    if has_name and (len(block) < 2 or "-->" not in block[1]):
        if re.match(r"(?:NOTE|STYLE|REGION)(?:[ \t:]|$)", block[0]):
            return None
        raise _wrong(begins, "is no caption: it has no times")
    name = block[0].strip()[:LONGEST_NAME] if has_name else ""
    place = begins + int(has_name)
    timing = _TIMING.fullmatch(block[int(has_name)])
    if timing is None:
        raise _wrong(place, "has times that cannot be read; they look like 00:01.500 --> 00:04.000")
    groups = timing.groups()
    from_ms, to_ms = _milliseconds(groups[0:4]), _milliseconds(groups[4:8])
    if to_ms <= from_ms:
        raise _wrong(place, "ends before it begins")
    settings = " ".join(each for each in (groups[8] or "").split() if _SETTING.fullmatch(each))
    text = "\n".join(line.rstrip() for line in block[1 + int(has_name) :])
    if "-->" in text:
        raise _wrong(place, "is followed by another without an empty line between them")
    if len(text) > LONGEST_CUE:
        raise _wrong(place, f"has more than {LONGEST_CUE:,} characters")
    return Cue(name, from_ms, to_ms, settings, text)


def _milliseconds(clock: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in clock)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def _clock(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"


def _wrong(line: int, what: str) -> ContentMismatch:
    return ContentMismatch(f"Line {line + 1} of the caption file {what}.")
