"""Make what is served out of what was uploaded: rewritten when browsers play its streams, transcoded otherwise.

The uploader's bytes are never served: rewriting the container drops what was appended to it, and gives faststart.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error

from server.content.formats import AUDIO, SNIFFED_BYTES, sniff
from server.content.worker import limits, remux, transcode
from server.content.worker.described import described
from server.content.worker.inspect import inspect, open_named
from server.content.worker.pictures import thumbnail_of
from server.content.worker.refusal import Refused

Tell = Callable[[str, float], None]
# A rewritten file this much shorter than the original said it was has lost its end.
MISSING_SHARE, MISSING_SECONDS = 0.05, 0.5
SHORT_SOUND_SECONDS = 900.0


def process(order: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Look into the file, and make of it what browsers play. Raises Refused.

    Order: path, kind, output (a folder), converts (whether to take the time a long conversion needs).
    Result: {duration, width, height, file: {name, size, sha256, mime_type}, thumbnail: {...} or None}, or
    {later: {duration}} for what has to be converted.
    """
    with open(order["path"], "rb") as file:
        known = sniff(file.read(SNIFFED_BYTES))
    if known is None:
        raise Refused("content_mismatch", "The bytes are not what they claim to be.")
    found = inspect(order["path"], known.demuxer, order["kind"])
    if found["plan"] == "transcode" and not order["converts"] and not _is_short_sound(order["kind"], found["duration"]):
        return {"later": {"duration": found["duration"]}}
    limits.go_on()
    return _derived({**order, **found, "demuxer": known.demuxer}, tell)


def _is_short_sound(kind: str, duration: float) -> bool:
    """Converted at once: it takes a few seconds."""
    return kind == AUDIO and 0 < duration <= SHORT_SOUND_SECONDS


def _derived(order: dict[str, Any], tell: Tell) -> dict[str, Any]:
    folder, kind = Path(order["output"]), order["kind"]
    name, mime_type, muxer = _target(kind, order)
    target = folder / name
    stage = "packaging" if order["plan"] == "copy" else "converting"
    make = remux.remux if order["plan"] == "copy" else transcode.transcode
    try:
        make(order["path"], order["demuxer"], kind, target, muxer, lambda done: tell(stage, _share(done, order)))
    except av.error.FFmpegError as error:
        raise _refusal(error) from error
    with _flushed(target):
        tell("thumbnail", 0)
        shown = _look_at(target, kind, order["duration"], folder)
        file = described(target, mime_type)
    return {
        "duration": shown["duration"],
        "width": shown["width"],
        "height": shown["height"],
        "file": file,
        "thumbnail": described(shown["thumbnail"], "image/webp") if shown["thumbnail"] else None,
    }


@contextmanager
def _flushed(target: Path) -> Iterator[None]:
    """The file goes to the disk while the block looks at it."""
    with target.open("rb") as file:
        flushing = threading.Thread(target=os.fsync, args=(file.fileno(),))
        flushing.start()
        try:
            yield
        finally:
            flushing.join()


def _target(kind: str, order: dict[str, Any]) -> tuple[str, str, str]:
    if kind == "video":
        return "video.mp4", "video/mp4", "mp4"
    if order["plan"] == "copy" and order["demuxer"] == "mp3":
        return "audio.mp3", "audio/mpeg", "mp3"
    return "audio.m4a", "audio/mp4", "mp4"


def _share(seconds: float, order: dict[str, Any]) -> float:
    duration = float(order["duration"])
    return min(100.0, 100 * seconds / duration) if duration > 0 else 0.0


def _look_at(target: Path, kind: str, expected: float, folder: Path) -> dict[str, Any]:
    """Open what was made as a browser would; it must be whole and decodable."""
    demuxer = "mp3" if target.suffix == ".mp3" else "mov"
    try:
        with open_named(str(target), demuxer) as made:
            duration = float(made.duration or 0) / av.time_base
            if duration <= 0:
                raise Refused("unreadable", "Nothing in this file can be played.")
            # Raw AAC and MP3 only estimate their length; the others state it.
            if expected * (1 - MISSING_SHARE) - MISSING_SECONDS > duration and demuxer == "mov":
                raise Refused("truncated", "The end of this file is missing.")
            if kind == "audio":
                next(made.decode(audio=0))
                return {"duration": duration, "width": None, "height": None, "thumbnail": None}
            picture = folder / "thumbnail.webp"
            width, height = thumbnail_of(made, duration, picture)
            return {"duration": duration, "width": width, "height": height, "thumbnail": picture}
    except (av.error.FFmpegError, StopIteration) as error:
        raise Refused("unreadable", "Nothing in this file can be decoded.") from error


def _refusal(error: av.error.FFmpegError) -> Refused | OSError:
    """A full disk is the machine's fault, everything else about the streams is the file's."""
    if isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
        return OSError(error.errno, "no room for what was made")
    return Refused("unreadable", "The file cannot be read to its end; it is damaged.")
