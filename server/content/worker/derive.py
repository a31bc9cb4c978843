"""Make what is served out of what was uploaded: rewritten when browsers play its streams, transcoded otherwise.

The uploader's bytes are never served: rewriting the container drops what was appended to it, and gives faststart.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import av.error

from server.content.worker import remux, transcode
from server.content.worker.described import described
from server.content.worker.inspect import open_named
from server.content.worker.pictures import thumbnail_of
from server.content.worker.refusal import Refused

Tell = Callable[[str, float], None]
# A rewritten file this much shorter than the original said it was has lost its end.
MISSING_SHARE, MISSING_SECONDS = 0.05, 0.5


def derive(order: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Order: path, demuxer, kind, plan, duration, output (a folder). Raises Refused.

    Result: {duration, width, height, file: {name, size, sha256, mime_type}, thumbnail: {...} or None}.
    """
    folder, kind = Path(order["output"]), order["kind"]
    name, mime_type, muxer = _target(kind, order)
    target = folder / name
    stage = "packaging" if order["plan"] == "copy" else "converting"
    make = remux.remux if order["plan"] == "copy" else transcode.transcode
    try:
        make(order["path"], order["demuxer"], kind, target, muxer, lambda done: tell(stage, _share(done, order)))
    except av.error.FFmpegError as error:
        raise _refusal(error) from error
    tell("thumbnail", 0)
    shown = _look_at(target, kind, order["duration"], folder)
    return {
        "duration": shown["duration"],
        "width": shown["width"],
        "height": shown["height"],
        "file": described(target, mime_type),
        "thumbnail": described(shown["thumbnail"], "image/webp") if shown["thumbnail"] else None,
    }


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
