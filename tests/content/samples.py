"""Real media made by the tests: a moving picture and a tone, in every accepted container, and files that lie."""

from __future__ import annotations

import array
import math
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

RATE = 44_100
FPS = 15
# name: (container, extension, picture codec or "", sound codec or "")
KINDS = {
    "mp4": ("mp4", "mp4", "libx264", "aac"),
    "silent mp4": ("mp4", "mp4", "libx264", ""),
    "mov": ("mov", "mov", "libx264", "aac"),
    "avi": ("avi", "avi", "mpeg4", "libmp3lame"),
    "wmv": ("asf", "wmv", "wmv2", "wmav2"),
    "mp3": ("mp3", "mp3", "", "libmp3lame"),
    "wav": ("wav", "wav", "", "pcm_s16le"),
    "m4a": ("ipod", "m4a", "", "aac"),
    "aac": ("adts", "aac", "", "aac"),
    "ogg": ("ogg", "ogg", "", "vorbis"),
    "opus": ("ogg", "ogg", "", "libopus"),
}
VIDEO_KINDS = ("mp4", "silent mp4", "mov", "avi", "wmv")
# The same containers with other things inside, as other programs and devices make them.
MORE_KINDS = {
    "mp4 by an old phone": ("mp4", "mp4", "mpeg4", "libmp3lame"),
    "mov by a camera": ("mov", "mov", "mjpeg", "pcm_s16le"),
    "avi by a camera": ("avi", "avi", "mjpeg", "pcm_s16le"),
    "wmv by an old program": ("asf", "wmv", "wmv1", "wmav1"),
    "mp3 by a dictaphone": ("mp3", "mp3", "", "libmp3lame"),
    "wav of 24 bits": ("wav", "wav", "", "pcm_s24le"),
    "m4a without loss": ("ipod", "m4a", "", "alac"),
    "aac by a radio": ("adts", "aac", "", "aac"),
}
# One codec can be stored in more than one way: samples a second, channels, how the container is written.
MONO = {
    "mp3 by a dictaphone": (RATE // 2, {"id3v2_version": "0", "write_xing": "0"}),  # MPEG-2 layer III, no tag before it
    "aac by a radio": (RATE // 2, {"write_mpeg2": "1"}),  # the headers of MPEG-2
}


def make(folder: Path, kind: str, seconds: float = 2.0, size: tuple[int, int] = (160, 120)) -> Path:
    """A file of `kind` in `folder`."""
    container, extension, picture, sound = {**KINDS, **MORE_KINDS}[kind]
    path = folder / f"{kind.replace(' ', '-')}.{extension}"
    rate, written = MONO.get(kind, (48_000 if sound == "libopus" else RATE, {}))
    layout = "mono" if kind in MONO else "stereo"
    with av.open(str(path), "w", format=container, options=written) as made:
        # The codec's name decides the kind of stream, which types cannot know.
        shown: Any = made.add_stream(picture, rate=FPS) if picture else None
        heard: Any = made.add_stream(sound, rate=rate, layout=layout, options={"strict": "-2"}) if sound else None
        if heard is not None:
            heard.bit_rate = 64_000
        if shown is not None:
            shown.width, shown.height = size
            shown.pix_fmt = "yuvj420p" if picture == "mjpeg" else "yuv420p"
            for number in range(round(seconds * FPS)):
                frame = _picture(number, size)
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                made.mux(shown.encode(frame))
            made.mux(shown.encode(None))
        if heard is not None:
            for start in range(0, round(seconds * rate), 1024):
                block = tone(start, min(1024, round(seconds * rate) - start), rate)
                made.mux(heard.encode(block))
            made.mux(heard.encode(None))
    return path


def png(width: int, height: int) -> bytes:
    """A grey picture; large ones are small files (that is the point of a bomb)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" + b"\x80" * width) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _picture(number: int, size: tuple[int, int]) -> av.VideoFrame:
    """A gradient with a bar that moves."""
    width, height = size
    frame = av.VideoFrame(width, height, "yuv420p")
    bar = number * 4 % width
    row = bytes(235 if bar <= x < bar + 16 else 16 + x % 200 for x in range(width))
    for plane, line in zip(frame.planes, (row, row[: width // 2], row[: width // 2]), strict=True):
        plane.update(line.ljust(plane.line_size, b"\x80") * plane.height)
    return frame


def tone(start: int, count: int, rate: int) -> av.AudioFrame:
    """440 Hz."""
    wave = array.array(
        "h", (int(8000 * math.sin(2 * math.pi * 440 * (start + i // 2) / rate)) for i in range(2 * count))
    )
    frame = av.AudioFrame(format="s16", layout="stereo", samples=count)
    frame.planes[0].update(wave.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    frame.pts, frame.sample_rate, frame.time_base = start, rate, Fraction(1, rate)
    return frame
